#include "quality/resampling.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace hone::quality {
namespace {

using measure::Verdict;

constexpr ItemMetric kShare{"accuracy", measure::Better::higher, 1, true, mean_of_sums};
constexpr ItemMetric kMean{"token_f1", measure::Better::higher, 1, false, mean_of_sums};

ItemSums sums_of(const std::vector<double>& scores) {
    ItemSums sums;
    for (const double score : scores) sums.add(std::vector<double>{1, score});
    return sums;
}

std::vector<double> uniform(size_t n, uint64_t seed, double shift = 0) {
    base::Random random(seed);
    std::vector<double> out(n);
    for (double& value : out) value = random.next_double() * 0.5 + shift;
    return out;
}

Verdict verdict(const Difference& difference) {
    std::vector<Difference> all{difference};
    judge_differences(all);
    return all[0].verdict;
}

TEST(Resampling, SharesHaveWilsonsInterval) {
    std::vector<double> hits(100, 1);
    std::fill_n(hits.begin(), 5, 0.0);
    const Score score = *score_items(kShare, sums_of(hits));
    EXPECT_DOUBLE_EQ(score.value, 0.95);
    EXPECT_NEAR(score.ci95->low, 0.88825, 1e-5);
    EXPECT_NEAR(score.ci95->high, 0.97846, 1e-5);
    EXPECT_FALSE(score_items(kShare, sums_of({1, 0, 1}))->ci95);
}

TEST(Resampling, MeansHaveAnIntervalLikeThatOfTheirStandardError) {
    const auto values = uniform(200, 3);
    const Score score = *score_items(kMean, sums_of(values));
    // Uniform on [0, 0.5): standard deviation 0.5 / sqrt(12).
    const double reach = 1.96 * 0.5 / std::sqrt(12.0) / std::sqrt(200.0);
    EXPECT_NEAR(score.ci95->high - score.ci95->low, 2 * reach, 0.15 * 2 * reach);
    EXPECT_NEAR(score.value, 0.25, 0.03);
}

TEST(Resampling, WhatDidNotHappenStillHasAnInterval) {
    const Score perfect = *score_items(kMean, sums_of(std::vector<double>(60, 1)));
    EXPECT_EQ(perfect.ci95->high, 1);
    EXPECT_NEAR(perfect.ci95->low, std::pow(0.025, 1.0 / 60), 1e-12);
    const auto same = sums_of(uniform(60, 5));
    const Difference difference = *compare_items(kMean, same, same);
    EXPECT_EQ(difference.change(), 0);
    EXPECT_EQ(difference.p, 1);
    EXPECT_NEAR(difference.ci95->low, -(1 - std::pow(0.025, 1.0 / 60)), 1e-12);
    EXPECT_EQ(verdict(difference), Verdict::within_noise);
}

TEST(Resampling, PairsShowSmallDifferences) {
    // A shift far smaller than the spread of the items.
    auto a = uniform(100, 7);
    auto b = a;
    for (size_t i = 0; i < b.size(); ++i) b[i] += 0.01 + 0.005 * (i % 3);
    b[0] = a[0] - 0.01;  // both directions were seen: no end is that of unseen items
    b[1] = a[1];
    const Difference better = *compare_items(kMean, sums_of(a), sums_of(b));
    EXPECT_EQ(verdict(better), Verdict::improved);
    EXPECT_GT(better.ci95->low, 0.01);
    EXPECT_LT(better.ci95->high, 0.02);
    EXPECT_EQ(verdict(*compare_items(kMean, sums_of(b), sums_of(a))), Verdict::regressed);
    EXPECT_EQ(verdict(*compare_items(kMean, sums_of(a), sums_of(uniform(100, 8)))),
              Verdict::within_noise);
    EXPECT_EQ(verdict(*compare_items(kMean, sums_of({1, 1}), sums_of({0, 0}))),
              Verdict::not_enough_data);
}

// Ends do not jump when the first item changes.
TEST(Resampling, OneItemThatImprovedProvesNothingAboutTheOthers) {
    for (const ItemMetric& metric : {kShare, kMean}) {
        std::vector<double> a(60, 1);
        std::fill_n(a.begin(), 20, 0.0);
        const Difference same = *compare_items(metric, sums_of(a), sums_of(a));
        for (const size_t improved : {1, 2, 5, 20}) {
            std::vector<double> b = a;
            std::fill_n(b.begin(), improved, 1.0);
            const Difference up = *compare_items(metric, sums_of(a), sums_of(b));
            EXPECT_LE(up.ci95->low, same.ci95->low) << improved;
            EXPECT_GE(up.ci95->high, up.change()) << improved;
            const Difference down = *compare_items(metric, sums_of(b), sums_of(a));
            EXPECT_GE(down.ci95->high, same.ci95->high) << improved;
            EXPECT_LE(down.ci95->low, down.change()) << improved;
        }
    }
}

TEST(Resampling, RandomizationIsTheSignTestOfShares) {
    // Five items changed, all for the worse: 2 / 2^5 by the exact test.
    std::vector<double> a(60, 1), b(60, 1);
    std::fill_n(b.begin(), 5, 0.0);
    const Difference difference = *compare_items(kShare, sums_of(a), sums_of(b));
    EXPECT_NEAR(difference.p, 0.0625, 0.015);
    EXPECT_NEAR(*difference.change_percent, -100.0 / 12, 1e-9);
    EXPECT_LT(difference.ci95->low, -0.1);
}

TEST(Resampling, FalseAlarmsAreRare) {
    size_t alarms = 0;
    for (uint64_t seed = 0; seed < 100; ++seed) {
        const auto a = sums_of(uniform(20, 2 * seed + 100));
        const auto b = sums_of(uniform(20, 2 * seed + 101));
        alarms += verdict(*compare_items(kMean, a, b)) != Verdict::within_noise ? 1 : 0;
    }
    EXPECT_LE(alarms, 11u);  // 5 are expected; 12 and more have a chance of 0.4 %
}

TEST(Resampling, WhatIsNoNumberHasNoVerdict) {
    Difference good;
    good.p = 0.01;
    good.b = 1;
    good.ci95 = measure::Interval{0, 2};
    Difference bad = good;
    bad.b = std::nan("");
    Difference unsure = good;
    unsure.p = std::nan("");
    std::vector<Difference> all{bad, good, unsure};
    judge_differences(all);
    EXPECT_EQ(all[0].verdict, Verdict::not_enough_data);
    EXPECT_EQ(all[1].verdict, Verdict::improved);
    EXPECT_EQ(all[1].p, 0.01);
    EXPECT_EQ(all[2].verdict, Verdict::not_enough_data);
}

TEST(Resampling, CanBeStopped) {
    size_t asked = 0;
    const GoOn not_for_long = [&](double) { return ++asked < 5; };
    const auto sums = sums_of(uniform(100, 1));
    const auto score = score_items(kMean, sums, not_for_long);
    ASSERT_FALSE(score);
    EXPECT_EQ(score.error().code, base::ErrorCode::cancelled);
    EXPECT_EQ(asked, 5u);
    asked = 0;
    EXPECT_FALSE(compare_items(kMean, sums, sums_of(uniform(100, 2)), not_for_long));
    EXPECT_EQ(asked, 5u);
}

TEST(Resampling, SeveralMetricsShareTheRisk) {
    Difference one;
    one.p = 0.03;
    one.b = 1;
    one.ci95 = measure::Interval{0, 2};
    std::vector<Difference> all{one, one, Difference{}};
    judge_differences(all);
    EXPECT_EQ(all[0].verdict, Verdict::within_noise);
    EXPECT_DOUBLE_EQ(all[0].p, 0.06);
    EXPECT_EQ(all[2].verdict, Verdict::not_enough_data);
}

}  // namespace
}  // namespace hone::quality
