#include "runtime/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <vector>

#include "runtime/fake_model.h"

namespace hone::runtime {
namespace {

// A fake model with an engine on it.
struct Bench {
    FakeModel model;
    kernels::RowsVariant rows = FakeModel::rows();
    std::unique_ptr<Engine> engine;
    std::vector<TokenEvent> events;

    explicit Bench(EngineLimits limits, FakeModelOptions options = {}) : model(options) {
        auto made = Engine::create(model.config(), model, rows, limits);
        EXPECT_TRUE(made) << made.error().message;
        engine = std::move(*made);
    }

    const std::vector<TokenEvent>& step() {
        const StepPlan plan = engine->schedule();
        engine->apply(plan, engine->run(plan), events);
        engine->check_invariants();
        return events;
    }
};

SequenceRequest request(std::vector<int32_t> prompt, uint32_t output_tokens_max,
                        uint64_t seed = 0) {
    SequenceRequest out;
    out.prompt = std::move(prompt);
    out.output_tokens_max = output_tokens_max;
    if (seed != 0) {
        out.sampling.temperature = 0.9f;
        out.sampling.top_k = 20;
        out.sampling.repetition_penalty = 1.1f;
        out.sampling.seed = seed;
    }
    return out;
}

std::vector<int32_t> some_prompt(size_t n, uint64_t seed, uint32_t vocab = 64) {
    base::Random random(seed);
    std::vector<int32_t> prompt(n);
    for (int32_t& token : prompt) token = static_cast<int32_t>(random.next_below(vocab));
    return prompt;
}

// A model of few words repeats itself, so that some drafts are right.
constexpr uint32_t kFewWords = 3;

FakeModelOptions few_words(uint32_t drafts_max, std::vector<uint32_t> windows = {0}) {
    return {.vocab = kFewWords, .outputs_max = 256, .drafts_max = drafts_max, .windows = windows};
}

struct Outcome {
    std::vector<int32_t> tokens;
    FinishReason finish = FinishReason::none;
    bool operator==(const Outcome&) const = default;
};

Outcome run_alone(const SequenceRequest& r, EngineLimits limits, FakeModelOptions options = {}) {
    limits.sequences_max = 1;
    limits.kv_bytes_max = 0;
    limits.drafts_max = 0;
    Bench bench(limits, options);
    EXPECT_TRUE(bench.engine->add(r));
    Outcome outcome;
    while (!bench.engine->idle()) {
        for (const TokenEvent& event : bench.step()) {
            outcome.tokens.push_back(event.token);
            outcome.finish = event.finish;
        }
    }
    return outcome;
}

TEST(Engine, OneSequenceRunsToItsLength) {
    Bench bench({.step_tokens_max = 16});
    auto id = bench.engine->add(request(some_prompt(40, 1), 5));
    ASSERT_TRUE(id);
    EXPECT_EQ(bench.engine->sequences_running(), 1u);
    EXPECT_EQ(to_string(bench.engine->schedule()), "prefill, 16 tokens: #1@0+16");
    EXPECT_TRUE(bench.step().empty());
    EXPECT_TRUE(bench.step().empty());
    const StepPlan last = bench.engine->schedule();
    EXPECT_EQ(to_string(last), "prefill, 8 tokens: #1@32+8*");
    const cost::StepShape shape = bench.engine->shape_of(last);
    EXPECT_EQ(shape.tokens, 8u);
    EXPECT_EQ(shape.outputs, 1u);
    EXPECT_EQ(shape.positions_read, 40u);
    for (int i = 0; i < 5; ++i) {
        const std::vector<TokenEvent>& events = bench.step();
        ASSERT_EQ(events.size(), 1u);
        EXPECT_EQ(events[0].sequence, *id);
        EXPECT_EQ(events[0].finish, i == 4 ? FinishReason::length : FinishReason::none);
    }
    EXPECT_TRUE(bench.engine->idle());
    // The last token is never computed.
    EXPECT_EQ(bench.model.tokens_run(), 44u);
    EXPECT_EQ(bench.engine->kv_facts().pages_free, bench.engine->kv_facts().pages_total);
}

TEST(Engine, ChunksDoNotChangeTheTokens) {
    const SequenceRequest r = request(some_prompt(90, 3), 20, 11);
    const Outcome whole = run_alone(r, {.step_tokens_max = 64});
    for (uint32_t budget : {1u, 2u, 7u, 31u, 33u}) {
        EXPECT_EQ(run_alone(r, {.step_tokens_max = budget}), whole) << budget;
    }
    EXPECT_EQ(whole.tokens.size(), 20u);
}

TEST(Engine, StopTokensEndTheSequence) {
    const SequenceRequest plain = request(some_prompt(10, 4), 30);
    const Outcome whole = run_alone(plain, {});
    SequenceRequest stopping = plain;
    stopping.stop_tokens = {whole.tokens[7], 9999};
    const Outcome stopped = run_alone(stopping, {});
    const auto first = std::find(whole.tokens.begin(), whole.tokens.end(), whole.tokens[7]);
    EXPECT_EQ(stopped.finish, FinishReason::stop_token);
    EXPECT_EQ(stopped.tokens, std::vector<int32_t>(whole.tokens.begin(), first + 1));
}

TEST(Engine, AFullContextEndsAfterItsLastPosition) {
    // 10 + 7 - 1 = 16 positions are computed, the token from the last of them is the seventh.
    const Outcome full = run_alone(request(some_prompt(10, 5), 50), {.context = 16});
    EXPECT_EQ(full.finish, FinishReason::context);
    EXPECT_EQ(full.tokens.size(), 7u);
    EXPECT_EQ(run_alone(request(some_prompt(16, 5), 50), {.context = 16}).tokens.size(), 1u);
    // When the length is reached with the same token, it is named.
    EXPECT_EQ(run_alone(request(some_prompt(10, 5), 7), {.context = 16}).finish,
              FinishReason::length);
}

TEST(Engine, LogitsWithNothingToChooseEndTheSequence) {
    for (float value :
         {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
        Bench bench({.sequences_max = 2});
        ASSERT_TRUE(bench.engine->add(request({1, 2, 3}, 10)));
        ASSERT_TRUE(bench.engine->add(request({4, 5}, 10, 3)));
        EXPECT_EQ(bench.step().size(), 2u);
        bench.model.poison(value);
        const std::vector<TokenEvent>& events = bench.step();
        ASSERT_EQ(events.size(), 2u);
        for (const TokenEvent& event : events) {
            EXPECT_EQ(event.token, kNoToken);
            EXPECT_EQ(event.finish, FinishReason::invalid_logits);
        }
        EXPECT_TRUE(bench.engine->idle());
    }
}

TEST(Engine, BadRequestsAreRefusedWithTheirCode) {
    Bench bench({.context = 100, .sequences_max = 2, .kv_bytes_max = 4 * 2 * 4096});
    ASSERT_EQ(bench.engine->kv_facts().pages_total, 4u);
    const auto code = [&](SequenceRequest r) {
        auto id = bench.engine->add(std::move(r));
        EXPECT_FALSE(id);
        bench.engine->check_invariants();
        return id ? base::ErrorCode::internal : id.error().code;
    };
    using base::ErrorCode;
    EXPECT_EQ(code(request({}, 5)), ErrorCode::invalid_argument);
    EXPECT_EQ(code(request({-1}, 5)), ErrorCode::invalid_argument);
    EXPECT_EQ(code(request({64}, 5)), ErrorCode::invalid_argument);
    EXPECT_EQ(code(request({1}, 0)), ErrorCode::invalid_argument);
    SequenceRequest hot = request({1}, 5);
    hot.sampling.temperature = -1;
    EXPECT_EQ(code(hot), ErrorCode::invalid_argument);
    SequenceRequest stops = request({1}, 5);
    stops.stop_tokens.assign(kStopTokensMax + 1, 0);
    EXPECT_EQ(code(stops), ErrorCode::invalid_argument);
    EXPECT_EQ(code(request(some_prompt(101, 1), 5)), ErrorCode::exhausted);
    // Three pages, then two more: one is left. Then a slot is free but no page, then no slot.
    ASSERT_TRUE(bench.engine->add(request(some_prompt(64, 1), 5)));
    EXPECT_EQ(code(request(some_prompt(30, 1), 5)), ErrorCode::exhausted);
    ASSERT_TRUE(bench.engine->add(request(some_prompt(30, 1), 3)));
    EXPECT_EQ(code(request({1}, 1)), ErrorCode::exhausted);
}

TEST(Engine, LimitsAreChecked) {
    FakeModel model({});
    const kernels::RowsVariant rows = FakeModel::rows();
    const auto code = [&](EngineLimits limits) {
        auto engine = Engine::create(model.config(), model, rows, limits);
        EXPECT_FALSE(engine);
        return engine ? base::ErrorCode::internal : engine.error().code;
    };
    using base::ErrorCode;
    const uint32_t t = model.tokens_max();
    EXPECT_EQ(code({.context = 257, .step_tokens_max = t}), ErrorCode::invalid_argument);
    EXPECT_EQ(code({.sequences_max = 0, .step_tokens_max = t}), ErrorCode::invalid_argument);
    EXPECT_EQ(code({.sequences_max = 5, .step_tokens_max = 4}), ErrorCode::invalid_argument);
    EXPECT_EQ(code({.step_tokens_max = t + 1}), ErrorCode::exhausted);
    EXPECT_EQ(code({.sequences_max = 17, .step_tokens_max = t}), ErrorCode::exhausted);
    EXPECT_EQ(code({.step_tokens_max = t, .kv_bytes_max = 10}), ErrorCode::exhausted);
    auto fits = Engine::create(model.config(), model, rows, {.step_tokens_max = t});
    ASSERT_TRUE(fits);
    EXPECT_EQ((*fits)->limits().context, 256u);
}

TEST(Engine, RunMayBeRepeated) {
    Bench bench({.step_tokens_max = 32});
    const SequenceRequest r = request(some_prompt(50, 8), 10, 2);
    ASSERT_TRUE(bench.engine->add(r));
    Outcome outcome;
    while (!bench.engine->idle()) {
        const StepPlan plan = bench.engine->schedule();
        bench.engine->run(plan);
        bench.engine->check_invariants();
        bench.engine->apply(plan, bench.engine->run(plan), bench.events);
        for (const TokenEvent& event : bench.events) {
            outcome.tokens.push_back(event.token);
            outcome.finish = event.finish;
        }
    }
    EXPECT_EQ(outcome, run_alone(r, {.step_tokens_max = 32}));
}

TEST(Engine, CancelAtEveryPointFreesEverything) {
    for (int cancel_step = 0; cancel_step < 14; ++cancel_step) {
        for (bool between_run_and_apply : {false, true}) {
            SCOPED_TRACE(cancel_step);
            Bench bench({.sequences_max = 3, .step_tokens_max = 16});
            const SequenceRequest other = request(some_prompt(30, 2), 10, 5);
            const SequenceId kept = bench.engine->add(other).value();
            const SequenceId victim = bench.engine->add(request(some_prompt(40, 3), 20)).value();
            std::vector<int32_t> tokens;
            for (int i = 0; !bench.engine->idle(); ++i) {
                if (i == cancel_step && !between_run_and_apply) {
                    ASSERT_TRUE(bench.engine->cancel(victim));
                    bench.engine->check_invariants();
                }
                const StepPlan plan = bench.engine->schedule();
                const StepResult result = bench.engine->run(plan);
                if (i == cancel_step && between_run_and_apply) {
                    ASSERT_TRUE(bench.engine->cancel(victim));
                    // The slot may even be taken again at once.
                    ASSERT_TRUE(bench.engine->add(request({1, 2, 3}, 2)));
                }
                bench.engine->apply(plan, result, bench.events);
                bench.engine->check_invariants();
                for (const TokenEvent& event : bench.events) {
                    if (event.sequence == kept) tokens.push_back(event.token);
                    EXPECT_TRUE(event.sequence != victim || i < cancel_step);
                }
            }
            EXPECT_EQ(tokens, run_alone(other, {.step_tokens_max = 16}).tokens);
            EXPECT_FALSE(bench.engine->cancel(victim));
            EXPECT_EQ(bench.engine->kv_facts().pages_reserved, 0u);
        }
    }
}

// Half of the prompts begin like others, up to some token.
std::vector<int32_t> prompt_with_family(base::Random& random, uint32_t length, uint32_t vocab) {
    std::vector<int32_t> prompt = some_prompt(length, random.next_u64(), vocab);
    if (random.next_below(2) == 0) return prompt;
    const std::vector<int32_t> family = some_prompt(length, 1000 + random.next_below(3), vocab);
    std::copy_n(family.begin(), random.next_below(length + 1), prompt.begin());
    return prompt;
}

struct Encounters {
    uint64_t reused = 0;    // tokens that came out of the prefix cache
    uint64_t rejected = 0;  // drafts
    uint64_t accepted = 0;

    void count(const StepPlan& plan, uint64_t events) {
        for (const PlannedSlice& slice : plan.slices) events -= slice.wants_logits ? 1 : 0;
        accepted += events;
        rejected += plan.drafts.size() - events;
    }
};

// One simulated life from a seed: random arrivals, lengths, budgets, pools, cancels, and drafts.
void simulate(uint64_t seed, Encounters& met) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    base::Random random(seed);
    const auto below = [&](uint64_t n) { return static_cast<uint32_t>(random.next_below(n)); };
    FakeModelOptions options;
    if (below(2) == 0) options = few_words(1 + below(8));
    if (below(2) == 0) options.windows = {0, 20 + below(60)};
    EngineLimits limits;
    limits.drafts_max = options.drafts_max;
    limits.context = 60 + below(120);
    limits.sequences_max = 1 + below(8);
    limits.step_tokens_max = limits.sequences_max + below(50);
    const uint64_t page_bytes = 2 * 2 * 2 * kernels::kPageTokens * 16 * 2;
    // Often too little for all slots at once.
    if (below(3) > 0) limits.kv_bytes_max = page_bytes * options.windows.size() * (6 + below(20));
    Bench bench(limits, options);

    std::map<SequenceId, SequenceRequest> requests;
    std::map<SequenceId, Outcome> outcomes;
    int arrivals = 12;
    for (int step = 0; arrivals > 0 || !bench.engine->idle(); ++step) {
        ASSERT_LT(step, 5000) << "the simulation does not end";
        while (arrivals > 0 && below(3) == 0) {
            SequenceRequest r =
                request(prompt_with_family(random, 1 + below(limits.context), options.vocab),
                        1 + below(40), below(2) * random.next_u64());
            if (options.vocab == 64 || below(4) == 0) {
                r.stop_tokens = {static_cast<int32_t>(below(options.vocab))};
            }
            auto id = bench.engine->add(r);
            bench.engine->check_invariants();
            if (!id) {
                ASSERT_EQ(id.error().code, base::ErrorCode::exhausted);
                if (bench.engine->idle()) --arrivals;  // it can never fit
                break;
            }
            met.reused += bench.engine->reused_tokens(*id);
            requests[*id] = r;
            --arrivals;
        }
        if (below(60) == 0) bench.engine->forget_prefixes();
        if (!bench.engine->idle() && below(25) == 0) {
            const StepPlan plan = bench.engine->schedule();
            const SequenceId id = plan.slices[below(plan.slices.size())].sequence;
            ASSERT_TRUE(bench.engine->cancel(id));
            requests.erase(id);
            bench.engine->check_invariants();
        }
        const StepPlan plan = bench.engine->schedule(below(5) > 0);
        ASSERT_LE(plan.tokens, limits.step_tokens_max);
        ASSERT_EQ(plan.empty(), bench.engine->idle());
        bench.engine->apply(plan, bench.engine->run(plan), bench.events);
        bench.engine->check_invariants();
        met.count(plan, bench.events.size());
        for (const TokenEvent& event : bench.events) {
            Outcome& outcome = outcomes[event.sequence];
            ASSERT_EQ(outcome.finish, FinishReason::none);
            outcome.tokens.push_back(event.token);
            outcome.finish = event.finish;
        }
    }
    const KvPoolFacts facts = bench.engine->kv_facts();
    EXPECT_EQ(facts.pages_free, facts.pages_total);
    EXPECT_EQ(facts.pages_reserved, 0u);
    for (const auto& [id, r] : requests) {
        EXPECT_EQ(outcomes[id], run_alone(r, limits, options)) << "sequence " << id;
    }
}

TEST(EngineSimulation, BatchEqualsSoloFromManySeeds) {
    Encounters met;
    for (uint64_t seed = 1; seed <= 100; ++seed) simulate(seed, met);
    EXPECT_GT(met.reused, 500u) << "the simulation no longer meets the prefix cache";
    EXPECT_GT(met.accepted, 500u) << "the simulation no longer meets right drafts";
    EXPECT_GT(met.rejected, 500u) << "the simulation no longer meets wrong drafts";
}

// The request on an engine that drafts; `steps` it took.
Outcome run_drafting(const SequenceRequest& r, EngineLimits limits, const FakeModelOptions& options,
                     uint64_t* steps = nullptr) {
    limits.drafts_max = options.drafts_max;
    Bench bench(limits, options);
    EXPECT_TRUE(bench.engine->add(r));
    Outcome outcome;
    while (!bench.engine->idle()) {
        for (const TokenEvent& event : bench.step()) {
            EXPECT_EQ(outcome.finish, FinishReason::none) << "a token behind the last one";
            outcome.tokens.push_back(event.token);
            outcome.finish = event.finish;
        }
    }
    if (steps != nullptr) *steps = bench.model.steps();
    return outcome;
}

TEST(Engine, DraftsChangeTheStepsAndNoToken) {
    for (const std::vector<uint32_t>& windows : {std::vector<uint32_t>{0}, {0, 40}}) {
        for (const uint64_t seed : {0u, 7u, 8u}) {
            for (const uint32_t drafts : {1u, 4u, 16u}) {
                const SequenceRequest r = request(some_prompt(50, 3, kFewWords), 90, seed);
                const FakeModelOptions options = few_words(drafts, windows);
                uint64_t steps = 0;
                const Outcome outcome = run_drafting(r, {.step_tokens_max = 64}, options, &steps);
                EXPECT_EQ(outcome, run_alone(r, {.step_tokens_max = 64}, options));
                EXPECT_EQ(outcome.tokens.size(), 90u);
                EXPECT_LT(steps, 80u) << "no draft was right";
            }
        }
    }
}

TEST(Engine, TheEndComesInTheMiddleOfAcceptedDrafts) {
    const FakeModelOptions options = few_words(6);
    const SequenceRequest r = request(some_prompt(50, 3, kFewWords), 60);
    const EngineLimits limits{.step_tokens_max = 64};
    const Outcome whole = run_drafting(r, limits, options);
    for (uint32_t length = 1; length <= 60; ++length) {
        SequenceRequest shorter = r;
        shorter.output_tokens_max = length;
        const Outcome by_length = run_drafting(shorter, limits, options);
        EXPECT_EQ(by_length.finish, FinishReason::length);
        EXPECT_EQ(by_length.tokens,
                  std::vector<int32_t>(whole.tokens.begin(), whole.tokens.begin() + length));
        // 50 + length - 1 positions.
        EngineLimits narrow = limits;
        narrow.context = 49 + length;
        SequenceRequest longer = r;
        longer.output_tokens_max = 100;
        const Outcome by_context = run_drafting(longer, narrow, options);
        EXPECT_EQ(by_context.finish, FinishReason::context);
        EXPECT_EQ(by_context.tokens, by_length.tokens);
    }
    for (int32_t stop = 0; stop < static_cast<int32_t>(kFewWords); ++stop) {
        SequenceRequest stopping = r;
        stopping.stop_tokens = {stop};
        EXPECT_EQ(run_drafting(stopping, limits, options), run_alone(stopping, limits, options));
    }
}

TEST(Engine, DraftsTakeOnlyWhatAStepHasLeft) {
    Bench bench({.sequences_max = 2, .step_tokens_max = 8, .drafts_max = 4}, few_words(4));
    const std::vector<int32_t> prompt = {0, 1, 2, 0, 1, 2, 0};
    SequenceRequest r = request(prompt, 50);
    // It says 1 for ever.
    r.sampling.logit_bias = {{1, 100.0f}};
    ASSERT_TRUE(bench.engine->add(r));
    EXPECT_EQ(bench.step().size(), 1u);
    EXPECT_EQ(to_string(bench.engine->schedule()), "mixed, 5 tokens: #1@7+1*~4");
    EXPECT_EQ(to_string(bench.engine->schedule(false)), "decode, 1 tokens: #1@7+1*");
    StepPlan plan = bench.engine->schedule();
    EXPECT_EQ(plan.drafts, (std::vector<int32_t>{2, 0, 1, 2}));
    EXPECT_EQ(bench.engine->shape_of(plan).outputs, 5u);
    EXPECT_EQ(bench.step().size(), 1u) << "the first draft was wrong";
    // A prompt goes before drafts.
    ASSERT_TRUE(bench.engine->add(request(some_prompt(9, 1, kFewWords), 3)));
    EXPECT_EQ(to_string(bench.engine->schedule()), "mixed, 8 tokens: #1@8+1* #2@0+7");
    bench.step();
    EXPECT_EQ(to_string(bench.engine->schedule()), "mixed, 7 tokens: #1@9+1*~4 #2@7+2*");
    while (bench.engine->sequences_running() == 2) bench.step();
    EXPECT_EQ(bench.step().size(), 5u) << "four drafts and one more";
}

TEST(Engine, ARunWithDraftsCanBeRepeatedAndCancelled) {
    Bench bench({.sequences_max = 2, .step_tokens_max = 32, .drafts_max = 4}, few_words(4));
    const SequenceRequest r = request(some_prompt(40, 3, kFewWords), 40, 9);
    const SequenceId victim = bench.engine->add(r).value();
    const SequenceId kept = bench.engine->add(r).value();
    Outcome outcome;
    for (int i = 0; !bench.engine->idle(); ++i) {
        const StepPlan plan = bench.engine->schedule();
        bench.engine->run(plan);
        const StepResult result = bench.engine->run(plan);
        if (i == 9) {
            ASSERT_TRUE(bench.engine->cancel(victim));
        }
        bench.engine->apply(plan, result, bench.events);
        bench.engine->check_invariants();
        for (const TokenEvent& event : bench.events) {
            if (event.sequence != kept) continue;
            outcome.tokens.push_back(event.token);
            outcome.finish = event.finish;
        }
    }
    EXPECT_EQ(outcome, run_alone(r, {.step_tokens_max = 32}, few_words(0)));
}

TEST(Engine, TooManyDraftsAreRefused) {
    FakeModel model(few_words(16));
    const auto rows = FakeModel::rows();
    auto engine = Engine::create(model.config(), model, rows, {.drafts_max = 17});
    ASSERT_FALSE(engine);
    EXPECT_EQ(engine.error().code, base::ErrorCode::invalid_argument);
    FakeModel narrow(FakeModelOptions{.outputs_max = 4});
    engine = Engine::create(narrow.config(), narrow, rows, {.drafts_max = 4});
    ASSERT_FALSE(engine);
    EXPECT_EQ(engine.error().code, base::ErrorCode::exhausted);
    EXPECT_EQ(outputs_at_most({.sequences_max = 3, .step_tokens_max = 256, .drafts_max = 4}), 15u);
    EXPECT_EQ(outputs_at_most({.sequences_max = 3, .step_tokens_max = 8, .drafts_max = 4}), 8u);
}

TEST(Engine, ALaterPromptTakesTheBeginningItShares) {
    Bench bench({.step_tokens_max = 64});
    std::vector<int32_t> first = some_prompt(100, 9);
    std::vector<int32_t> second = first;
    second[70] ^= 1;
    const auto run = [&](const std::vector<int32_t>& prompt) {
        const SequenceId id = bench.engine->add(request(prompt, 3)).value();
        const uint32_t reused = bench.engine->reused_tokens(id);
        while (!bench.engine->idle()) bench.step();
        return reused;
    };
    EXPECT_EQ(run(first), 0u);
    EXPECT_EQ(bench.engine->kv_facts().pages_cached, 3u);
    const uint64_t before = bench.model.tokens_run();
    EXPECT_EQ(run(second), 64u) << "two whole pages come before the difference";
    EXPECT_EQ(bench.model.tokens_run() - before, 100u + 2 - 64);
    EXPECT_EQ(run(first), 96u);
    first.resize(64);
    EXPECT_EQ(run(first), 32u) << "the last token is always computed";
    bench.engine->forget_prefixes();
    EXPECT_EQ(bench.engine->kv_facts().pages_cached, 0u);
    EXPECT_EQ(run(second), 0u);
}

TEST(Engine, WithoutPrefixCacheNothingIsKept) {
    Bench bench({.prefix_cache = false});
    for (int i = 0; i < 2; ++i) {
        const SequenceId id = bench.engine->add(request(some_prompt(100, 9), 3)).value();
        EXPECT_EQ(bench.engine->reused_tokens(id), 0u);
        while (!bench.engine->idle()) bench.step();
    }
    EXPECT_EQ(bench.engine->kv_facts().pages_cached, 0u);
}

TEST(Engine, ReusedPagesGiveTheSameTokens) {
    for (const std::vector<uint32_t>& windows : {std::vector<uint32_t>{0}, {0, 40}, {0, 100}}) {
        FakeModelOptions options;
        options.windows = windows;
        const SequenceRequest r = request(some_prompt(150, 8), 20, 5);
        Bench bench({.step_tokens_max = 48}, options);
        std::vector<Outcome> outcomes(2);
        for (Outcome& outcome : outcomes) {
            ASSERT_TRUE(bench.engine->add(r));
            while (!bench.engine->idle()) {
                for (const TokenEvent& event : bench.step()) {
                    outcome.tokens.push_back(event.token);
                    outcome.finish = event.finish;
                }
            }
        }
        EXPECT_EQ(outcomes[0], outcomes[1]);
    }
}

TEST(Engine, WindowedGroupsHoldFewerPages) {
    FakeModelOptions options;
    options.windows = {0, 40};
    Bench bench({.step_tokens_max = 32}, options);
    ASSERT_TRUE(bench.engine->add(request(some_prompt(200, 6), 20)));
    uint32_t windowed_held_max = 0;
    while (!bench.engine->idle()) {
        bench.step();
        const KvPoolFacts facts = bench.engine->kv_facts();
        windowed_held_max =
            std::max(windowed_held_max, facts.groups[1].pages_total - facts.groups[1].pages_free);
    }
    // 39 + 32 visible positions touch at most 4 pages; after apply at most 3 stay.
    EXPECT_EQ(bench.engine->kv_facts().groups[1].pages_total, 4u);
    EXPECT_LE(windowed_held_max, 3u);
    EXPECT_GE(windowed_held_max, 2u);
}

TEST(EngineDeathTest, AStalePlanIsABug) {
    Bench bench({});
    const SequenceId id = bench.engine->add(request({1, 2}, 3)).value();
    const StepPlan plan = bench.engine->schedule();
    ASSERT_TRUE(bench.engine->cancel(id));
    EXPECT_DEATH(bench.engine->run(plan), "sequence");
}

TEST(Engine, TokensAndReasonsCanBeRead) {
    Bench bench({});
    const SequenceId id = bench.engine->add(request({1, 2}, 3)).value();
    bench.step();
    ASSERT_NE(bench.engine->tokens(id), nullptr);
    EXPECT_EQ(bench.engine->tokens(id)->size(), 3u);
    EXPECT_EQ(bench.engine->tokens(id + 1), nullptr);
    EXPECT_STREQ(finish_reason_name(FinishReason::stop_token), "stop_token");
    EXPECT_STREQ(finish_reason_name(FinishReason::invalid_logits), "invalid_logits");
}

}  // namespace
}  // namespace hone::runtime
