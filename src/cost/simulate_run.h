// The whole run of a record again, request by request: pieces of the prompt, then one token after
// the other with a growing cache, each step timed by the step model, before and after a change.
//
// Internal to room cost: cost/predict.h is the door. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "cost/predict.h"
#include "cost/step_model.h"
#include "measure/record.h"

namespace hone::cost {

// How the run would go; defaults are as it went.
struct RunPlan {
    StepChange change;
    uint64_t step_tokens = 0;       // tokens of one step at most
    uint64_t reused_tokens = 0;     // of each prompt that are in the cache already
    double padding_share = 0;       // of each prompt that need not be computed
    std::optional<uint64_t> depth;  // positions in the cache before the first output token
    int batch = 0;                  // sequences of one decode step
};

// Reasons as of StepModel, and no_request_stages (neither requests nor a workload in the record),
// no_samples_of (the plan needs what was never measured), nothing_to_change.
SimulationResult simulate_run(const measure::RunRecord& record, const RunPlan& plan,
                              std::span<const measure::RunRecord> others);

}  // namespace hone::cost
