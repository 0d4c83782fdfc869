// The report of `hone explain`: first whether the measurement can be trusted, then the five layers.
#pragma once

#include <string>

#include "base/json_fwd.h"
#include "diagnose/diagnosis.h"
#include "measure/record.h"
#include "report/style.h"

namespace hone::report {

// For a terminal or, with a plain Style, for report.txt. Ends with a newline.
std::string render_explain(const diagnose::Diagnosis& diagnosis, const measure::RunRecord& record,
                           const Style& style);
// The stable JSON of diagnose with a `text` beside every note, in the style's language.
base::Json explain_json(const diagnose::Diagnosis& diagnosis, const measure::RunRecord& record,
                        const Style& style);

}  // namespace hone::report
