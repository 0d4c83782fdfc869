// The report of `hone machine`: facts, ceilings, and a roofline drawn in text.
#pragma once

#include <string>

#include "machine/profile.h"
#include "report/style.h"

namespace hone::report {

std::string render_machine(const machine::MachineProfile& profile, const Style& style);

}  // namespace hone::report
