#include "quality/scores.h"

#include <gtest/gtest.h>

#include <cmath>

namespace hone::quality {
namespace {

TEST(Scores, FollowTheirDefinitions) {
    const std::vector<ScoredWindow> windows{
        {.n = 4, .nll = 8, .nll_reference = 4, .kl = 1, .same_top = 3},
        {.n = 6, .nll = 7, .nll_reference = 6, .kl = 2, .same_top = 3}};
    const auto scores = scores_of(windows, true);
    ASSERT_EQ(scores.size(), 4u);
    EXPECT_DOUBLE_EQ(scores[0].value, std::exp(1.5));
    EXPECT_DOUBLE_EQ(scores[1].value, std::exp(1.0));
    EXPECT_DOUBLE_EQ(scores[2].value, 0.3);
    EXPECT_DOUBLE_EQ(scores[3].value, 0.6);
    for (const Score& score : scores) {
        EXPECT_EQ(score.n, 10u);
        EXPECT_FALSE(score.ci95) << "two windows have no interval";
    }
    EXPECT_EQ(scores_of(windows, false).size(), 1u);
}

TEST(Scores, IntervalIsStudentsOverWindowMeans) {
    std::vector<ScoredWindow> windows;
    for (const double mean : {1.0, 2.0, 3.0, 4.0, 5.0, 6.0}) {
        windows.push_back({.n = 10, .nll = 10 * mean, .kl = 10 * mean - 9.9, .same_top = 10});
    }
    const auto scores = scores_of(windows, true);
    // Standard deviation of 1..6 is sqrt(3.5); t(5) = 2.5706.
    const double reach = 2.5706 * std::sqrt(3.5 / 6);
    ASSERT_TRUE(scores[0].ci95);
    EXPECT_NEAR(scores[0].ci95->low, std::exp(3.5 - reach), 1e-9);
    EXPECT_NEAR(scores[0].ci95->high, std::exp(3.5 + reach), 1e-9);
    EXPECT_GE(scores[2].ci95->low, 0.0);
    EXPECT_DOUBLE_EQ(scores[3].ci95->high, 1.0);
}

}  // namespace
}  // namespace hone::quality
