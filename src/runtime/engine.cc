#include "runtime/engine.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "runtime/draft_lookup.h"
#include "runtime/scheduler.h"
#include "runtime/sequence.h"

namespace hone::runtime {

namespace {

using base::ErrorCode;

// Positions that the request can come to compute: its last token is sampled but never computed.
uint32_t positions_at_most(const SequenceRequest& request, uint32_t context) {
    const uint64_t positions = uint64_t{request.prompt.size()} + request.output_tokens_max - 1;
    return static_cast<uint32_t>(std::min<uint64_t>(positions, context));
}

}  // namespace

base::Status resolve_limits(const models::ModelConfig& config, EngineLimits& limits) {
    if (limits.context == 0) limits.context = std::min(config.context_max, kContextDefault);
    if (limits.context == 0 || limits.context > config.context_max) {
        return base::fail(ErrorCode::invalid_argument,
                          "a context of {} positions; the model allows 1 to {}", limits.context,
                          config.context_max);
    }
    if (limits.sequences_max == 0 || limits.sequences_max > kSequencesMax) {
        return base::fail(ErrorCode::invalid_argument, "{} sequences at once; 1 to {} are possible",
                          limits.sequences_max, kSequencesMax);
    }
    if (limits.step_tokens_max < limits.sequences_max || limits.step_tokens_max > kStepTokensMax) {
        return base::fail(ErrorCode::invalid_argument,
                          "a step of {} tokens; {} (one for each sequence) to {} are possible",
                          limits.step_tokens_max, limits.sequences_max, kStepTokensMax);
    }
    if (limits.drafts_max > kDraftTokensMax) {
        return base::fail(ErrorCode::invalid_argument, "{} draft tokens; at most {} are possible",
                          limits.drafts_max, kDraftTokensMax);
    }
    return {};
}

uint32_t outputs_at_most(const EngineLimits& limits) {
    // Both factors are small.
    const uint32_t sampled = limits.sequences_max * (1 + limits.drafts_max);
    return std::min(limits.step_tokens_max, std::max(sampled, limits.logit_rows));
}

const char* finish_reason_name(FinishReason reason) {
    switch (reason) {
        case FinishReason::none:
            return "none";
        case FinishReason::stop_token:
            return "stop_token";
        case FinishReason::length:
            return "length";
        case FinishReason::context:
            return "context";
        case FinishReason::stop_string:
            return "stop_string";
        case FinishReason::cancelled:
            return "cancelled";
        case FinishReason::invalid_logits:
            return "invalid_logits";
    }
    return "unknown";
}

struct Engine::State {
    State(StepRunner& step_runner, const kernels::RowsVariant& rows, const EngineLimits& bounds,
          KvPool pool);

    Sequence* find(SequenceId id);
    Sequence& planned(const PlannedSlice& slice);
    std::optional<float> margin_of(const StepPlan& plan) const;
    base::Status check_request(const SequenceRequest& request) const;
    void remove(Sequence& sequence);
    FinishReason accept(Sequence& sequence, int32_t token) const;
    FinishReason sample_in_order(Sequence& sequence, std::span<const int32_t> drafts,
                                 std::span<const float> logits, std::vector<TokenEvent>& events);

