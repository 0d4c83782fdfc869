#include "report/roi.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "report/messages.h"

namespace hone::report {
namespace {

using ::testing::HasSubstr;

// 10 tokens per second, then 40.
ledger::Run some_run() {
    ledger::Run run;
    measure::MetricComparison metric;
    metric.name = "output_tokens_per_s";
    metric.a = 10;
    metric.b = 40;
    metric.verdict = measure::Verdict::improved;
    run.after = {metric};
    return run;
}

TEST(Roi, IsPriceOverTokensPerHour) {
    // 36,000 and 144,000 tokens per hour at 0.72 EUR; 72 million of them are 2,000 and 500 hours.
    const auto json = roi_json(some_run(), {0.72, 72e6}, Style());
    EXPECT_NEAR(json["cost_per_1k_output_tokens"]["a"], 0.02, 1e-12);
    EXPECT_NEAR(json["cost_per_1k_output_tokens"]["b"], 0.005, 1e-12);
    EXPECT_NEAR(json["cost_per_1k_output_tokens"]["change_percent"], -75, 1e-9);
    EXPECT_NEAR(json["hours_per_month"]["a"], 2000, 1e-9);
    EXPECT_NEAR(json["hours_per_month"]["b"], 500, 1e-9);
    EXPECT_NEAR(json["cost_per_month"]["a"], 1440, 1e-9);
    EXPECT_NEAR(json["cost_per_month"]["b"], 360, 1e-9);
    EXPECT_NEAR(json["saving_per_month"], 1080, 1e-9);
    EXPECT_EQ(json["verdict"], "improved");
    ASSERT_EQ(json["lines"].size(), 2u);
    const std::string text = json["lines"][1]["text"];
    EXPECT_THAT(text, HasSubstr("1080 EUR"));
    EXPECT_THAT(text, HasSubstr("2000 h -> 500 h"));
}

TEST(Roi, WhatIsNotKnownIsSaid) {
    const auto ids = [](const ledger::Run& run, const Economy& economy) {
        std::vector<std::string> out;
        for (const auto& note : roi_notes(run, economy, Style())) {
            EXPECT_NE(say(Style(), note), "");
            out.push_back(note.id);
        }
        return out;
    };
    using Ids = std::vector<std::string>;
    EXPECT_EQ(ids(some_run(), {}), Ids{"roi_no_price"});
    EXPECT_EQ(ids(some_run(), {{}, 1e6}), Ids{"roi_no_price"});
    EXPECT_EQ(ids(some_run(), {1.0, {}}), Ids{"roi_per_1k"});
    EXPECT_EQ(ids(ledger::Run(), {1.0, 1e6}), Ids{"roi_nothing_kept"});
    ledger::Run unmeasured = some_run();
    unmeasured.after[0].b.reset();
    EXPECT_EQ(ids(unmeasured, {1.0, 1e6}), Ids{"roi_no_rate"});
    unmeasured.after[0].name = "latency_ms";
    EXPECT_EQ(ids(unmeasured, {1.0, 1e6}), Ids{"roi_no_rate"});
    const auto json = roi_json(some_run(), {{}, 1e6}, Style());
    EXPECT_TRUE(json["price_per_hour"].is_null());
    EXPECT_TRUE(json["saving_per_month"].is_null());
    EXPECT_FALSE(json["hours_per_month"].is_null());
}

}  // namespace
}  // namespace hone::report
