#include "probe/ab.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/text.h"
#include "measure/sequential.h"
#include "models/model.h"
#include "models/synth.h"
#include "probe/ab_quality.h"
#include "probe/probe_fixture.h"

namespace hone::probe {
namespace {

using measure::Verdict;

class AbTest : public TinyModelTest {
  protected:
    static AbOptions small() {
        AbOptions options;
        options.prompt_tokens = 8;
        options.output_tokens = 4;
        options.quality_positions = 40;
        options.budget_s = 0.2;
        return options;
    }
    base::VirtualClock ticking_{10'000};
};

TEST_F(AbTest, IdenticalSidesAreWithinNoiseAndAlike) {
    const AbSide side{*session_};
    const auto result = run_ab(side, side, small(), ticking_);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->ended, "decided");
    ASSERT_EQ(result->metrics.size(), 4u);
    for (const auto& metric : result->metrics) {
        EXPECT_EQ(metric.verdict, Verdict::within_noise) << metric.name;
        EXPECT_GE(metric.n, 6u);
        EXPECT_EQ(*metric.change_percent, 0) << metric.name;
        EXPECT_GT(*metric.a, 0);
    }
    ASSERT_TRUE(result->quality.has_value());
    EXPECT_EQ(result->quality->kl_mean, 0);
    EXPECT_EQ(result->quality->kl_max, 0);
    EXPECT_EQ(result->quality->same_top, result->quality->n);
    EXPECT_EQ(result->quality->n, 40u);
    EXPECT_EQ(result->quality->verdict, Verdict::within_noise);
    EXPECT_GT(result->quality->nll_a, 0);
}

TEST_F(AbTest, ADelayIsFoundInEveryMetric) {
    AbOptions options = small();
    options.quality_positions = 0;
    AbSide slow{*session_};
    slow.delay_share = 3;
    const auto result = run_ab({*session_}, slow, options, ticking_);
    ASSERT_TRUE(result) << result.error().message;
    for (const auto& metric : result->metrics) {
        EXPECT_EQ(metric.verdict, Verdict::regressed) << metric.name;
        EXPECT_LT(metric.ci95->low, *metric.change_percent + 1e-9);
    }
    EXPECT_FALSE(result->quality.has_value());
    EXPECT_TRUE(result->regressed());
}

TEST_F(AbTest, AnotherThreadCountAndBatchKeepTheLogits) {
    runtime::LoadOptions load = session_->options();
    load.threads = 1;
    const auto other = runtime::Session::open(directory_ + "/tiny.gguf", load, clock_);
    ASSERT_TRUE(other) << other.error().message;
    AbOptions options = small();
    options.metrics = {"decode_tokens_per_s"};
    AbSide batched{**other};
    batched.batch = 4;
    const auto result = run_ab({*session_}, batched, options, ticking_);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->quality->kl_mean, 0);
    // Looking at the clock is all that takes time here: four sequences for the price of one.
    EXPECT_EQ(result->metrics[0].verdict, Verdict::improved);
}

TEST_F(AbTest, AnotherModelIsNotAlike) {
    models::SynthSpec spec;
    spec.n_layers = 2;
    spec.n_embd = 64;
    spec.n_ff = 128;
    spec.n_ctx = 256;
    spec.seed = 99;
    ASSERT_TRUE(models::write_synth(spec, directory_ + "/other.gguf"));
    const auto other =
        runtime::Session::open(directory_ + "/other.gguf", session_->options(), clock_);
    ASSERT_TRUE(other) << other.error().message;
    AbOptions options = small();
    options.metrics = {"ttft_ms"};
    const auto result = run_ab({*session_}, {**other}, options, ticking_);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_GT(result->quality->kl_mean, 0);
    EXPECT_GE(result->quality->kl_max, result->quality->kl_mean);
}

// Steps of many rows see what steps of one see, and a text longer than the context goes on in a new
// window, whose prompt is not scored.
TEST_F(AbTest, QualityOfALongTextIsReadInWindowsAndLongSteps) {
    models::SynthSpec spec;
    spec.n_layers = 2;
    spec.n_ctx = 256;
    spec.type = tensor::DType::f32;
    spec.seed = 99;
    const std::string path = directory_ + "/f32.gguf";
    ASSERT_TRUE(models::write_synth(spec, path));
    const auto compare = [&](uint32_t context, uint32_t logit_rows, int positions) {
        runtime::LoadOptions load = session_->options();
        load.limits.context = context;
        load.limits.logit_rows = logit_rows;
        const auto a = runtime::Session::open(directory_ + "/tiny.gguf", load, clock_);
        const auto b = runtime::Session::open(path, load, clock_);
        EXPECT_TRUE(a && b);
        const auto quality =
            compare_logits(**a, **b, quality_text(), positions, 1e6, clock_, Conduct{});
        EXPECT_TRUE(quality) << quality.error().message;
        return *quality;
    };
    const auto one = compare(128, 1, 300);
    const auto many = compare(128, 32, 300);
    EXPECT_EQ(one.n, 300u);
    EXPECT_EQ(many.n, 300u);
    EXPECT_NEAR(many.kl_mean, one.kl_mean, 1e-4 * one.kl_mean);
    EXPECT_NEAR(many.nll_b, one.nll_b, 1e-5);
    // Windows of 64 positions score 17 each, and so other ones than windows of 128.
    const size_t tokens = session_->tokenizer().encode(quality_text()).size();
    const auto all = compare(64, 32, 1 << 20);
    const size_t windows = (tokens - 1) / 64;
    EXPECT_GE(all.n, windows * 17);
    EXPECT_LE(all.n, windows * 17 + 16);
    EXPECT_NE(all.nll_b, many.nll_b);
}

// Weights that are no numbers make logits that are none: they are not alike, not even to
// themselves.
TEST_F(AbTest, PredictionsThatAreNoNumbersAreNotTheSame) {
    const std::string path = directory_ + "/nan.gguf";
    models::SynthSpec spec;
    spec.n_layers = 1;
    spec.n_ctx = 256;
    spec.type = tensor::DType::f32;
    ASSERT_TRUE(models::write_synth(spec, path));
    auto bytes = *base::read_file(path, size_t{1} << 30);
    {
        const auto model = models::Model::open(path);
        ASSERT_TRUE(model);
        const auto* norm =
            reinterpret_cast<const char*>((*model)->tensor("output_norm.weight")->data);
        const auto at = std::search(bytes.begin(), bytes.end(), norm, norm + 512);
        ASSERT_NE(at, bytes.end());
        const float nan = std::nanf("");
        std::memcpy(&*at, &nan, sizeof nan);
    }
    ASSERT_TRUE(base::write_file(path, bytes));
    const auto other = runtime::Session::open(path, session_->options(), clock_);
    ASSERT_TRUE(other) << other.error().message;
    const auto quality =
        compare_logits(**other, **other, quality_text(), 40, 1e6, clock_, Conduct{});
    ASSERT_TRUE(quality) << quality.error().message;
    EXPECT_TRUE(std::isnan(quality->kl_max));
    EXPECT_TRUE(std::isnan(quality->kl_mean));
    EXPECT_EQ(quality->verdict, Verdict::not_enough_data);
}

// Fewer pairs than a difference takes to be seen are a wasted test; enough of them are the end.
TEST_F(AbTest, GraceIsForPairsThatADecisionNeeds) {
    AbOptions options = small();
    options.metrics = {"ttft_ms"};
    options.quality_positions = 0;
    options.budget_s = 1e-3;
    AbSide slow{*session_};
    slow.delay_share = 3;
    const auto cut = run_ab({*session_}, slow, options, ticking_);
    ASSERT_TRUE(cut) << cut.error().message;
    EXPECT_LT(cut->metrics[0].n, measure::kPairsMin);
    EXPECT_EQ(cut->metrics[0].verdict, Verdict::not_enough_data);
    options.grace_s = 1e6;
    const auto whole = run_ab({*session_}, slow, options, ticking_);
    ASSERT_TRUE(whole) << whole.error().message;
    EXPECT_EQ(whole->metrics[0].n, measure::pairs_to_decide(1));
    EXPECT_EQ(whole->metrics[0].verdict, Verdict::regressed);
}

TEST_F(AbTest, StoppedItGivesWhatIsKnown) {
    std::atomic<bool> cancel{false};
    int reports = 0;
    Conduct conduct;
    conduct.cancel = &cancel;
    conduct.progress = [&](std::string_view what, double) {
        if (what.starts_with("pairs") && ++reports == 4) cancel = true;
    };
    AbOptions options = small();
    options.budget_s = 1e6;
    options.quality_positions = 0;
    const auto result = run_ab({*session_}, {*session_}, options, ticking_, conduct);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->ended, "cancelled");
    EXPECT_EQ(result->metrics[0].n, 3u);
    EXPECT_EQ(result->metrics[0].verdict, Verdict::not_enough_data);
    const auto nothing = run_ab({*session_}, {*session_}, options, ticking_, conduct);
    ASSERT_FALSE(nothing);
    EXPECT_EQ(nothing.error().code, base::ErrorCode::cancelled);
}

