// Conversions between float and the two 16-bit formats, bit by bit and exact: round to nearest
// even, subnormals kept, infinities kept, NaN stays NaN (made quiet, sign and top payload kept).
//
// f16  = IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits.
// bf16 = the upper half of binary32: 1 sign, 8 exponent, 7 fraction bits.
//
// Plain scalar code for loading and references, not for inner loops. Do not include it in
// x86_<isa>.cc files: a shared inline function compiled there may be picked for baseline callers.
#pragma once

#include <bit>
#include <cstdint>

namespace hone::tensor {

constexpr float kHalfMax = 65504.0f;  // the largest finite f16

constexpr float f16_to_f32(uint16_t half) {
    const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
    const uint32_t exponent = (half >> 10) & 0x1fu;
    uint32_t fraction = half & 0x3ffu;
    if (exponent == 0x1f) {
        const uint32_t quiet = fraction != 0 ? 0x400000u : 0;
        return std::bit_cast<float>(sign | 0x7f800000u | quiet | (fraction << 13));
    }
    if (exponent != 0) {
        return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
    }
    if (fraction == 0) return std::bit_cast<float>(sign);
    // A subnormal is fraction * 2^-24: shift until the leading one is implicit.
    uint32_t biased = 113;
    while ((fraction & 0x400u) == 0) {
        fraction <<= 1;
        --biased;
    }
    return std::bit_cast<float>(sign | (biased << 23) | ((fraction & 0x3ffu) << 13));
}

// Drops `shift` low bits of `value`, rounding to nearest, ties to even.
constexpr uint32_t shift_round_even(uint32_t value, uint32_t shift) {
    const uint32_t half = 1u << (shift - 1);
    const uint32_t rest = value & ((1u << shift) - 1);
    const uint32_t kept = value >> shift;
    const bool up = rest > half || (rest == half && (kept & 1u) != 0);
    return kept + (up ? 1 : 0);
}

constexpr uint16_t f32_to_f16(float value) {
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    const uint32_t sign = (bits >> 16) & 0x8000u;
    const uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) {
        return static_cast<uint16_t>(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu));
    }
    // From 65520 (half way between the largest half, 65504, and 65536) everything is infinite.
    if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);
    const uint32_t exponent = magnitude >> 23;
    if (exponent >= 113) {
        // A carry out of the fraction correctly raises the exponent.
        return static_cast<uint16_t>(sign | shift_round_even(magnitude - (112u << 23), 13));
    }
    // Below 2^-14 the result counts units of 2^-24; below 2^-25 it is zero.
    if (exponent < 102) return static_cast<uint16_t>(sign);
    const uint32_t significand = (magnitude & 0x7fffffu) | 0x800000u;
    return static_cast<uint16_t>(sign | shift_round_even(significand, 126 - exponent));
}

constexpr float bf16_to_f32(uint16_t value) {
    return std::bit_cast<float>(static_cast<uint32_t>(value) << 16);
}

constexpr uint16_t f32_to_bf16(float value) {
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
    return static_cast<uint16_t>(shift_round_even(bits, 16));
}

}  // namespace hone::tensor