    std::unique_ptr<ExecutorRunner> executor_runner;  // null when the caller gave the runner
    StepRunner* runner;
    EngineLimits limits;
    KvPool pool;
    SamplerWorkspace workspace;
    std::vector<Sequence> slots;   // [sequences_max]
    std::vector<uint32_t> by_age;  // slots in use, the oldest sequence first
    SequenceId next_id = 1;
    // Step buffers, at their largest from the start.
    std::vector<SequenceView> views;  // of one schedule()
    std::vector<int32_t> drafts;      // likewise, where the views' drafts lie
    std::vector<int32_t> tokens;      // of one run(), likewise below
    std::vector<graph::StepSlice> slices;
    std::vector<uint32_t> output_rows;
};

Engine::State::State(StepRunner& step_runner, const kernels::RowsVariant& rows,
                     const EngineLimits& bounds, KvPool kv_pool)
    : runner(&step_runner),
      limits(bounds),
      pool(std::move(kv_pool)),
      workspace(step_runner.vocab(), rows),
      slots(bounds.sequences_max) {
    // One token more than positions: the last one is sampled but never computed.
    for (Sequence& slot : slots) slot.tokens.reserve(size_t{limits.context} + 1);
    by_age.reserve(limits.sequences_max);
    views.reserve(limits.sequences_max);
    drafts.reserve(size_t{limits.sequences_max} * limits.drafts_max);
    tokens.reserve(limits.step_tokens_max);
    slices.reserve(limits.sequences_max);
    output_rows.reserve(outputs_at_most(limits));
}

Sequence* Engine::State::find(SequenceId id) {
    for (uint32_t slot : by_age) {
        if (slots[slot].id == id) return &slots[slot];
    }
    return nullptr;
}

// The sequence of a slice, which must be as it was when the slice was planned.
Sequence& Engine::State::planned(const PlannedSlice& slice) {
    HONE_CHECK_LT(slice.slot, slots.size());
    Sequence& sequence = slots[slice.slot];
    HONE_CHECK_EQ(sequence.id, slice.sequence);
    HONE_CHECK_EQ(sequence.computed, slice.first_position);
    HONE_CHECK_GT(slice.n_tokens, 0u);
    const uint32_t gap = sequence.total() - sequence.computed;
    HONE_CHECK_LT(slice.n_drafts, slice.n_tokens);
    HONE_CHECK_LE(slice.n_tokens - slice.n_drafts, gap);
    HONE_CHECK_EQ(slice.wants_logits, slice.n_tokens - slice.n_drafts == gap);
    HONE_CHECK(slice.wants_logits || slice.n_drafts == 0);
    return sequence;
}

// Of a step with one row of logits, whose sampler says which of them it can choose.
std::optional<float> Engine::State::margin_of(const StepPlan& plan) const {
    const PlannedSlice* sampled = nullptr;
    for (const PlannedSlice& slice : plan.slices) {
        if (slice.outputs() == 0) continue;
        if (sampled != nullptr || slice.outputs() > 1) return std::nullopt;
        sampled = &slice;
    }
    if (sampled == nullptr) return std::nullopt;
    return slots[sampled->slot].logits_margin;
}

base::Status Engine::State::check_request(const SequenceRequest& request) const {
    if (request.prompt.empty()) {
        return base::fail(ErrorCode::invalid_argument, "the prompt has no tokens");
    }
    if (request.output_tokens_max == 0) {
        return base::fail(ErrorCode::invalid_argument, "at least one output token must be allowed");
    }
    if (request.stop_tokens.size() > kStopTokensMax) {
        return base::fail(ErrorCode::invalid_argument, "{} stop tokens; at most {}",
                          request.stop_tokens.size(), kStopTokensMax);
    }
    HONE_TRY_STATUS(request.sampling.validate(runner->vocab()));
    if (request.prompt.size() > limits.context) {
        return base::fail(ErrorCode::exhausted, "a prompt of {} tokens; the context is {}",
                          request.prompt.size(), limits.context);
    }
    for (int32_t token : request.prompt) {
        if (token < 0 || static_cast<uint32_t>(token) >= runner->vocab()) {
            return base::fail(ErrorCode::invalid_argument,
                              "the prompt has token {}; the vocabulary has {}", token,
                              runner->vocab());
        }
    }
    const uint32_t positions = positions_at_most(request, limits.context);
    if (!pool.could_ever_reserve(positions)) {
        return base::fail(ErrorCode::exhausted,
                          "{} positions do not fit the KV cache of {} bytes, even alone", positions,
                          pool.facts().bytes_total);
    }
    if (by_age.size() == slots.size()) {
        return base::fail(ErrorCode::exhausted, "all {} sequence slots are in use", slots.size());
    }
    if (!pool.can_reserve(positions)) {
        return base::fail(ErrorCode::exhausted,
                          "{} positions do not fit the KV cache beside {} running sequences",
                          positions, by_age.size());
    }
    return {};
}

void Engine::State::remove(Sequence& sequence) {
    const auto slot = static_cast<uint32_t>(&sequence - slots.data());
    pool.release(slot);
    by_age.erase(std::find(by_age.begin(), by_age.end(), slot));
    sequence.id = 0;
    sequence.tokens.clear();
    sequence.computed = 0;
}

// Appends a sampled token; says whether it is the last one.
FinishReason Engine::State::accept(Sequence& sequence, int32_t token) const {
    if (token == kNoToken) return FinishReason::invalid_logits;
    sequence.tokens.push_back(token);
    const auto& stops = sequence.stop_tokens;
    if (std::find(stops.begin(), stops.end(), token) != stops.end()) {
        return FinishReason::stop_token;
    }
    if (sequence.output_tokens() == sequence.output_tokens_max) return FinishReason::length;
    if (sequence.computed == limits.context) return FinishReason::context;
    return FinishReason::none;
}

// `logits` [1 + drafts][vocab]. What single steps would have done: a row is looked at, and a random
// number drawn for it, only when the token before it is the one that the row was computed from.
FinishReason Engine::State::sample_in_order(Sequence& sequence, std::span<const int32_t> guesses,
                                            std::span<const float> logits,
                                            std::vector<TokenEvent>& events) {
    const size_t vocab = runner->vocab();
    for (size_t i = 0;; ++i) {
        const int32_t token =
            sequence.sampler->sample(logits.subspan(i * vocab, vocab), sequence.tokens);
        const FinishReason finish = accept(sequence, token);
        events.push_back({.sequence = sequence.id, .token = token, .finish = finish});
        if (finish != FinishReason::none || i == guesses.size() || token != guesses[i]) {
            return finish;
        }
        ++sequence.computed;
    }
}

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}
Engine::~Engine() = default;

