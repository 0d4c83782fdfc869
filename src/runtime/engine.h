// The engine: sequences in, tokens out, one step at a time.
//
// There is no prefill phase and no decode phase. A sequence has `computed` and `total` tokens;
// schedule() hands out a token budget so that the first catches up with the second, run() executes
// that StepPlan, apply() moves the state and samples. Only apply() changes sequences. Everything is
// allocated when the engine is made: pages, sequence slots, step buffers. Not a server: no queue of
// its own beyond the fixed slots, no clock, no threads besides the team's. Determinism: the same
// requests with the same seeds give the same tokens, whatever runs beside them (batch equals solo,
// bit for bit) and with any number of threads. Thread rule: one thread drives an engine.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "graph/executor.h"
#include "measure/step_timer.h"
#include "models/model.h"
#include "runtime/kv_pool.h"
#include "runtime/sampler.h"

namespace hone::runtime {

struct EngineLimits {
    uint32_t context = 0;  // positions per sequence, 0 = min(model's, 4096)
    uint32_t sequences_max = 1;
    uint32_t step_tokens_max = 256;  // token budget of one step
    uint64_t kv_bytes_max = 0;       // 0 = sequences_max full contexts
};

// What happens when a sequence reaches the context limit.
enum class FullContext : uint8_t {
    stop,  // ends with FinishReason::context
};

struct SequenceRequest {
    std::vector<int32_t> prompt;  // at least one token
    uint32_t output_tokens_max = 128;
    SamplingOptions sampling;
    std::vector<int32_t> stop_tokens;  // end of generation; empty = never (benchmarks)
};

enum class FinishReason : uint8_t { none, stop_token, length, context, cancelled };
const char* finish_reason_name(FinishReason reason);

using SequenceId = uint64_t;

// One slice of a step: `n_tokens` tokens of a sequence from `first_position`.
struct PlannedSlice {
    SequenceId sequence = 0;
    uint32_t slot = 0;
    uint32_t first_position = 0;
    uint32_t n_tokens = 0;
    bool wants_logits = false;  // the slice closes the gap: sample after it
};

// Plain data; printable; nothing has happened yet.
struct StepPlan {
    std::vector<PlannedSlice> slices;
    uint32_t tokens = 0;
    bool empty() const { return slices.empty(); }
    // "prefill" (no slice samples from a single token), "decode" (all do), "mixed".
    const char* kind() const;
};
std::string to_string(const StepPlan& plan);

struct StepResult {
    std::span<const float> logits;  // [slices that want logits][vocab], valid until the next run
};

// A token that apply() produced.
struct TokenEvent {
    SequenceId sequence = 0;
    int32_t token = -1;
    FinishReason finish = FinishReason::none;  // set with the last token
};

class Engine {
  public:
    // exhausted when pages, slots and workspace do not fit the limits.
    static base::Result<std::unique_ptr<Engine>> create(const models::ModelConfig& config,
                                                        graph::Executor& executor,
                                                        EngineLimits limits);
    ~Engine();

    // invalid_argument (empty, token out of range), exhausted (no slot, prompt over the context).
    base::Result<SequenceId> add(SequenceRequest request);
    // Ends it now and frees its pages; not_found if it is gone.
    base::Status cancel(SequenceId id);

    StepPlan schedule() const;
    StepResult run(const StepPlan& plan, measure::StepTimer* timer = nullptr);
    // Advances `computed`, samples where the plan wanted logits, frees finished sequences.
    void apply(const StepPlan& plan, const StepResult& result, std::vector<TokenEvent>& events);

    bool idle() const;
    uint32_t sequences_running() const;
    cost::StepShape shape_of(const StepPlan& plan) const;
    const EngineLimits& limits() const;
    KvPoolFacts kv_facts() const;
    // All invariants hold: pages free + owned = total, computed <= total, no page owned twice.
    void check_invariants() const;

  private:
    struct State;
    explicit Engine(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace hone::runtime
