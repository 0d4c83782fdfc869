// Experiments: interventions whose outcome confirms or refutes a diagnosis, without hardware
// counters. Each turns one knob and writes times; what they mean is for diagnosis.
//
// Results go into the record in the shapes of cost/experiments.h and cost/observations.h (the one
// place that knows them); docs/run-record.md lists them all. Beside those keys, there are
// summaries:
//   hot_copy       parameters {nodes}, values {full_ns, hot_ns_median, hot_share}: per call, all
//                  tiles against tiles of at most 128 KiB in a cache; hot_share = the part of the
//                  time that went away, which memory had cost
//   thread_sweep   values {points: [{threads, decode_tokens_per_s, prefill_tokens_per_s}]}
//   batch_sweep    parameters {prompt_tokens}, values {points: [{batch, step_ns}]}
//   null_graph     values {barrier_ns, barriers}: the team walking through as many empty nodes
//   pass_ablation  parameters {pass}, values {decode_ratio, prefill_ratio, n}: time off / time on
//   cold_warm      values {cold_ms, warm_ms, bytes}
// The budget is shared by what each experiment takes, estimated from the steps of this session: an
// experiment gets its share of what is left, stops early when its answer is clear, and leaves the
// rest to those after it. Nothing starts after the budget, so it is overrun by one round at most.
// An experiment that does not fit, or could not be done, comes back with valid = false and a note,
// never as numbers. Thread rule: drives the session from the calling thread; nobody else uses it
// meanwhile. Memory: sweeps open a second executor beside the session's, so they belong after the
// memory partition was read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "measure/record.h"
#include "probe/conduct.h"

namespace hone::runtime {
class Session;
}

namespace hone::probe {

// The fields of diagnose::ExperimentRequest, which this room cannot see.
struct ExperimentOrder {
    std::string name;
    std::string subject;                // operator kind, pass (pass_ablation), or ""
    std::string slice;                  // of an operator: "prefill" | "decode", "" = both
    std::vector<std::string> settings;  // sweeps: points to measure, empty = the default ones
};

// Names that run_experiments knows.
std::vector<std::string> experiment_names();

struct ExperimentOptions {
    double budget_s = 10;  // for all of them
    int depth = 64;        // tokens of a prefill sample, which decode samples then continue
    int batch = 1;         // of the run itself: the baseline of batch_sweep
    uint64_t seed = 1;
};

// In order. Only `cancelled` is an error; an unknown name is a result with valid = false.
base::Result<std::vector<measure::ExperimentResult>> run_experiments(
    runtime::Session& session, const std::vector<ExperimentOrder>& orders,
    const ExperimentOptions& options, const base::Clock& clock, const Conduct& conduct = {});

}  // namespace hone::probe