// Requests that begin alike are what a prefix cache is for, and only then does it show.
TEST_F(AbTest, APrefixCacheShowsWherePromptsBeginAlike) {
    runtime::LoadOptions load = session_->options();
    load.limits.prefix_cache = false;
    const auto without = runtime::Session::open(directory_ + "/tiny.gguf", load, clock_);
    load.limits.prefix_cache = true;
    const auto with = runtime::Session::open(directory_ + "/tiny.gguf", load, clock_);
    ASSERT_TRUE(without && with);
    AbOptions options = small();
    options.metrics = {"ttft_ms"};
    options.quality_positions = 0;
    // Whole pages of 32 positions are kept. Every step looks at the clock, and a prompt of 112
    // tokens takes four steps of 32 here, or one after three pages.
    options.prompt_tokens = 112;
    options.shared_tokens = 100;
    const auto alike = run_ab({**without}, {**with}, options, ticking_);
    ASSERT_TRUE(alike) << alike.error().message;
    EXPECT_EQ(alike->metrics[0].verdict, Verdict::improved);
    options.shared_tokens = 0;
    const auto apart = run_ab({**without}, {**with}, options, ticking_);
    ASSERT_TRUE(apart) << apart.error().message;
    EXPECT_EQ(apart->metrics[0].verdict, Verdict::within_noise);
}

