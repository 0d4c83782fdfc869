#include "quality/scores.h"

#include <gtest/gtest.h>

#include <cmath>

namespace hone::quality {
namespace {

TEST(Scores, FollowTheirDefinitions) {
    const std::vector<ScoredWindow> windows{
        {.n = 4,
         .bytes = 20,
         .nll = 8,
         .nll_reference = 4,
         .kl = 1,
         .same_top = 3,
         .delta_p = -1,
         .delta_p_squared = 0.5},
        {.n = 6, .bytes = 20, .nll = 7, .nll_reference = 6, .kl = 2, .same_top = 3}};
    const auto scores = scores_of(windows, true);
    ASSERT_EQ(scores.size(), 7u);
    EXPECT_DOUBLE_EQ(scores[0].value, std::exp(1.5));
    EXPECT_DOUBLE_EQ(scores[1].value, 15 / std::log(2) / 40);
    EXPECT_DOUBLE_EQ(scores[2].value, std::exp(1.0));
    EXPECT_DOUBLE_EQ(scores[3].value, 0.3);
    EXPECT_DOUBLE_EQ(scores[4].value, 0.6);
    EXPECT_DOUBLE_EQ(scores[5].value, -0.1);
    EXPECT_DOUBLE_EQ(scores[6].value, std::sqrt(0.05));
    for (const Score& score : scores) {
        EXPECT_EQ(score.n, 10u);
        EXPECT_FALSE(score.ci95) << "two windows have no interval";
    }
    EXPECT_EQ(scores_of(windows, false).size(), 2u);
}

TEST(Scores, IntervalIsStudentsOverWindowMeans) {
    std::vector<ScoredWindow> windows;
    for (const double mean : {1.0, 2.0, 3.0, 4.0, 5.0, 6.0}) {
        windows.push_back({.n = 10, .nll = 10 * mean, .kl = 10 * mean - 9.9, .same_top = 10});
    }
    const auto scores = scores_of(windows, true);
    // Standard deviation of 1..6 is sqrt(3.5); t(5) = 2.570582.
    const double reach = 2.5705818366 * std::sqrt(3.5 / 6);
    ASSERT_TRUE(scores[0].ci95);
    EXPECT_NEAR(scores[0].ci95->low, std::exp(3.5 - reach), 1e-6);
    EXPECT_NEAR(scores[0].ci95->high, std::exp(3.5 + reach), 1e-6);
    EXPECT_GE(scores[2].ci95->low, 0.0);
    EXPECT_DOUBLE_EQ(scores[3].ci95->high, 1.0);
}

TEST(Scores, PerplexityAndBitsPerByteOfFourTokens) {
    const std::vector<ScoredWindow> windows{{.n = 4, .bytes = 11, .nll = 2 + 1 + 0.5 + 3}};
    const auto scores = scores_of(windows, false);
    EXPECT_NEAR(scores[0].value, 5.0784190, 1e-7);
    EXPECT_NEAR(std::log2(scores[0].value), 2.3443794, 1e-7);  // bits per token
    EXPECT_NEAR(scores[1].value, 0.8525016, 1e-7);
    EXPECT_NEAR(std::exp2(scores[1].value), 1.8056292, 1e-7);  // perplexity per byte
}

TEST(Scores, TheDifferenceIsPairedByWindow) {
    // Windows that differ a lot from each other and hardly from the reference's.
    std::vector<ScoredWindow> windows;
    for (int i = 0; i < 8; ++i) {
        windows.push_back(
            {.n = 10, .nll = 10.0 * i + 0.1 + 0.01 * (i % 2), .nll_reference = 10.0 * i});
    }
    const Difference difference = perplexity_difference(windows);
    EXPECT_NEAR(*difference.change_percent, measure::percent_of(0.0105), 1e-9);
    ASSERT_TRUE(difference.percent_ci95);
    EXPECT_GT(difference.percent_ci95->low, 0.9);
    EXPECT_LT(difference.percent_ci95->high, 1.2);
    EXPECT_LT(difference.p, 1e-6);
    std::vector<Difference> all{difference};
    judge_differences(all);
    EXPECT_EQ(all[0].verdict, measure::Verdict::regressed);
    for (ScoredWindow& window : windows) window.nll_reference = window.nll;
    EXPECT_EQ(perplexity_difference(windows).p, 1);
    windows.resize(kWindowsMin - 1);
    all = {perplexity_difference(windows)};
    judge_differences(all);
    EXPECT_EQ(all[0].verdict, measure::Verdict::not_enough_data);
}

}  // namespace
}  // namespace hone::quality
