#include "runtime/generation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "models/synth_vocabulary.h"
#include "runtime/fake_model.h"
#include "text/detokenizer.h"

namespace hone::runtime {
namespace {

// Moves a microsecond whenever somebody looks at it.
class TickingClock final : public base::Clock {
  public:
    int64_t now_ns() const override { return now_ns_ += 1000; }

  private:
    mutable int64_t now_ns_ = 0;
};

// A model whose steps take time: for the weights, and for each token.
class TimedModel final : public StepRunner {
  public:
    TimedModel(FakeModel& model, int64_t step_ns, int64_t token_ns)
        : model_(model), step_ns_(step_ns), token_ns_(token_ns) {}

    std::span<const float> run(const graph::StepInput& input, measure::StepTimer* timer) override {
        clock_.now += step_ns_ + token_ns_ * static_cast<int64_t>(input.tokens.size());
        return model_.run(input, timer);
    }
    uint32_t tokens_max() const override { return model_.tokens_max(); }
    uint32_t outputs_max() const override { return model_.outputs_max(); }
    uint32_t vocab() const override { return model_.vocab(); }
    const base::Clock& clock() const { return clock_; }

  private:
    struct StepClock final : base::Clock {
        int64_t now_ns() const override { return now; }
        int64_t now = 0;
    };
    FakeModel& model_;
    int64_t step_ns_;
    int64_t token_ns_;
    StepClock clock_;
};

text::Tokenizer synth_tokenizer() {
    auto synth = models::make_synth_vocabulary(400);
    EXPECT_TRUE(synth);
    text::VocabularyData data;
    data.model = "gpt2";
    data.pre = "smollm";
    data.tokens = synth->tokens;
    data.types = synth->types;
    data.merges = synth->merges;
    data.bos_id = static_cast<int32_t>(synth->bos_id);
    data.eos_id = static_cast<int32_t>(synth->eos_id);
    data.unk_id = static_cast<int32_t>(synth->unknown_id);
    auto tokenizer = text::Tokenizer::create(std::move(data));
    EXPECT_TRUE(tokenizer) << tokenizer.error().message;
    return std::move(*tokenizer);
}

class GenerationTest : public ::testing::Test {
  protected:
    GenerationTest()
        : tokenizer_(synth_tokenizer()),
          model_({.vocab = static_cast<uint32_t>(tokenizer_.vocab_size())}),
          rows_(FakeModel::rows()) {
        auto engine = Engine::create(model_.config(), model_, rows_, {.step_tokens_max = 16});
        EXPECT_TRUE(engine) << engine.error().message;
        engine_ = std::move(*engine);
        generator_.emplace(*engine_, tokenizer_, clock_);
    }

    GenerationOutcome run(const GenerationRequest& request, const TextSink& sink = {},
                          const std::atomic<bool>* cancel = nullptr) {
        auto outcome = generator_->generate(request, sink, cancel);
        EXPECT_TRUE(outcome) << outcome.error().message;
        engine_->check_invariants();
        EXPECT_TRUE(engine_->idle());
        return std::move(*outcome);
    }

    // Without end tokens, so that the length is known.
    static GenerationRequest endless(uint32_t n_tokens) {
        GenerationRequest request;
        request.prompt = "the rain in the north";
        request.output_tokens_max = n_tokens;
        request.ends_at_end_of_generation = false;
        return request;
    }

    // Only three tokens and the end are ever said, so that some drafts are right.
    GenerationRequest repetitive(uint64_t seed) {
        GenerationRequest request;
        request.prompt_tokens = tokenizer_.encode("red red blue red red blue red");
        request.output_tokens_max = 120;
        request.sampling.logit_bias = {{'a', 100.0F}, {'b', 100.0F}, {'c', 100.0F}};
        if (seed != 0) {
            request.sampling.temperature = 1.5F;
            request.sampling.repetition_penalty = 1.3F;
            request.sampling.seed = seed;
            request.sampling.logit_bias.emplace_back(tokenizer_.eos(), 94.0F);
        }
        return request;
    }

