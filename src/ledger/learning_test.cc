#include "ledger/learning.h"

#include <gtest/gtest.h>

#include <cmath>

namespace hone::ledger {
namespace {

double percent(double log_ratio) {
    return 100 * std::expm1(log_ratio);
}

// A promise and its result in logarithms of ratios; the interval is that far to both sides.
TestedPromise tested(const std::string& action, double promised, double half, double result,
                     int64_t settled) {
    TestedPromise out;
    out.action = action;
    out.machine_key = "here";
    out.metric = "latency_ms";
    out.raw = {percent(promised),
               measure::Interval{percent(promised - half), percent(promised + half)}, "x"};
    out.promise = out.raw;
    out.change_percent = percent(result);
    out.made = settled - 1;
    out.settled = settled;
    return out;
}

// Residuals 0.1, 0.3 and 0.2, whatever was promised.
std::vector<TestedPromise> three() {
    return {tested("threads:2", 0, 0.05, 0.1, 1), tested("threads:1", -0.5, 0.05, -0.2, 2),
            tested("threads:4", 0.25, 0.05, 0.45, 3)};
}

TEST(Learning, NothingIsLearnedFromNothing) {
    const Correction none = correction_for("threads:2", {});
    EXPECT_EQ(none.results, 0u);
    EXPECT_EQ(corrected(-12.5, "latency_ms", none), -12.5);
    const measure::Interval interval = corrected({-100, 3}, "latency_ms", none);
    EXPECT_EQ(interval.low, -100);
    EXPECT_EQ(interval.high, 3);
}

TEST(Learning, AKindShiftsByItsShrunkMedianAndWidensByItsMisses) {
    const Correction correction = correction_for("threads:8", three());
    EXPECT_EQ(correction.results, 3u);
    // 3/11 of the median 0.2.
    EXPECT_NEAR(correction.shift, 0.6 / 11, 1e-12);
    // The farthest result is 0.3 - 0.6/11 - 0.05 outside, and 0.3 - 0.05 without the shift:
    // 3/11 of the one and 8/11 of 3/11 of the other.
    EXPECT_NEAR(correction.widening, 3 / 11.0 * (0.25 - 0.6 / 11) + 24 / 121.0 * 0.25, 1e-12);
    EXPECT_NEAR(correction.widening, 0.102892562, 1e-9);
    // 0.8 times exp(0.6/11) = 1.05606042.
    EXPECT_NEAR(corrected(-20, "latency_ms", correction), -15.515166, 1e-5);
    // Slower is a smaller rate: 1.25 / 1.05606042.
    EXPECT_NEAR(corrected(25, "output_tokens_per_s", correction), 18.364441, 1e-5);
    const measure::Interval interval = corrected({-30, -10}, "latency_ms", correction);
    EXPECT_NEAR(interval.low, 100 * (0.7 * std::exp(0.6 / 11 - 0.102892562) - 1), 1e-5);
    EXPECT_NEAR(interval.high, 100 * (0.9 * std::exp(0.6 / 11 + 0.102892562) - 1), 1e-5);
}

TEST(Learning, AKindWithoutResultsBorrowsTheMissesAndNotTheDirection) {
    const Correction correction = correction_for("kv:q8", three());
    EXPECT_EQ(correction.results, 3u);
    EXPECT_EQ(correction.shift, 0);
    EXPECT_NEAR(correction.widening, 3 / 11.0 * 0.25, 1e-12);
}

TEST(Learning, ResultsInsideTheirIntervalsNeverNarrowThem) {
    const std::vector<TestedPromise> good(50, tested("threads:2", 0, 0.5, 0, 1));
    const Correction correction = correction_for("threads:2", good);
    EXPECT_EQ(correction.widening, 0);
    const measure::Interval interval = corrected({-30, -10}, "latency_ms", correction);
    EXPECT_EQ(interval.low, -30);
    EXPECT_EQ(interval.high, -10);
}

// Of 20 results the 19th decides, as ceil(0.9 * 21) says.
TEST(Learning, OneWildResultInTwentyDecidesNothing) {
    std::vector<TestedPromise> results(19, tested("kv:q8", 0, 0.1, 0.2, 1));
    results.push_back(tested("kv:q8", 0, 0.1, 4, 2));
    const Correction other = correction_for("threads:2", results);
    EXPECT_NEAR(other.widening, 20 / 28.0 * 0.1, 1e-12);
    EXPECT_NEAR(correction_for("kv:q8", results).shift, 20 / 28.0 * 0.2, 1e-12);
}

TEST(Learning, ARateAndATimeTeachTheSame) {
    TestedPromise rate = tested("threads:2", 0, 0.1, -0.4, 1);
    rate.metric = "output_tokens_per_s";
    const Correction from_rate = correction_for("threads:2", {rate});
    const Correction from_time = correction_for("threads:2", {tested("threads:2", 0, 0.1, 0.4, 1)});
    EXPECT_NEAR(from_rate.shift, 0.4 / 9, 1e-12);
    EXPECT_NEAR(from_rate.shift, from_time.shift, 1e-12);
    EXPECT_NEAR(from_rate.widening, from_time.widening, 1e-12);
}

TEST(Learning, WhatHasNoLogarithmStays) {
    Correction correction;
    correction.shift = 0.5;
    correction.widening = 0.5;
    EXPECT_EQ(corrected(-100, "latency_ms", correction), -100);
    EXPECT_EQ(corrected({-100, 1e12}, "latency_ms", correction).low, -100);
    EXPECT_EQ(corrected({-100, 1e12}, "latency_ms", correction).high, 1e12);
    const TestedPromise wild = tested("threads:2", -100, 300, 900, 1);
    EXPECT_TRUE(std::isfinite(correction_for("threads:2", {wild}).shift));
}

TEST(Learning, APromiseKnowsOnlyOlderResultsOfItsMachine) {
    std::vector<TestedPromise> all = three();
    all[1].machine_key = "elsewhere";
    all.push_back(tested("threads:6", 0, 0.1, 0, 4));
    all[3].made = 1;  // said while the third was not tested yet
    const auto after = learned(all);
    EXPECT_EQ(after[0].learned_from, 0u);
    EXPECT_EQ(after[0].promise.change_percent, all[0].raw.change_percent);
    EXPECT_EQ(after[1].learned_from, 0u);  // the first of its machine
    EXPECT_EQ(after[2].learned_from, 1u);
    EXPECT_EQ(after[3].learned_from, 1u);
    // One result of residual 0.1: a ninth of it.
    EXPECT_NEAR(after[3].promise.change_percent, percent(0.1 / 9), 1e-9);
    EXPECT_NEAR(after[2].promise.change_percent, percent(0.25 + 0.1 / 9), 1e-9);
    EXPECT_EQ(after[3].raw.change_percent, 0);
}

// A kind that is always wrong by the same factor is right in the end.
TEST(Learning, ABiasIsLearned) {
    std::vector<TestedPromise> all;
    for (int i = 0; i < 40; ++i) {
        all.push_back(tested("weights:Q4_0", -0.3, 0.02, -0.1 + 0.01 * (i % 3), i + 1));
    }
    const auto groups = accuracy_by_kind(all);
    ASSERT_EQ(groups.size(), 2u);
    EXPECT_EQ(groups[1].kind, "weights");
    EXPECT_EQ(groups[0].before.covered, 0u);
    EXPECT_GT(groups[0].after.covered, 30u);
    EXPECT_LT(*groups[0].after.median_error_points, *groups[0].before.median_error_points / 3);
    EXPECT_LT(*groups[0].after.interval_score, *groups[0].before.interval_score / 3);
}

}  // namespace
}  // namespace hone::ledger
