#include "tensor/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/random.h"

namespace hone::tensor {
namespace {

// The value of a half by its definition, in double.
double half_value(uint16_t half) {
    const double sign = (half & 0x8000u) != 0 ? -1 : 1;
    const int exponent = (half >> 10) & 31;
    const int fraction = half & 1023;
    if (exponent == 0) return sign * std::ldexp(fraction, -24);
    return sign * std::ldexp(1024 + fraction, exponent - 25);
}

TEST(Half, EveryHalfDecodesToItsValueAndBack) {
    for (uint32_t bits = 0; bits < 0x10000u; ++bits) {
        const auto half = static_cast<uint16_t>(bits);
        const float value = f16_to_f32(half);
        if ((half & 0x7c00u) != 0x7c00u) {
            ASSERT_EQ(static_cast<double>(value), half_value(half)) << bits;
        } else if ((half & 0x3ffu) == 0) {
            ASSERT_TRUE(std::isinf(value));
        } else {
            ASSERT_TRUE(std::isnan(value));
            ASSERT_EQ(f32_to_f16(value), half | 0x200u);
            continue;
        }
        ASSERT_EQ(f32_to_f16(value), half) << bits;
    }
}

// Between two neighbouring halves: the midpoint goes to the even one, its neighbours to the nearer.
TEST(Half, RoundsToNearestEven) {
    for (uint32_t bits = 0; bits < 0x7bffu; ++bits) {
        const auto low = static_cast<uint16_t>(bits);
        const auto high = static_cast<uint16_t>(bits + 1);
        const auto middle = static_cast<float>((half_value(low) + half_value(high)) / 2);
        ASSERT_EQ(f32_to_f16(middle), (low & 1u) == 0 ? low : high) << bits;
        ASSERT_EQ(f32_to_f16(std::nextafterf(middle, 0)), low) << bits;
        ASSERT_EQ(f32_to_f16(std::nextafterf(middle, 1e9f)), high) << bits;
        ASSERT_EQ(f32_to_f16(-middle), f32_to_f16(middle) | 0x8000u) << bits;
    }
}

TEST(Half, Extremes) {
    EXPECT_EQ(f32_to_f16(65504.0f), 0x7bff);
    EXPECT_EQ(f32_to_f16(65519.99f), 0x7bff);
    EXPECT_EQ(f32_to_f16(65520.0f), 0x7c00);
    EXPECT_EQ(f32_to_f16(-1e30f), 0xfc00);
    EXPECT_EQ(f32_to_f16(std::numeric_limits<float>::infinity()), 0x7c00);
    EXPECT_EQ(f32_to_f16(std::ldexp(1.0f, -25)), 0);
    EXPECT_EQ(f32_to_f16(std::nextafterf(std::ldexp(1.0f, -25), 1)), 1);
    EXPECT_EQ(f32_to_f16(std::numeric_limits<float>::denorm_min()), 0);
    EXPECT_EQ(f32_to_f16(-0.0f), 0x8000);
    EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(std::nanf("")))));
}

TEST(Bfloat16, RoundTripsAndRounds) {
    for (uint32_t bits = 0; bits < 0x10000u; ++bits) {
        const auto value = static_cast<uint16_t>(bits);
        const bool nan = (value & 0x7fffu) > 0x7f80u;
        ASSERT_EQ(f32_to_bf16(bf16_to_f32(value)), nan ? value | 0x40u : value);
    }
    EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x3f808000u)), 0x3f80);
    EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x3f818000u)), 0x3f82);
    EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x3f808001u)), 0x3f81);
    EXPECT_EQ(f32_to_bf16(std::numeric_limits<float>::max()), 0x7f80);
    EXPECT_EQ(f32_to_bf16(std::bit_cast<float>(0x7f800001u)), 0x7fc0);
}

}  // namespace
}  // namespace hone::tensor
