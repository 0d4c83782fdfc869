// Whether a start waited for storage, and what it would take with the file in memory.
//
// That pages came from storage is counted (bytes, major faults); what that cost is the difference
// to the same start from memory, which an experiment of the record made. A slow storage that this
// start did not need is no evidence. Pure.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "cost/experiments.h"
#include "cost/note.h"
#include "measure/record.h"

namespace hone::diagnose {

struct ColdStart {
    bool from_storage = false;
    // Of the time it took, what is left from memory; the ends are two ways to say it: the time that
    // the warm start takes, and this start less what the storage cost in the experiment.
    std::optional<cost::Ratio> left;
    std::vector<cost::Note> evidence;
};

// `subject`: "load" or "first_run".
ColdStart find_cold_start(const measure::RunRecord& record, std::string_view subject,
                          double took_ns);

}  // namespace hone::diagnose