    // The request on an engine that drafts.
    GenerationOutcome run_drafting(const GenerationRequest& request) {
        FakeModel model({.vocab = static_cast<uint32_t>(tokenizer_.vocab_size()), .drafts_max = 4});
        auto engine =
            Engine::create(model.config(), model, rows_, {.step_tokens_max = 16, .drafts_max = 4});
        EXPECT_TRUE(engine) << engine.error().message;
        TextGenerator generator(**engine, tokenizer_, clock_);
        std::string pieces;
        auto outcome = generator.generate(request, [&](std::string_view p) { pieces += p; });
        EXPECT_TRUE(outcome) << outcome.error().message;
        EXPECT_TRUE((*engine)->idle());
        EXPECT_EQ(pieces, outcome->text);
        return std::move(*outcome);
    }

    void expect_same(const GenerationOutcome& a, const GenerationOutcome& b) {
        EXPECT_EQ(a.tokens, b.tokens);
        EXPECT_EQ(a.text, b.text);
        EXPECT_EQ(a.finish, b.finish);
        EXPECT_EQ(a.stop_string, b.stop_string);
        EXPECT_EQ(a.sample.output_tokens, b.sample.output_tokens);
        ASSERT_EQ(a.logprobs.size(), b.logprobs.size());
        for (size_t i = 0; i < a.logprobs.size(); ++i) {
            EXPECT_EQ(a.logprobs[i].front().token, b.logprobs[i].front().token);
            EXPECT_EQ(a.logprobs[i].front().logprob, b.logprobs[i].front().logprob);
        }
    }