base::Result<std::unique_ptr<Engine>> Engine::create(const models::ModelConfig& config,
                                                     graph::Executor& executor,
                                                     EngineLimits limits) {
    limits.kv_dtype = executor.plan().options.kv_dtype;
    auto runner = std::make_unique<ExecutorRunner>(executor);
    HONE_TRY(auto engine, create(config, *runner, *executor.plan().rows, limits));
    engine->state_->executor_runner = std::move(runner);
    return engine;
}

base::Result<std::unique_ptr<Engine>> Engine::create(const models::ModelConfig& config,
                                                     StepRunner& runner,
                                                     const kernels::RowsVariant& rows,
                                                     EngineLimits limits) {
    HONE_CHECK_EQ(config.n_vocab, runner.vocab());
    HONE_TRY_STATUS(resolve_limits(config, limits));
    if (limits.step_tokens_max > runner.tokens_max() ||
        outputs_at_most(limits) > runner.outputs_max()) {
        return base::fail(ErrorCode::exhausted,
                          "steps of {} tokens, {} sequences and {} drafts for each do not fit a "
                          "workspace for {} tokens and {} outputs",
                          limits.step_tokens_max, limits.sequences_max, limits.drafts_max,
                          runner.tokens_max(), runner.outputs_max());
    }
    HONE_TRY(auto pool, KvPool::create({.groups = kv_layouts(config, limits.kv_dtype),
                                        .context = limits.context,
                                        .slots = limits.sequences_max,
                                        .step_tokens_max = limits.step_tokens_max,
                                        .bytes_max = limits.kv_bytes_max,
                                        .prefix_cache = limits.prefix_cache}));
    return std::unique_ptr<Engine>(
        new Engine(std::make_unique<State>(runner, rows, limits, std::move(pool))));
}

