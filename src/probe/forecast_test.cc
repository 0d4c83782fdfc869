#include "probe/forecast.h"

#include <gtest/gtest.h>

#include <cmath>

#include "probe/probe_fixture.h"

namespace hone::probe {
namespace {

using cost::Provenance;
using cost::Ratio;
using cost::SimulationResult;
using cost::WhatIfKind;

SideSettings side() {
    SideSettings out;
    out.load.threads = 2;
    out.load.isa = machine::Isa::avx2;
    return out;
}

SimulationResult factor(double prefill, double decode, double spread, Provenance tier) {
    cost::Simulation simulation;
    simulation.tier = tier;
    simulation.prefill = Ratio{prefill, prefill / spread, prefill * spread, true, 0};
    simulation.decode = Ratio{decode, decode / spread, decode * spread, true, 0};
    return {simulation, {}};
}

const Forecast* find(const Forecasts& forecasts, const std::string& metric) {
    for (const Forecast& forecast : forecasts.metrics) {
        if (forecast.metric == metric) return &forecast;
    }
    return nullptr;
}

TEST(Forecast, NamesEveryDifferenceBetweenTheSides) {
    const SideSettings a = side();
    SideSettings b = side();
    EXPECT_TRUE(what_ifs_between(a, b)->empty());
    b.load.threads = 1;
    b.load.isa = machine::Isa::portable;
    b.load.disabled_passes = {"merge_qkv"};
    b.load.variants = {{"linear", "portable"}};
    b.load.limits.kv_dtype = kernels::KvDtype::q4;
    b.load.flush_denormals = true;
    b.weight_format = "u4";
    b.load.without_layers = {3, 5};
    b.load.screen_head = true;
    b.batch = 4;
    b.depth = 512;
    const auto what_ifs = what_ifs_between(a, b);
    ASSERT_TRUE(what_ifs);
    std::vector<WhatIfKind> kinds;
    for (const cost::WhatIf& what_if : *what_ifs) kinds.push_back(what_if.kind);
    const std::vector<WhatIfKind> expected = {
        WhatIfKind::threads,       WhatIfKind::isa,           WhatIfKind::variant,
        WhatIfKind::without_pass,  WhatIfKind::kv_dtype,      WhatIfKind::flush_denormals,
        WhatIfKind::weight_format, WhatIfKind::remove_layers, WhatIfKind::trim_head,
        WhatIfKind::batch,         WhatIfKind::depth};
    EXPECT_EQ(kinds, expected);
    EXPECT_EQ((*what_ifs)[3].setting, "off");
    EXPECT_EQ((*what_ifs)[4].setting, "q4");
    // The other way round the pass is switched on, and the kernels of the new side have no name.
    EXPECT_FALSE(what_ifs_between(b, a));
    SideSettings off = side();
    off.load.disabled_passes = {"merge_qkv"};
    EXPECT_EQ((*what_ifs_between(off, a))[0].setting, "on");
    // What A leaves out it knows nothing of.
    SideSettings fewer = side();
    fewer.load.without_layers = {3};
    EXPECT_FALSE(what_ifs_between(fewer, a));
    SideSettings screened = side();
    screened.load.screen_head = true;
    EXPECT_FALSE(what_ifs_between(screened, a));
}

TEST(Forecast, RatesAreTheInverseOfTimes) {
    const auto out =
        forecasts_of({factor(2.0, 0.8, 1.1, Provenance::interpolated)}, side(), side());
    ASSERT_EQ(out.metrics.size(), 4u);
    EXPECT_NEAR(find(out, "prefill_tokens_per_s")->change_percent, -50, 1e-9);
    EXPECT_NEAR(find(out, "ttft_ms")->change_percent, 100, 1e-9);
    EXPECT_NEAR(find(out, "decode_tokens_per_s")->change_percent, 25, 1e-9);
    EXPECT_NEAR(find(out, "itl_ms")->change_percent, -20, 1e-9);
    const auto ci = find(out, "decode_tokens_per_s")->ci95;
    ASSERT_TRUE(ci);
    EXPECT_NEAR(ci->low, 100 * (1 / (0.8 * 1.1) - 1), 1e-9);
    EXPECT_NEAR(ci->high, 100 * (1.1 / 0.8 - 1), 1e-9);
    EXPECT_EQ(find(out, "itl_ms")->tier, Provenance::interpolated);
}

TEST(Forecast, SeveralChangesMultiplyAndTheirSpreadsAdd) {
    const auto out = forecasts_of({factor(1.5, 1.2, 1.1, Provenance::measured),
                                   factor(2.0, 1.0, 1.1, Provenance::cross_format)},
                                  side(), side());
    EXPECT_NEAR(find(out, "ttft_ms")->change_percent, 200, 1e-9);
    const double spread = std::exp(std::sqrt(2.0) * std::log(1.1));
    EXPECT_NEAR(find(out, "ttft_ms")->ci95->high, 100 * (3 * spread - 1), 1e-9);
    EXPECT_EQ(find(out, "ttft_ms")->tier, Provenance::cross_format);
}

TEST(Forecast, PairsOfAnExperimentAreTrustedAsFarAsTheyGo) {
    SimulationResult sweep = factor(2.0, 2.0, 1.1, Provenance::measured);
    sweep.value->prefill->n = sweep.value->decode->n = 6;
    const auto alone = forecasts_of({sweep}, side(), side());
    // 10 % for the pairs, a tenth of the change for what they stand for.
    const double spread = std::exp(std::hypot(std::log(1.1), 0.1 * std::log(2.0)));
    EXPECT_NEAR(find(alone, "itl_ms")->ci95->high, 100 * (2 * spread - 1), 1e-9);
    const auto noisy = forecasts_of({sweep}, side(), side(), 0.3);
    EXPECT_GT(find(noisy, "itl_ms")->ci95->high, find(alone, "itl_ms")->ci95->high);
    EXPECT_DOUBLE_EQ(find(noisy, "itl_ms")->change_percent, find(alone, "itl_ms")->change_percent);
}

TEST(Forecast, ABatchGrowsTheRateAndADepthLeavesPromptsAlone) {
    SideSettings four = side();
    four.batch = 4;
    SimulationResult step = factor(1, 2, 1.05, Provenance::interpolated);
    step.value->prefill.reset();
    const auto batch = forecasts_of({step}, side(), four);
    ASSERT_EQ(batch.metrics.size(), 1u);
    EXPECT_NEAR(batch.metrics[0].change_percent, 100, 1e-9);
    EXPECT_EQ(batch.metrics[0].metric, "decode_tokens_per_s");
    SideSettings deep = side();
    deep.depth = 512;
    const auto depth = forecasts_of({step}, side(), deep);
    ASSERT_EQ(depth.metrics.size(), 1u);
    EXPECT_NEAR(depth.metrics[0].change_percent, -50, 1e-9);
}

TEST(Forecast, AnUnknownChangeLeavesEverythingUnknown) {
    const SimulationResult refused{std::nullopt, cost::note("no_experiment")};
    const auto out =
        forecasts_of({factor(1, 1, 1.1, Provenance::measured), refused}, side(), side());
    EXPECT_TRUE(out.metrics.empty());
    ASSERT_EQ(out.reasons.size(), 1u);
    EXPECT_EQ(out.reasons[0].id, "no_experiment");
    // No change at all is a forecast too: nothing will happen.
    const auto same = forecasts_of({}, side(), side());
    ASSERT_EQ(same.metrics.size(), 4u);
    EXPECT_DOUBLE_EQ(same.metrics[0].change_percent, 0);
}

using ForecastRunTest = TinyModelTest;

TEST_F(ForecastRunTest, SimulatesFirstAndThenAsksTheExperiment) {
    SideSettings a{session_->options(), 1, 0};
    SideSettings b = a;
    b.batch = 4;
    ForecastOptions options;
    options.prompt_tokens = 24;
    options.output_tokens = 4;
    options.profile_s = 0;
    options.experiments_s = 0;
    auto batch = forecast(*session_, a, b, some_roofs(), options, clock_);
    ASSERT_TRUE(batch) << batch.error().message;
    EXPECT_EQ(batch->simulated.size(), 1u);
    ASSERT_EQ(batch->metrics.size(), 1u);
    // Four sequences in a step are never slower than four times one by the model's own arithmetic.
    EXPECT_GT(batch->metrics[0].change_percent, -50);
    EXPECT_LT(batch->metrics[0].change_percent, 301);
    options.experiments_s = 2;
    batch = forecast(*session_, a, b, some_roofs(), options, clock_);
    ASSERT_TRUE(batch) << batch.error().message;
    EXPECT_EQ(batch->metrics[0].tier, Provenance::measured);
    // Other weights are simulated, and never said to change nothing.
    b = a;
    a.weight_format = main_weight_format(*session_);
    b.weight_format = "u4";
    ASSERT_NE(a.weight_format, "");
    ASSERT_NE(a.weight_format, b.weight_format);
    const auto weights = forecast(*session_, a, b, some_roofs(), options, clock_);
    ASSERT_TRUE(weights) << weights.error().message;
    for (const Forecast& metric : weights->metrics) {
        EXPECT_NE(metric.tier, Provenance::measured) << metric.metric;
    }
    b = a;
    b.load.disabled_passes = {"merge_qkv"};
    const auto pass = forecast(*session_, a, b, some_roofs(), options, clock_);
    ASSERT_TRUE(pass) << pass.error().message;
    EXPECT_EQ(pass->metrics.size(), 4u);
    EXPECT_EQ(pass->metrics[0].tier, Provenance::measured);
    // Without roofs of this machine only experiments can tell.
    b = a;
    b.depth = 64;
    const auto blind = forecast(*session_, a, b, {}, options, clock_);
    ASSERT_TRUE(blind);
    EXPECT_TRUE(blind->metrics.empty());
    EXPECT_EQ(blind->reasons.size(), 1u);
}

}  // namespace
}  // namespace hone::probe
