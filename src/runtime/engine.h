// The engine: sequences in, tokens out, one step at a time.
//
// There is no prefill phase and no decode phase. A sequence has `computed` and `total` tokens;
// schedule() hands out a token budget so that the first catches up with the second, run() executes
// that StepPlan, apply() moves the state and samples. Only apply() changes sequences. Everything is
// allocated when the engine is made: pages, sequence slots, step buffers. Not a server: no queue of
// its own beyond the fixed slots, no clock, no threads besides the team's. Determinism: the same
// requests with the same seeds give the same tokens, whatever runs beside them (batch equals solo,
// bit for bit) and with any number of threads.
//
// Drafts (runtime/draft_lookup.h) are computed behind a sequence's last token in the same step.
// apply() samples each position's logits in order, as single steps would have, up to the first
// token that is not the draft: since a token's logits do not depend on what else is in the step,
// the output is the same, token by token, greedy or sampled; only the number of steps changes.
//
//   computed   t  d1 d2 d3      t is known, d1 d2 d3 are drafts
//   sampled    d1 d2 x  -       d3 was not x: `computed` moves by three, the tokens are d1 d2 x,
//                               and the next step overwrites what d3 left in its page
//
// Thread rule: one thread drives an engine.
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
#include "runtime/step_plan.h"
#include "runtime/step_runner.h"

namespace hone::runtime {

struct EngineLimits {
    uint32_t context = 0;  // positions per sequence, 0 = min(model's, 4096)
    uint32_t sequences_max = 1;
    uint32_t step_tokens_max = 256;  // token budget of one step, >= sequences_max
    uint32_t drafts_max = 0;         // per sequence and step, at most kDraftTokensMax; 0 = none
    uint32_t logit_rows = 0;         // of one step at least, for readers of texts (text_reader.h)
    uint64_t kv_bytes_max = 0;       // 0 = sequences_max full contexts
    bool prefix_cache = true;        // see runtime/kv_pool.h
    kernels::KvDtype kv_dtype = kernels::KvDtype::f16;  // an executor's own takes its place
};
inline constexpr uint32_t kContextDefault = 4096;
inline constexpr uint32_t kSequencesMax = 1024;
inline constexpr uint32_t kStepTokensMax = 1u << 16;
inline constexpr size_t kStopTokensMax = 256;

// Fills in `context` and checks everything that does not depend on an executor; invalid_argument.
base::Status resolve_limits(const models::ModelConfig& config, EngineLimits& limits);
// Rows of logits that a step can want.
uint32_t outputs_at_most(const EngineLimits& limits);

// What happens when a sequence reaches the context limit: when all `context` positions are
// computed, the token sampled from the last of them is its last one. So a prompt of P <= context
// tokens gives at most context - P + 1 tokens.
enum class FullContext : uint8_t {
    stop,  // ends with FinishReason::context
};

struct SequenceRequest {
    std::vector<int32_t> prompt = {};  // at least one token
    uint32_t output_tokens_max = 128;  // at least 1
    SamplingOptions sampling = {};
    std::vector<int32_t> stop_tokens = {};  // end of generation; empty = never (benchmarks)
    // Nobody looks at its logits but the sampler: those that it cannot choose may be -inf.
    bool only_samples = false;
};

// Where several hold for the same token, the first of this list is given.
enum class FinishReason : uint8_t {
    none,
    stop_token,      // its token is the stop token
    length,          // output_tokens_max
    context,         // see FullContext
    stop_string,     // never by the engine: see runtime/generation.h
    cancelled,       // likewise: a cancelled sequence has no event
    invalid_logits,  // no logit above -inf: nothing to sample, its token is kNoToken
};
const char* finish_reason_name(FinishReason reason);

struct StepResult {
    std::span<const float> logits;  // [sum of the slices' outputs()][vocab], until the next run
};

// A token that apply() produced.
struct TokenEvent {
    SequenceId sequence = 0;
    int32_t token = -1;
    FinishReason finish = FinishReason::none;  // set with the last token
};

class Engine {
  public:
    // invalid_argument: a limit out of range or above the model's; exhausted: pages, slots and
    // workspace do not fit the limits. The executor is borrowed.
    static base::Result<std::unique_ptr<Engine>> create(const models::ModelConfig& config,
                                                        graph::Executor& executor,
                                                        EngineLimits limits);
    // The same for anything that runs steps; both are borrowed.
    static base::Result<std::unique_ptr<Engine>> create(const models::ModelConfig& config,
                                                        StepRunner& runner,
                                                        const kernels::RowsVariant& rows,
                                                        EngineLimits limits);
    ~Engine();

    // invalid_argument (empty, token or option out of range), exhausted (no slot, no pages, prompt
    // over the context). Pages for min(prompt + output_tokens_max - 1, context) positions are
    // reserved (the last token is never computed), so an admitted sequence always finishes.
    base::Result<SequenceId> add(SequenceRequest request);
    // Ends it now, without an event, and frees its pages; not_found if it is gone.
    base::Status cancel(SequenceId id);

    StepPlan schedule(bool with_drafts = true) const;
    // The same into a plan whose memory is used again. Without drafts, no lookup is made either.
    void schedule_into(StepPlan& plan, bool with_drafts = true) const;
    // Computes the plan's slices; hands out pages but moves no sequence, so it may be repeated. The
    // plan must be of the present state: only add() may come between schedule() and run().
    StepResult run(const StepPlan& plan, measure::StepTimer* timer = nullptr);
    // Advances `computed`, samples where the plan wanted logits, frees finished sequences. `events`
    // is cleared first; a sequence has as many as its accepted drafts and one more, in order. A
    // sequence cancelled since run() is passed over.
    void apply(const StepPlan& plan, const StepResult& result, std::vector<TokenEvent>& events);

    bool idle() const;
    uint32_t sequences_running() const;
    // Prompt and output tokens so far; nullptr when the sequence is gone.
    const std::vector<int32_t>* tokens(SequenceId id) const;
    // Of a running sequence's prompt: taken from the prefix cache instead of computed.
    uint32_t reused_tokens(SequenceId id) const;
    void forget_prefixes();
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
