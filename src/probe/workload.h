// Runs a model under a fixed workload and writes down what happened, as a RunRecord.
//
// Two kinds: run_bench (rates by the definitions of METRICS.md, static batches, real requests,
// interleaved over repeats so that a drifting machine hits all alike) and run_scenario (real
// requests of one kind of use, every step timed, for diagnosis). Measures and says nothing about
// what the numbers mean. Invariants: warm-up is never in a sample, warm and cold are kept apart, a
// metric that could not be measured is absent, the texts of the prompts (random words from the
// seed) are not in the record. Thread rule: drives the session from the calling thread; nobody else
// uses it meanwhile.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "machine/profile.h"
#include "measure/record.h"
#include "measure/trace.h"
#include "probe/conduct.h"
#include "probe/prompt.h"

namespace hone::runtime {
class Session;
}

namespace hone::probe {

// What only the caller knows. Borrowed for the call.
struct RunSetting {
    const base::Clock& clock;
    const machine::MachineProfile& machine;  // ceilings may be absent: then shares are too
    std::optional<double> cold_start_ms = std::nullopt;  // process start to ready
    std::string build = {};
    std::string command = {};
    std::string slo = {};
    std::optional<double> price_per_hour = std::nullopt;
    // Each of the two readings of the read bandwidth around the run, 0 = none: then the drift is
    // unknown and shares are of the roofs as cached.
    double reading_s = 0.15;
};

struct BenchOptions {
    int prompt_tokens = 512;
    int output_tokens = 128;
    int depth = 0;  // tokens in the cache before a decode test
    int repeats = 5;
    int warm_ups = 1;                         // untimed rounds before the repeats
    std::vector<int> batches = {1, 2, 4, 8};  // above the session's limit: absent
    int batch_steps_max = 32;                 // steps of a static batch test
    uint64_t seed = 1;
    double budget_s = 0;  // after it no further repeat starts; 0 = no limit
};

// Metrics written: prefill_tokens_per_s (prompt_tokens random ids into an empty cache, logits of
// the last position), decode_tokens_per_s (output_tokens single-token steps from `depth`, random
// ids, nothing sampled), batch<B>_tokens_per_s (B sequences together, B x steps / time), ttft_ms,
// itl_ms, latency_ms of real requests (tokenized, sampled greedily, detokenized), the first request
// apart as *_cold, the memory partition, load_ms, cold_start_ms, prefill_compute_share and
// decode_bandwidth_share of the measured roofs.
// Errors: invalid_argument (counts out of range, longer than the context), exhausted (memory),
// cancelled.
base::Result<measure::RunRecord> run_bench(runtime::Session& session, const BenchOptions& options,
                                           const RunSetting& setting, const Conduct& conduct = {});

struct ScenarioOptions {
    std::string name;            // realtime | generative | batch, for the context
    std::string primary_metric;  // for the context
    int prompt_tokens = 64;
    int output_tokens = 16;
    int batch = 1;            // requests that start together
    int requests = 72;        // warm ones wanted
    double budget_s = 20;     // of all that is done here, two warm rounds at least
    int overhead_pairs = 96;  // timed and untimed decode steps that alternate, 0 = not measured
    uint64_t seed = 1;
    // Instead of texts from the seed, in order and from the start again; `prompt_tokens` is then
    // their median. Each pass through them begins with an empty prefix cache: a repetition that
    // only this run made is no saving.
    std::vector<Prompt> prompts = {};
    bool trim_padding = false;
    // Borrowed; the first warm requests and steps are kept in it.
    measure::TraceLog* trace = nullptr;
};

// One cold round, then warm ones. Writes requests, operators (every warm step),
// forward_wall_ns, timing_overhead_share, metrics as above where they apply, and what was watched
// meanwhile as rows of `experiments` (probe/run_watch.h).
base::Result<measure::RunRecord> run_scenario(runtime::Session& session,
                                              const ScenarioOptions& options,
                                              const RunSetting& setting,
                                              const Conduct& conduct = {});

}  // namespace hone::probe
