// Looks at a model in one use: its requests, every step timed, and then the experiments that would
// make the diagnosis surer. What `hone explain` and each turn of the loop begin with.
//
// Says nothing about what the numbers mean: see diagnose. Thread rule: drives the session from the
// calling thread; nobody else uses it meanwhile.
#pragma once

#include "base/result.h"
#include "measure/record.h"
#include "probe/workload.h"
#include "runtime/session.h"

namespace hone::tune {

struct ObservationBudget {
    double all_s = 40;               // requests (run.budget_s of it) and experiments
    double experiments_least_s = 0;  // also when the requests took longer than they should
};

// Errors: those of probe::run_scenario; cancelled.
base::Result<measure::RunRecord> observe(runtime::Session& session,
                                         const probe::ScenarioOptions& run,
                                         const ObservationBudget& budget,
                                         const probe::RunSetting& setting,
                                         const probe::Conduct& conduct);

}  // namespace hone::tune
