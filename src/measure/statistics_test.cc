#include "measure/statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "base/random.h"

namespace hone::measure {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

// 0, 1, ..., n - 1 in a fixed mixed order: a sample's value is its 0-based rank.
std::vector<double> ranks(size_t n) {
    std::vector<double> samples(n);
    std::iota(samples.begin(), samples.end(), 0.0);
    base::Random random(n);
    for (size_t i = n; i > 1; --i) std::swap(samples[i - 1], samples[random.next_below(i)]);
    return samples;
}

void expect_ranks(size_t n, double p, double low, double high) {
    const auto interval = percentile_interval(ranks(n), p);
    ASSERT_TRUE(interval.has_value()) << "n " << n << " p " << p;
    EXPECT_EQ(interval->low, low) << "n " << n << " p " << p;
    EXPECT_EQ(interval->high, high) << "n " << n << " p " << p;
}

TEST(Statistics, PercentilesAreLinear) {
    std::vector<double> samples(100);
    std::iota(samples.begin(), samples.end(), 1.0);
    EXPECT_DOUBLE_EQ(percentile(samples, 0.5).value(), 50.5);
    EXPECT_DOUBLE_EQ(percentile(samples, 0.9).value(), 90.1);
    EXPECT_DOUBLE_EQ(percentile(samples, 0.99).value(), 99.01);
    EXPECT_DOUBLE_EQ(percentile(samples, 0).value(), 1);
    EXPECT_DOUBLE_EQ(percentile(samples, 1).value(), 100);
    const std::vector<double> a = {100, 102, 98, 101, 99, 103, 97, 100, 102, 101};
    const std::vector<double> b = {105, 107, 104, 106, 108, 103, 107, 105, 106, 109};
    EXPECT_DOUBLE_EQ(median(a).value(), 100.5);
    EXPECT_DOUBLE_EQ(median(b).value(), 106);
    EXPECT_DOUBLE_EQ(mean(a), 100.3);
    EXPECT_DOUBLE_EQ(median(std::vector<double>{7}).value(), 7);
    EXPECT_FALSE(median({}).has_value());
    EXPECT_TRUE(std::isnan(mean({})));
}

TEST(Statistics, InfiniteSamplesAreTheSlowest) {
    const std::vector<double> samples = {kNever, 3, 1, 2, kNever};
    EXPECT_DOUBLE_EQ(median(samples).value(), 3);
    EXPECT_EQ(percentile(samples, 0.6), kNever);
    EXPECT_EQ(percentile(samples, 0.9), kNever);
    std::vector<double> many(100, 1.0);
    many[5] = kNever;
    EXPECT_EQ(percentile_interval(many, 0.5)->high, 1.0);
    EXPECT_EQ(percentile_interval(many, 0.95)->high, kNever);
    EXPECT_EQ(mean(samples), kNever);
    EXPECT_FALSE(relative_spread(samples).has_value());
}

TEST(Statistics, NanSortsLast) {
    const std::vector<double> samples = {std::nan(""), 2, std::nan(""), 1, 3};
    EXPECT_DOUBLE_EQ(median(samples).value(), 3);
    EXPECT_DOUBLE_EQ(percentile(samples, 0).value(), 1);
}

// Reference ranks: scipy.stats.binom.
TEST(Statistics, IntervalRanks) {
    expect_ranks(1000, 0.5, 468, 531);
    expect_ranks(1000, 0.9, 880, 918);
    expect_ranks(1000, 0.99, 982, 996);
    EXPECT_FALSE(percentile_interval(ranks(100), 0.99).has_value());
}

TEST(Statistics, IntervalsNeedEnoughSamples) {
    EXPECT_EQ(interval_samples_min(0.5), 6u);
    EXPECT_EQ(interval_samples_min(0.95), 72u);
    EXPECT_EQ(interval_samples_min(0.99), 368u);
    EXPECT_EQ(interval_samples_min(0.999), 3688u);
    EXPECT_EQ(interval_samples_min(0.05), 72u);
    EXPECT_EQ(interval_samples_min(1), std::numeric_limits<size_t>::max());
    for (const double p : {0.05, 0.5, 0.9, 0.95, 0.99, 0.999}) {
        const size_t n = interval_samples_min(p);
        EXPECT_FALSE(percentile_interval(ranks(n - 1), p).has_value()) << p;
        EXPECT_TRUE(percentile_interval(ranks(n), p).has_value()) << p;
    }
    expect_ranks(6, 0.5, 0, 5);
    EXPECT_EQ(percentile_interval(ranks(72), 0.95)->high, 71);
    EXPECT_EQ(percentile_interval(ranks(72), 0.05)->low, 0);
    EXPECT_FALSE(percentile_interval({}, 0.5).has_value());
    EXPECT_FALSE(percentile_interval(ranks(50), 0).has_value());
}

// The interval is what its name says: over many draws it holds the true percentile about 95 % of
// the time (never much less, since ranks are whole).
TEST(Statistics, IntervalsCover) {
    base::Random random(7);
    for (const double p : {0.5, 0.9}) {
        int covered = 0;
        constexpr int kRounds = 2000;
        for (int round = 0; round < kRounds; ++round) {
            std::vector<double> samples(101);
            for (double& sample : samples) sample = random.next_double();
            const auto interval = percentile_interval(samples, p);
            ASSERT_TRUE(interval.has_value());
            if (interval->low <= p && p <= interval->high) ++covered;
        }
        EXPECT_GE(covered, kRounds * 94 / 100) << p;
        EXPECT_LE(covered, kRounds * 99 / 100) << p;
    }
}

TEST(Statistics, LargeSamplesStayExact) {
    // For n = 1e5 the ranks follow the normal approximation to within one.
    const size_t n = 100000;
    const auto interval = percentile_interval(ranks(n), 0.5);
    ASSERT_TRUE(interval.has_value());
    const double half = 1.959963984540054 * std::sqrt(static_cast<double>(n) * 0.25);
    EXPECT_NEAR(interval->low, n / 2.0 - half, 1.5);
    EXPECT_NEAR(interval->high, n / 2.0 + half, 1.5);
    EXPECT_EQ(interval->low + interval->high, static_cast<double>(n) - 1);
}

TEST(Statistics, Wilson) {
    const Interval high = wilson_interval(95, 100);
    EXPECT_NEAR(high.low, 0.88825, 5e-6);
    EXPECT_NEAR(high.high, 0.97846, 5e-6);
    const Interval none = wilson_interval(0, 20);
    EXPECT_EQ(none.low, 0);
    EXPECT_NEAR(none.high, 0.16113, 5e-6);
    const Interval all = wilson_interval(20, 20);
    EXPECT_NEAR(all.low, 1 - 0.16113, 5e-6);
    EXPECT_EQ(all.high, 1);
    EXPECT_EQ(wilson_interval(0, 0).low, 0);
    EXPECT_EQ(wilson_interval(0, 0).high, 1);
}

TEST(Statistics, RelativeSpread) {
    EXPECT_DOUBLE_EQ(relative_spread(std::vector<double>{1, 2, 3, 4, 5}).value(), 2.0 / 3);
    EXPECT_DOUBLE_EQ(relative_spread(std::vector<double>{-1, -2, -3, -4, -5}).value(), 2.0 / 3);
    EXPECT_FALSE(relative_spread(std::vector<double>{1, 2, 3}).has_value());
    EXPECT_FALSE(relative_spread(std::vector<double>{0, 0, 0, 0}).has_value());
}

TEST(Statistics, Lines) {
    const std::vector<double> x = {1, 2, 3, 4};
    const std::vector<double> exact = {5, 7, 9, 11};
    const auto line = fit_line(x, exact);
    ASSERT_TRUE(line.has_value());
    EXPECT_NEAR(line->slope, 2, 1e-12);
    EXPECT_NEAR(line->intercept, 3, 1e-12);
    EXPECT_NEAR(line->r_squared, 1, 1e-12);
    const auto noisy = fit_line(x, std::vector<double>{1, 3, 2, 4});
    EXPECT_NEAR(noisy->slope, 0.8, 1e-12);
    EXPECT_NEAR(noisy->intercept, 0.5, 1e-12);
    EXPECT_NEAR(noisy->r_squared, 0.64, 1e-12);
    EXPECT_EQ(fit_line(x, std::vector<double>{2, 2, 2, 2})->r_squared, 1);
    EXPECT_FALSE(fit_line({}, {}).has_value());
    EXPECT_FALSE(fit_line(std::vector<double>{1}, std::vector<double>{1}).has_value());
    EXPECT_FALSE(fit_line(std::vector<double>{0.1, 0.1, 0.1}, std::vector<double>{1, 2, 3}));
    EXPECT_FALSE(fit_line(x, std::vector<double>{1, 2, kNever, 4}).has_value());
}

}  // namespace
}  // namespace hone::measure