base::Result<SequenceId> Engine::add(SequenceRequest request) {
    State& s = *state_;
    HONE_TRY_STATUS(s.check_request(request));
    const auto free = std::find_if(s.slots.begin(), s.slots.end(),
                                   [](const Sequence& slot) { return !slot.active(); });
    HONE_CHECK(free != s.slots.end());
    const auto slot = static_cast<uint32_t>(free - s.slots.begin());
    s.pool.reserve(slot, positions_at_most(request, s.limits.context));
    free->id = s.next_id++;
    free->tokens.assign(request.prompt.begin(), request.prompt.end());
    free->prompt_tokens = free->total();
    free->computed = free->reused = s.pool.adopt(slot, free->tokens);
    free->output_tokens_max = request.output_tokens_max;
    free->stop_tokens = std::move(request.stop_tokens);
    free->logits_margin = request.only_samples ? request.sampling.logits_margin() : std::nullopt;
    free->sampler.emplace(std::move(request.sampling), s.workspace);
    s.by_age.push_back(slot);
    return free->id;
}

base::Status Engine::cancel(SequenceId id) {
    Sequence* sequence = state_->find(id);
    if (sequence == nullptr) {
        return base::fail(ErrorCode::not_found, "sequence {} is not running", id);
    }
    state_->remove(*sequence);
    return {};
}

StepPlan Engine::schedule(bool with_drafts) const {
    StepPlan plan;
    plan.slices.reserve(state_->by_age.size());
    schedule_into(plan, with_drafts);
    return plan;
}

void Engine::schedule_into(StepPlan& plan, bool with_drafts) const {
    State& s = *state_;
    s.views.clear();
    s.drafts.clear();
    const uint32_t drafts_max = with_drafts ? s.limits.drafts_max : 0;
    for (uint32_t slot : s.by_age) {
        const Sequence& sequence = s.slots[slot];
        const size_t first_draft = s.drafts.size();
        if (drafts_max > 0 && sequence.total() - sequence.computed == 1) {
            draft_by_lookup(sequence.tokens, drafts_max, s.drafts);
        }
        s.views.push_back({.id = sequence.id,
                           .slot = slot,
                           .computed = sequence.computed,
                           .total = sequence.total(),
                           .positions_reserved = s.pool.reserved_positions(slot),
                           .drafts = std::span(s.drafts).subspan(first_draft)});
    }
    runtime::schedule(s.views, s.limits.step_tokens_max, plan);
}

StepResult Engine::run(const StepPlan& plan, measure::StepTimer* timer) {
    State& s = *state_;
    if (plan.empty()) return {};
    HONE_CHECK_LE(plan.tokens, s.limits.step_tokens_max);
    HONE_CHECK_LE(plan.slices.size(), s.slots.size());
    s.tokens.clear();
    s.slices.clear();
    s.output_rows.clear();
    auto draft = plan.drafts.begin();
    for (const PlannedSlice& slice : plan.slices) {
        const Sequence& sequence = s.planned(slice);
        s.pool.back(slice.slot, slice.first_position + slice.n_tokens);
        s.slices.push_back({.first_token = static_cast<uint32_t>(s.tokens.size()),
                            .n_tokens = slice.n_tokens,
                            .first_position = slice.first_position,
                            .pages = s.pool.tables(slice.slot)});
        const auto first = sequence.tokens.begin() + slice.first_position;
        s.tokens.insert(s.tokens.end(), first, first + (slice.n_tokens - slice.n_drafts));
        s.tokens.insert(s.tokens.end(), draft, draft + slice.n_drafts);
        draft += slice.n_drafts;
        for (uint32_t left = slice.outputs(); left > 0; --left) {
            s.output_rows.push_back(static_cast<uint32_t>(s.tokens.size()) - left);
        }
    }
    HONE_CHECK_EQ(s.tokens.size(), plan.tokens);
    HONE_CHECK(draft == plan.drafts.end());
    const std::span<const float> logits = s.runner->run({.tokens = s.tokens,
                                                         .slices = s.slices,
                                                         .output_rows = s.output_rows,
                                                         .logits_margin = s.margin_of(plan)},
                                                        timer);
    HONE_CHECK_EQ(logits.size(), s.output_rows.size() * s.runner->vocab());
    return {logits};
}

