// How fast a file is read here: with read(2) and through a map, from the page cache and from
// storage.
//
// A temporary file without a name is written, read and gone with the descriptor. Cold means that
// the pages left this system's page cache (checked with mincore); the cache of a hypervisor or of
// the drive is out of reach, so a cold number is an upper bound of the storage. Thread rule: one
// thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "kernels/ceiling/ceiling.h"
#include "machine/profile.h"

namespace hone::probe {

struct FileOptions {
    std::string directory;  // "" = none
    uint64_t bytes = 32u << 20;
    double budget_s = 1.0;  // after it, what is left stays out
};

// Adds to profile.files, or to profile.left_out with the reason. Never an error: storage that
// cannot be written is a fact about the machine.
void measure_files(const FileOptions& options, const kernels::CeilingVariant& variant,
                   const base::Clock& clock, machine::MachineProfile& profile);

}  // namespace hone::probe