    TickingClock clock_;
    text::Tokenizer tokenizer_;
    FakeModel model_;
    kernels::RowsVariant rows_;
    std::unique_ptr<Engine> engine_;
    std::optional<TextGenerator> generator_;
};

TEST_F(GenerationTest, PiecesAreTheText) {
    std::string pieces;
    const GenerationOutcome outcome =
        run(endless(60), [&](std::string_view piece) { pieces += piece; });
    EXPECT_EQ(outcome.finish, FinishReason::length);
    EXPECT_EQ(outcome.tokens.size(), 60u);
    EXPECT_EQ(pieces, outcome.text);
    text::StreamingDetokenizer all(tokenizer_);
    std::string expected;
    for (int32_t token : outcome.tokens) expected += all.push(token);
    EXPECT_EQ(outcome.text, expected + all.flush());
    EXPECT_EQ(run(endless(60)).text, outcome.text);
}

TEST_F(GenerationTest, TokensAreTakenAsTheyAre) {
    GenerationRequest by_text = endless(10);
    GenerationRequest by_tokens = endless(10);
    by_tokens.prompt_tokens = tokenizer_.encode(by_text.prompt);
    by_tokens.prompt = "something else";
    const GenerationOutcome a = run(by_text);
    const GenerationOutcome b = run(by_tokens);
    EXPECT_EQ(a.tokens, b.tokens);
    EXPECT_EQ(a.sample.prompt_tokens, b.sample.prompt_tokens);
    EXPECT_EQ(a.sample.stage_ns.count("tokenize"), 1u);
    EXPECT_EQ(b.sample.stage_ns.count("tokenize"), 0u);
}

TEST_F(GenerationTest, AStopStringEndsBeforeItself) {
    const std::string whole = run(endless(80)).text;
    ASSERT_GT(whole.size(), 30u);
    // Cut at a character, wherever the pieces' borders are.
    size_t at = 15;
    while (at < whole.size() && (whole[at] & 0xc0) == 0x80) ++at;
    size_t end = at + 4;
    while (end < whole.size() && (whole[end] & 0xc0) == 0x80) ++end;
    GenerationRequest request = endless(80);
    request.stop_strings = {whole.substr(at, end - at), "never comes"};
    std::string pieces;
    const GenerationOutcome outcome = run(request, [&](std::string_view p) { pieces += p; });
    EXPECT_EQ(outcome.finish, FinishReason::stop_string);
    EXPECT_EQ(outcome.stop_string, request.stop_strings[0]);
    EXPECT_EQ(outcome.text, whole.substr(0, whole.find(request.stop_strings[0])));
    EXPECT_EQ(pieces, outcome.text);
    EXPECT_LT(outcome.tokens.size(), 80u);
}

TEST_F(GenerationTest, TextHeldForAStopStringComesOutAtTheEnd) {
    const GenerationOutcome whole = run(endless(12));
    GenerationRequest request = endless(12);
    request.stop_strings = {whole.text.substr(whole.text.size() - 3) + "and more"};
    EXPECT_EQ(run(request).text, whole.text);
}

TEST_F(GenerationTest, TheEndTokenIsNotSaid) {
    GenerationRequest request = endless(10);
    request.show_special = true;
    request.sampling.logit_bias = {{tokenizer_.eos(), 1000.0f}};
    const GenerationOutcome said = run(request);
    EXPECT_EQ(said.finish, FinishReason::length);
    EXPECT_FALSE(said.text.empty());
    request.ends_at_end_of_generation = true;
    const GenerationOutcome ended = run(request);
    EXPECT_EQ(ended.finish, FinishReason::stop_token);
    EXPECT_EQ(ended.tokens, std::vector<int32_t>{tokenizer_.eos()});
    EXPECT_EQ(ended.text, "");
    EXPECT_EQ(ended.sample.ttft_ns, ended.sample.total_ns);
}

TEST_F(GenerationTest, CancelStopsWithWhatThereIs) {
    std::atomic<bool> cancel = false;
    int pieces = 0;
    const GenerationOutcome outcome = run(
        endless(200),
        [&](std::string_view) {
            if (++pieces == 3) cancel = true;
        },
        &cancel);
    EXPECT_EQ(outcome.finish, FinishReason::cancelled);
    EXPECT_FALSE(outcome.text.empty());
    EXPECT_LT(outcome.tokens.size(), 200u);
    cancel = true;
    EXPECT_TRUE(run(endless(5), {}, &cancel).tokens.empty());
}

TEST_F(GenerationTest, EveryStageIsOnTheTimeLine) {
    const GenerationOutcome outcome = run(endless(20));
    const measure::RequestSample& sample = outcome.sample;
    double sum = 0;
    for (const char* stage : {"tokenize", "prefill", "decode", "sample", "detokenize", "stream"}) {
        ASSERT_EQ(sample.stage_ns.count(stage), 1u) << stage;
        EXPECT_GT(sample.stage_ns.at(stage), 0) << stage;
        sum += sample.stage_ns.at(stage);
    }
    EXPECT_LE(sum, sample.total_ns);
    EXPECT_EQ(sample.output_tokens, 20);
    ASSERT_EQ(sample.token_gap_ns.size(), 19u);
    EXPECT_GT(sample.ttft_ns, sample.stage_ns.at("prefill"));
    const double gaps =
        std::accumulate(sample.token_gap_ns.begin(), sample.token_gap_ns.end(), 0.0);
    EXPECT_LT(gaps, sample.total_ns);
}

TEST_F(GenerationTest, BadLogitsEndTheRequest) {
    model_.poison(std::numeric_limits<float>::quiet_NaN());
    const GenerationOutcome outcome = run(endless(5));
    EXPECT_EQ(outcome.finish, FinishReason::invalid_logits);
    EXPECT_TRUE(outcome.tokens.empty());
    EXPECT_EQ(outcome.text, "");
}

TEST_F(GenerationTest, BadRequestsAreErrors) {
    GenerationRequest empty;
    empty.encode.add_bos = false;
    auto outcome = generator_->generate(empty);
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, base::ErrorCode::invalid_argument);
    GenerationRequest stops = endless(5);
    stops.stop_strings = {""};
    EXPECT_FALSE(generator_->generate(stops));
    GenerationRequest longer = endless(5);
    longer.prompt.assign(100000, 'x');
    outcome = generator_->generate(longer);
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, base::ErrorCode::exhausted);
    EXPECT_TRUE(engine_->idle());
}

TEST_F(GenerationTest, DraftsGiveTheSameTextInFewerSteps) {
    std::set<FinishReason> ends;
    for (uint64_t seed = 0; seed < 12; ++seed) {
        GenerationRequest request = repetitive(seed);
        request.logprobs = 2;
        const GenerationOutcome drafted = run_drafting(request);
        const GenerationOutcome plain = run(request);
        expect_same(drafted, plain);
        EXPECT_EQ(drafted.logprobs.size(), drafted.tokens.size());
        ends.insert(drafted.finish);
        EXPECT_FALSE(plain.drafts);
        ASSERT_TRUE(drafted.drafts);
        // The first token comes from the prompt's step.
        EXPECT_EQ(drafted.drafts->tokens + 1, drafted.tokens.size());
        EXPECT_EQ(drafted.drafts->steps + drafted.drafts->accepted, drafted.drafts->tokens);
        if (drafted.tokens.size() < 100) continue;
        EXPECT_GT(drafted.drafts->accepted, 10u);
        EXPECT_GT(drafted.drafts->drafted, drafted.drafts->accepted);
    }
    EXPECT_EQ(ends.size(), 2u) << "some end by length, some by the end token";
}

