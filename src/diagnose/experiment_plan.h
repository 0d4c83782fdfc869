// The experiments that would make the diagnosis of a record surer, most useful first.
//
// A plan as data: probe runs it and adds the results to the record (cost/experiments.h and
// cost/observations.h have their shapes), then the record is diagnosed again. Never asks for what
// the record already has. Pure.
#pragma once

#include <string>
#include <vector>

#include "cost/note.h"
#include "measure/record.h"

namespace hone::diagnose {

struct ExperimentRequest {
    std::string name;                   // as in cost/experiments.h and cost/observations.h
    std::string subject;                // operator kind, pass, "load" or "first_run", or ""
    std::string slice;                  // of an operator: "prefill" | "decode"
    std::vector<std::string> settings;  // sweeps: what to try, the run's own setting among them
    cost::Note reason;
};

struct ExperimentPlan {
    std::vector<ExperimentRequest> requests;
};

ExperimentPlan plan_experiments(const measure::RunRecord& record);

}  // namespace hone::diagnose
