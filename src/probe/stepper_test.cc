#include "probe/stepper.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "probe/node_walk.h"
#include "probe/probe_fixture.h"
#include "probe/rate_tests.h"
#include "probe/roof_shares.h"
#include "probe/step_recorder.h"
#include "probe/synthetic_prompt.h"
#include "probe/timing_overhead.h"

namespace hone::probe {
namespace {

class StepperTest : public TinyModelTest {
  protected:
    static Stepper make(uint32_t sequences, uint32_t positions) {
        auto stepper =
            Stepper::create(session_->config(), session_->executor(), sequences, positions);
        EXPECT_TRUE(stepper);
        return std::move(*stepper);
    }
};

TEST_F(StepperTest, PrefillGoesInWholeStepsWithLogitsAtTheEnd) {
    Stepper stepper = make(1, 80);
    base::Random random(3);
    const auto tokens = random_tokens(random, session_->config().n_vocab, 70);
    stepper.prefill(0, tokens);
    EXPECT_EQ(stepper.position(0), 70u);
    // 32 + 32 + 6: only the last step computes logits.
    EXPECT_EQ(stepper.last_shape().tokens, 6u);
    EXPECT_EQ(stepper.last_shape().outputs, 1u);
    EXPECT_EQ(stepper.last_shape().positions_read, 70u);
    stepper.append(0, std::span(tokens).first(5), false);
    EXPECT_EQ(stepper.last_shape().outputs, 0u);
    EXPECT_EQ(stepper.position(0), 75u);
    stepper.clear();
    EXPECT_EQ(stepper.position(0), 0u);
}

TEST_F(StepperTest, DecodeStepsSomeOrAllSequences) {
    Stepper stepper = make(4, 16);
    base::Random random(3);
    stepper.decode(random_tokens(random, session_->config().n_vocab, 4));
    stepper.decode(random_tokens(random, session_->config().n_vocab, 2));
    EXPECT_EQ(stepper.position(0), 2u);
    EXPECT_EQ(stepper.position(1), 2u);
    EXPECT_EQ(stepper.position(3), 1u);
    EXPECT_EQ(stepper.last_shape().outputs, 2u);
    EXPECT_EQ(stepper.last_input().slices.size(), 2u);
}

// Together in shared steps gives each sequence what it gets alone, bit for bit.
TEST_F(StepperTest, PromptsTogetherAreAsAlone) {
    const uint32_t vocab = session_->config().n_vocab;
    base::Random random(3);
    const auto prompts = random_tokens(random, vocab, 3 * 25);
    Stepper alone = make(1, 32);
    std::vector<float> expected;
    for (size_t sequence = 0; sequence < 3; ++sequence) {
        alone.clear();
        alone.prefill(0, std::span(prompts).subspan(sequence * 25, 25));
        const auto logits = alone.executor().run(alone.last_input());
        expected.insert(expected.end(), logits.begin(), logits.end());
    }
    Stepper together = make(3, 32);
    together.prefill_together(prompts, 3);
    // 32 tokens of a step are 10 of each of three: 10 + 10 + 5.
    EXPECT_EQ(together.last_shape().tokens, 15u);
    for (uint32_t sequence = 0; sequence < 3; ++sequence) {
        EXPECT_EQ(together.position(sequence), 25u);
    }
    const auto logits = together.executor().run(together.last_input());
    ASSERT_EQ(logits.size(), expected.size());
    EXPECT_TRUE(std::equal(logits.begin(), logits.end(), expected.begin()));
}

// The pages that fall behind a window are still needed when the last step runs again.
TEST_F(StepperTest, StepsOfWindowedModelsRunAgain) {
    models::SynthSpec spec;
    spec.n_layers = 2;
    spec.n_embd = 64;
    spec.n_ff = 128;
    spec.sliding_window = 16;
    const std::string path = directory_ + "/windowed.gguf";
    ASSERT_TRUE(models::write_synth(spec, path));
    runtime::LoadOptions options;
    options.threads = 2;
    options.limits.context = 128;
    const auto session = runtime::Session::open(path, options, clock_);
    ASSERT_TRUE(session) << session.error().message;
    auto stepper = Stepper::create((*session)->config(), (*session)->executor(), 1, 100);
    ASSERT_TRUE(stepper);
    base::Random random(3);
    for (int i = 0; i < 100; ++i) {
        stepper->decode(random_tokens(random, (*session)->config().n_vocab, 1));
        const auto logits = stepper->last_logits();
        const std::vector<float> first(logits.begin(), logits.end());
        const auto again = stepper->executor().run(stepper->last_input());
        ASSERT_TRUE(std::equal(again.begin(), again.end(), first.begin(), first.end())) << i;
    }
}

TEST_F(StepperTest, RandomTokensAreInRangeAndRepeatable) {
    base::Random first(7);
    base::Random second(7);
    const auto a = random_tokens(first, 100, 1000);
    EXPECT_EQ(a, random_tokens(second, 100, 1000));
    EXPECT_GE(*std::min_element(a.begin(), a.end()), 0);
    EXPECT_LT(*std::max_element(a.begin(), a.end()), 100);
}

TEST_F(StepperTest, PromptsHaveTheExactTokenCount) {
    for (const int tokens : {1, 2, 7, 40, 100}) {
        const SyntheticPrompt prompt = make_prompt(session_->tokenizer(), tokens, 5);
        EXPECT_EQ(prompt.tokens, tokens);
        EXPECT_EQ(session_->tokenizer().encode(prompt.text).size(), static_cast<size_t>(tokens));
        EXPECT_EQ(make_prompt(session_->tokenizer(), tokens, 5).text, prompt.text);
    }
    EXPECT_NE(make_prompt(session_->tokenizer(), 40, 1).text,
              make_prompt(session_->tokenizer(), 40, 2).text);
}

TEST_F(StepperTest, TheRecorderCountsWhatTheStepsDid) {
    Stepper stepper = make(1, 16);
    StepRecorder recorder(session_->plan(), 2, clock_);
    base::Random random(1);
    for (int i = 0; i < 3; ++i) {
        stepper.decode(random_tokens(random, session_->config().n_vocab, 1), recorder.timer());
        recorder.record("decode", stepper.position(0) - 1, stepper.last_shape());
    }
    measure::RunRecord record;
    recorder.store(record);
    ASSERT_FALSE(record.operators.empty());
    double flops = 0;
    for (const measure::OperatorSample& sample : record.operators) {
        EXPECT_EQ(sample.calls, 3u);
        EXPECT_EQ(sample.slice, "decode");
        flops += sample.flops;
    }
    // At least two FLOP for each weight of the matrices, in three steps.
    EXPECT_GT(flops, 3 * 2.0 * 2 * 64 * 128 * 3);
    EXPECT_GT(record.forward_wall_ns, 0);
}

TEST_F(StepperTest, RoofSharesNeedTheRoofs) {
    cost::StepShape shape;
    shape.add_slice(0, 8);
    shape.outputs = 1;
    const graph::Plan& plan = session_->plan();
    const auto compute_ns = step_compute_ns(plan, shape, machine_);
    ASSERT_TRUE(compute_ns.has_value());
    EXPECT_GT(*compute_ns, 0);
    EXPECT_FALSE(step_compute_ns(plan, shape, {}).has_value());
    const auto reader = WeightReader::of_plan(session_->executor());
    ASSERT_TRUE(reader);
    EXPECT_GE(step_stream_bytes(plan, shape), static_cast<double>(reader->bytes()) * 0.9);
    cost::StepShape later;
    later.add_slice(100, 8);
    later.outputs = 1;
    EXPECT_GT(step_stream_bytes(plan, later), step_stream_bytes(plan, shape)) << "more KV";
}

TEST_F(StepperTest, RateTestsRepeatOnTheSameCaches) {
    RateOptions options;
    options.prompt_tokens = 40;
    options.output_tokens = 5;
    options.depth = 9;
    options.batch_max = 4;
    options.batch_steps = 3;
    auto tests =
        RateTests::create(session_->config(), session_->executor(), machine_, clock_, options);
    ASSERT_TRUE(tests);
    for (int i = 0; i < 2; ++i) {
        const auto prefill = tests->prefill({});
        ASSERT_TRUE(prefill);
        EXPECT_EQ(prefill->tokens, 40);
        EXPECT_GT(prefill->tokens_per_s(), 0);
        EXPECT_GT(prefill->compute_ns.value_or(0), 0);
        const auto decode = tests->decode({});
        ASSERT_TRUE(decode);
        EXPECT_EQ(decode->tokens, 5);
        const auto batch = tests->decode_batch(4, {});
        ASSERT_TRUE(batch);
        EXPECT_EQ(batch->tokens, 12);
        EXPECT_GT(decode->stream_bytes, batch->stream_bytes) << "5 steps read more than 3";
    }
}

TEST_F(StepperTest, TimingOverheadComparesPairs) {
    Stepper stepper = make(1, 32);
    const auto share = timing_overhead_share(stepper, clock_, 8, 12, {});
    ASSERT_TRUE(share);
    ASSERT_TRUE(share->has_value());
    EXPECT_GT(**share, -1.0);
    const base::VirtualClock stopped;
    const auto nothing = timing_overhead_share(stepper, stopped, 8, 4, {});
    ASSERT_TRUE(nothing);
    EXPECT_FALSE(nothing->has_value());
}

}  // namespace
}  // namespace hone::probe