TEST_F(GenerationTest, AStopStringInTheMiddleOfDraftsEndsThere) {
    const GenerationRequest request = repetitive(0);
    const std::string whole = run(request).text;
    std::set<std::string> seen;
    for (size_t at = 0; at + 4 < whole.size(); ++at) {
        GenerationRequest stopping = request;
        stopping.stop_strings = {whole.substr(at, 4)};
        stopping.logprobs = 1;
        if (!seen.insert(stopping.stop_strings.front()).second) continue;
        const GenerationOutcome drafted = run_drafting(stopping);
        expect_same(drafted, run(stopping));
        EXPECT_EQ(drafted.finish, FinishReason::stop_string);
    }
    EXPECT_GT(seen.size(), 20u);
}

// The same request: what differs is whether a step costs by its weights or by its tokens.
TEST_F(GenerationTest, DraftsPauseWhereTheClockSaysSo) {
    const auto drafted_steps = [&](int64_t step_ns, int64_t token_ns) {
        FakeModel model({.vocab = static_cast<uint32_t>(tokenizer_.vocab_size()),
                         .context_max = 1024,
                         .drafts_max = 4});
        TimedModel timed(model, step_ns, token_ns);
        auto engine =
            Engine::create(model.config(), timed, rows_, {.step_tokens_max = 16, .drafts_max = 4});
        EXPECT_TRUE(engine) << engine.error().message;
        TextGenerator generator(**engine, tokenizer_, timed.clock());
        GenerationRequest request = repetitive(0);
        request.output_tokens_max = 600;
        const auto outcome = generator.generate(request);
        EXPECT_TRUE(outcome) << outcome.error().message;
        const DraftCounts& counts = *outcome->drafts;
        return static_cast<double>(counts.drafted_steps) / static_cast<double>(counts.steps);
    };
    EXPECT_GT(drafted_steps(1'000'000, 1'000), 0.6);
    EXPECT_LT(drafted_steps(1'000, 1'000'000), 0.2);
}

TEST(TopLogprobs, AreSortedNormalizedAndSkipNan) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const std::vector<float> logits{1.0F, nan, 3.0F, 3.0F, -std::numeric_limits<float>::infinity()};
    const auto top = top_logprobs(logits, 3);
    ASSERT_EQ(top.size(), 3u);
    EXPECT_EQ(top[0].token, 2);
    EXPECT_EQ(top[1].token, 3);
    EXPECT_EQ(top[2].token, 0);
    EXPECT_NEAR(top[0].logprob, -std::log(2 + std::exp(-2.0)), 1e-12);
    EXPECT_NEAR(top[0].logprob - top[2].logprob, 2.0, 1e-12);
    EXPECT_EQ(top_logprobs(logits, 99).size(), 4u);
    EXPECT_TRUE(top_logprobs(std::vector<float>{nan}, 2).empty());
}

TEST_F(GenerationTest, LogprobsComeForEveryTokenAndGreedyTakesTheFirst) {
    GenerationRequest request;
    request.prompt = "abc";
    request.output_tokens_max = 6;
    request.ends_at_end_of_generation = false;
    request.logprobs = 4;
    const GenerationOutcome outcome = run(request);
    ASSERT_EQ(outcome.logprobs.size(), outcome.tokens.size());
    for (size_t i = 0; i < outcome.tokens.size(); ++i) {
        ASSERT_EQ(outcome.logprobs[i].size(), 4u);
        EXPECT_EQ(outcome.logprobs[i][0].token, outcome.tokens[i]);
    }
    request.logprobs = 0;
    EXPECT_TRUE(run(request).logprobs.empty());
}

}  // namespace
}  // namespace hone::runtime
