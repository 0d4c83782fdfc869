#include "measure/float_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "base/random.h"

namespace hone::measure {
namespace {

FloatHistogram of(const std::vector<float>& values) {
    FloatHistogram histogram;
    for (const float value : values) histogram.add(value);
    return histogram;
}

TEST(FloatHistogram, NothingIsZeroEverywhere) {
    const FloatHistogram empty;
    EXPECT_EQ(empty.count(), 0u);
    EXPECT_EQ(empty.mean(), 0);
    EXPECT_EQ(empty.stddev(), 0);
    EXPECT_EQ(empty.rms(), 0);
    EXPECT_EQ(empty.quantile(0.5), 0);
    EXPECT_EQ(empty.magnitude_quantile(1), 0);
    EXPECT_EQ(empty.magnitude_max(), 0);
    EXPECT_EQ(empty.bins(-1, 1, 4), (std::vector<uint64_t>{0, 0, 0, 0}));
}

// -3, -1, 0, 0, 2, 8: sum 6, mean 1; squares 9 + 1 + 4 + 64 = 78, so the variance is 78 / 6 - 1 =
// 12.
TEST(FloatHistogram, MomentsByHand) {
    const FloatHistogram h = of({2, -3, 0, 8, -1, -0.0f});
    EXPECT_EQ(h.count(), 6u);
    EXPECT_EQ(h.zeros(), 2u);
    EXPECT_EQ(h.min(), -3);
    EXPECT_EQ(h.max(), 8);
    EXPECT_EQ(h.magnitude_max(), 8);
    EXPECT_DOUBLE_EQ(h.mean(), 1);
    EXPECT_DOUBLE_EQ(h.stddev(), std::sqrt(12.0));
    EXPECT_DOUBLE_EQ(h.rms(), std::sqrt(13.0));
    // The third of six values in order, the fourth, the last.
    EXPECT_EQ(h.quantile(0.5), 0);
    EXPECT_EQ(h.quantile(5.0 / 6), 2);
    EXPECT_EQ(h.quantile(1), 8);
    EXPECT_EQ(h.quantile(0), -3);
    // Magnitudes in order: 0 0 1 2 3 8.
    EXPECT_EQ(h.magnitude_quantile(0.5), 1);
    EXPECT_EQ(h.magnitude_quantile(0.51), 2);
    EXPECT_EQ(h.outside(-1, 2), 2u);
    EXPECT_EQ(h.outside(-3, 8), 0u);
    EXPECT_EQ(h.nearer_to_zero(2), 1u);
}

TEST(FloatHistogram, BinsByHand) {
    const FloatHistogram h = of({-1, -0.75f, -0.5f, 0, 0.25f, 0.5f, 1, 5, -2});
    // [-1, -0.5) [-0.5, 0) [0, 0.5) [0.5, 1]
    EXPECT_EQ(h.bins(-1, 1, 4), (std::vector<uint64_t>{2, 1, 2, 2}));
    EXPECT_EQ(h.outside(-1, 1), 2u);
}

TEST(FloatHistogram, DenormalsInfinitiesAndNans) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const FloatHistogram h = of({0x1p-149f, -0x1p-130f, 0x1.8p-127f, 0x1p-126f, 0.0f, kInfinity,
                                 -kInfinity, std::nanf("")});
    EXPECT_EQ(h.count(), 5u);
    EXPECT_EQ(h.zeros(), 1u);
    EXPECT_EQ(h.infinities(), 2u);
    EXPECT_EQ(h.nans(), 1u);
    EXPECT_EQ(h.nearer_to_zero(0x1p-126), 3u);
    EXPECT_EQ(h.max(), 0x1p-126);
    // Halves: below 2^-14 is denormal, 2^-14 is not.
    const FloatHistogram halves = of({0x1p-15f, 0x1.ff8p-15f, 0x1p-14f, -0x1p-24f});
    EXPECT_EQ(halves.nearer_to_zero(0x1p-14), 3u);
}

TEST(FloatHistogram, QuantilesAreWithinATenthOfAPercent) {
    base::Random random(7);
    std::vector<float> values(20000);
    for (float& value : values) value = static_cast<float>(0.02 * random.next_normal() + 0.005);
    const FloatHistogram h = of(values);
    std::sort(values.begin(), values.end());
    for (const double p : {0.001, 0.1, 0.25, 0.5, 0.9, 0.999}) {
        const auto rank = static_cast<size_t>(std::ceil(p * 20000)) - 1;
        const double exact = values[rank];
        EXPECT_LE(std::fabs(h.quantile(p)), std::fabs(exact)) << p;
        EXPECT_NEAR(h.quantile(p), exact, 1e-3 * std::fabs(exact)) << p;
    }
    const auto bins = h.bins(-0.2, 0.2, 50);
    EXPECT_EQ(std::accumulate(bins.begin(), bins.end(), uint64_t{0}), 20000u);
}

// 1.0005 to 1.0008 share a bin that begins at 1, outside of them all.
TEST(FloatHistogram, NothingLiesOutsideOfMinimumAndMaximum) {
    const std::vector<float> near_one = {1.0005f, 1.0006f, 1.0007f, 1.0008f};
    const std::vector<float> wide = {1.0005f, 1.5f, 3.0003f, 700.1f};
    for (const auto& magnitudes : {near_one, wide}) {
        for (const float sign : {1.0f, -1.0f}) {
            FloatHistogram h;
            for (const float magnitude : magnitudes) h.add(sign * magnitude);
            EXPECT_EQ(h.outside(h.min(), h.max()), 0u);
            for (const double p : {0.0, 0.25, 0.5, 1.0}) {
                EXPECT_GE(h.quantile(p), h.min()) << sign;
                EXPECT_LE(h.quantile(p), h.max()) << sign;
                EXPECT_GE(h.magnitude_quantile(p), double{magnitudes.front()}) << sign;
                EXPECT_LE(h.magnitude_quantile(p), h.magnitude_max()) << sign;
            }
            const auto bins = h.bins(h.min(), h.max(), 7);
            EXPECT_EQ(std::accumulate(bins.begin(), bins.end(), uint64_t{0}), h.count());
        }
    }
}

TEST(FloatHistogram, SumOfTwoIsThatOfAllValues) {
    const std::vector<float> a = {1, -2, 3e-39f, 0}, b = {7, 0.5f, -9, std::nanf("")};
    FloatHistogram sum = of(a);
    sum.add(of(b));
    sum.add(FloatHistogram());
    std::vector<float> both = a;
    both.insert(both.end(), b.begin(), b.end());
    const FloatHistogram at_once = of(both);
    EXPECT_EQ(sum.count(), at_once.count());
    EXPECT_EQ(sum.nans(), 1u);
    EXPECT_EQ(sum.min(), -9);
    EXPECT_EQ(sum.max(), 7);
    EXPECT_DOUBLE_EQ(sum.sum(), at_once.sum());
    EXPECT_DOUBLE_EQ(sum.sum_squares(), at_once.sum_squares());
    EXPECT_EQ(sum.bins(-10, 10, 20), at_once.bins(-10, 10, 20));
    FloatHistogram from_empty;
    from_empty.add(of(a));
    EXPECT_EQ(from_empty.min(), -2);
    EXPECT_EQ(from_empty.max(), 1);
}

}  // namespace
}  // namespace hone::measure