TEST_F(AbTest, WrongOptionsAreRefused) {
    const auto refused = [&](const AbOptions& options, const AbSide& side) {
        const auto result = run_ab({*session_}, side, options, ticking_);
        return !result && result.error().code == base::ErrorCode::invalid_argument;
    };
    AbOptions options = small();
    options.metrics = {"speed"};
    EXPECT_TRUE(refused(options, {*session_}));
    options.metrics = {"ttft_ms", "ttft_ms"};
    EXPECT_TRUE(refused(options, {*session_}));
    options.metrics = {};
    EXPECT_TRUE(refused(options, {*session_}));
    options = small();
    options.output_tokens = 1;
    EXPECT_TRUE(refused(options, {*session_}));
    options = small();
    options.prompt_tokens = 4096;
    EXPECT_TRUE(refused(options, {*session_}));
    AbSide side{*session_};
    side.batch = 2;
    side.depth = 8;
    EXPECT_TRUE(refused(small(), side));
    AbSide wide{*session_};
    wide.batch = 64;
    EXPECT_TRUE(refused(small(), wide));
    options = small();
    options.shared_tokens = options.prompt_tokens;
    EXPECT_TRUE(refused(options, {*session_}));
    options = small();
    options.budget_s = 0;
    EXPECT_TRUE(refused(options, {*session_}));
}

}  // namespace
}  // namespace hone::probe
