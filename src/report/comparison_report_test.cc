#include "report/comparison_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "base/text.h"

namespace hone::report {
namespace {

using measure::Comparison;
using measure::Verdict;
using ::testing::HasSubstr;
using ::testing::Not;

Comparison some_comparison() {
    Comparison comparison;
    comparison.method = "group_sequential_signed_ranks";
    comparison.ended = "decided";
    comparison.wall_s = 12;
    comparison.signature_a =
        base::Json{{"model", "m.gguf"}, {"flags", ""}, {"threads", 2}, {"isa", "avx2"}};
    comparison.signature_b =
        base::Json{{"model", "m.gguf"}, {"flags", "--threads 1"}, {"threads", 1}, {"isa", "avx2"}};
    comparison.metrics.resize(2);
    auto& decode = comparison.metrics[0];
    decode.name = "decode_tokens_per_s";
    decode.unit = "tokens/s";
    decode.better = measure::Better::higher;
    decode.a = 50;
    decode.b = 40;
    decode.change_percent = -20;
    decode.ci95 = measure::Interval{-22, -18};
    decode.verdict = Verdict::regressed;
    decode.n = 20;
    comparison.metrics[1].name = "ttft_ms";
    comparison.metrics[1].unit = "ms";
    comparison.metrics[1].change_percent = -0.01;
    return comparison;
}

TEST(ComparisonReport, JsonHasTheStableKeys) {
    Comparison comparison = some_comparison();
    comparison.quality.emplace();
    comparison.quality->n = 64;
    comparison.quality->same_top = 60;
    comparison.quality->kl_mean = 0.25;
    comparison.price_a = comparison.price_b = 3.6;
    const base::Json json = comparison_json(comparison);
    const base::Json& metric = json["metrics"][0];
    for (const char* key : {"name", "a", "b", "change_percent", "ci95", "better", "verdict", "n"}) {
        EXPECT_TRUE(metric.contains(key)) << key;
    }
    EXPECT_EQ(metric["verdict"], "regressed");
    EXPECT_EQ(metric["better"], false);
    EXPECT_EQ(metric["good"], "higher");
    EXPECT_EQ(metric["ci95"][0], -22);
    EXPECT_TRUE(metric["predicted"].is_null());
    EXPECT_TRUE(json["metrics"][1]["ci95"].is_null());
    EXPECT_EQ(json["metrics"][1]["verdict"], "not_enough_data");
    EXPECT_EQ(json["quality"]["top1_agreement"], 0.9375);
    EXPECT_EQ(json["quality"]["n"], 64);
    EXPECT_EQ(json["signature"]["b"]["flags"], "--threads 1");
    // 3.6 EUR/h at 50 tokens/s are 0.02 EUR per 1000.
    EXPECT_NEAR(json["cost"]["cost_per_1k_output_tokens"]["a"].get<double>(), 0.02, 1e-12);
    EXPECT_NEAR(json["cost"]["cost_per_1k_output_tokens"]["change_percent"].get<double>(), 25,
                1e-9);
    EXPECT_FALSE(json["cost"].contains("cost_per_1k_prompt_tokens"));
}

TEST(ComparisonReport, PredictionsAreShownWhereThereAreAny) {
    Comparison comparison = some_comparison();
    comparison.metrics[0].predicted = {-15, measure::Interval{-20, -10}, "measured"};
    EXPECT_EQ(comparison_json(comparison)["metrics"][0]["predicted"]["change_percent"], -15);
    EXPECT_THAT(render_comparison(comparison, {.width = 100}), HasSubstr("-15.0 %"));
}

TEST(ComparisonReport, TextSaysVerdictsAndFits) {
    Comparison comparison = some_comparison();
    comparison.warnings = {"threads"};
    for (const int width : {60, 80, 120}) {
        const std::string text = render_comparison(comparison, {.width = width});
        for (const auto line : base::split(text, '\n')) {
            EXPECT_LE(display_width(line), static_cast<size_t>(width)) << line;
        }
    }
    const std::string text = render_comparison(comparison, {.width = 120});
    EXPECT_THAT(text, HasSubstr("regressed"));
    EXPECT_THAT(text, HasSubstr("-20.0 %"));
    EXPECT_THAT(text, HasSubstr("[-22.0, -18.0]"));
    EXPECT_THAT(text, HasSubstr("not enough data"));
    EXPECT_THAT(text, HasSubstr("--threads 1"));
    EXPECT_THAT(text, HasSubstr("threads differs"));
    EXPECT_THAT(text, HasSubstr("+0.0 %"));  // -0.01 must not print as minus zero
    EXPECT_THAT(text, Not(HasSubstr("method_")));
    EXPECT_THAT(text, Not(HasSubstr("ab_ended_")));
}

TEST(ComparisonReport, QualityAndNothingToCompare) {
    Comparison comparison;
    comparison.method = "mann_whitney";
    comparison.quality_missing = "ab_no_common_vocabulary";
    const std::string text = render_comparison(comparison, {.width = 80});
    EXPECT_THAT(text, HasSubstr("vocabular"));
    EXPECT_THAT(text, HasSubstr("no metric"));
    comparison.quality_missing.clear();
    comparison.quality.emplace();
    comparison.quality->n = comparison.quality->same_top = 64;
    EXPECT_THAT(render_comparison(comparison, {.width = 80}), HasSubstr("identical"));
    comparison.quality->same_top = 32;
    EXPECT_THAT(render_comparison(comparison, {.width = 80}), HasSubstr("50.0 %"));
}

TEST(ComparisonReport, RegressionsInOneLine) {
    EXPECT_EQ(regressions_text(some_comparison()), "decode_tokens_per_s -20.0 %");
    EXPECT_EQ(regressions_text({}), "");
}

}  // namespace
}  // namespace hone::report