void Engine::apply(const StepPlan& plan, const StepResult& result,
                   std::vector<TokenEvent>& events) {
    State& s = *state_;
    events.clear();
    const size_t vocab = s.runner->vocab();
    std::span<const float> logits = result.logits;
    std::span<const int32_t> drafts = plan.drafts;
    for (const PlannedSlice& slice : plan.slices) {
        const size_t values = slice.outputs() * vocab;
        HONE_CHECK_LE(values, logits.size());
        const auto slice_logits = logits.first(values);
        logits = logits.subspan(values);
        const auto slice_drafts = drafts.first(slice.n_drafts);
        drafts = drafts.subspan(slice.n_drafts);
        if (s.slots[slice.slot].id != slice.sequence) continue;  // cancelled since run()
        Sequence& sequence = s.planned(slice);
        sequence.computed += slice.n_tokens - slice.n_drafts;
        FinishReason finish = FinishReason::none;
        if (slice.wants_logits) {
            finish = s.sample_in_order(sequence, slice_drafts, slice_logits, events);
        }
        // Only now is it known how far: pages that drafts filled in vain are not remembered, and
        // windows give back none that the next step needs.
        s.pool.advance(slice.slot, sequence.computed, sequence.tokens);
        if (finish != FinishReason::none) s.remove(sequence);
    }
}

bool Engine::idle() const {
    return state_->by_age.empty();
}

uint32_t Engine::sequences_running() const {
    return static_cast<uint32_t>(state_->by_age.size());
}

const std::vector<int32_t>* Engine::tokens(SequenceId id) const {
    const Sequence* sequence = state_->find(id);
    return sequence == nullptr ? nullptr : &sequence->tokens;
}

uint32_t Engine::reused_tokens(SequenceId id) const {
    const Sequence* sequence = state_->find(id);
    return sequence == nullptr ? 0 : sequence->reused;
}

void Engine::forget_prefixes() {
    state_->pool.forget_prefixes();
}

cost::StepShape Engine::shape_of(const StepPlan& plan) const {
    cost::StepShape shape;
    for (const PlannedSlice& slice : plan.slices) {
        shape.add_slice(slice.first_position, slice.n_tokens);
        shape.outputs += slice.outputs();
    }
    return shape;
}

const EngineLimits& Engine::limits() const {
    return state_->limits;
}

KvPoolFacts Engine::kv_facts() const {
    return state_->pool.facts();
}

void Engine::check_invariants() const {
    const State& s = *state_;
    s.pool.check_invariants();
    size_t active = 0;
    for (uint32_t slot = 0; slot < s.slots.size(); ++slot) {
        const Sequence& sequence = s.slots[slot];
        HONE_CHECK_EQ(std::count(s.by_age.begin(), s.by_age.end(), slot),
                      sequence.active() ? 1 : 0);
        HONE_CHECK_EQ(s.pool.reserved_positions(slot) > 0, sequence.active());
        if (!sequence.active()) continue;
        ++active;
        HONE_CHECK_LT(sequence.computed, sequence.total());
        HONE_CHECK_LE(sequence.total(), s.pool.reserved_positions(slot));
        HONE_CHECK_LE(sequence.computed, s.pool.backed_positions(slot));
        HONE_CHECK_LT(sequence.output_tokens(), sequence.output_tokens_max);
        HONE_CHECK_LT(sequence.id, s.next_id);
    }
    HONE_CHECK_EQ(active, s.by_age.size());
    for (size_t i = 1; i < s.by_age.size(); ++i) {
        HONE_CHECK_LT(s.slots[s.by_age[i - 1]].id, s.slots[s.by_age[i]].id);
    }
}

}  // namespace hone::runtime
