#include "tensor/block_encoders.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"
#include "tensor/block_codes.h"
#include "tensor/block_fields.h"
#include "tensor/codec.h"
#include "tensor/iq_grids.h"

namespace hone::tensor {

namespace {

constexpr int kGroups = 8;      // of 32 elements in a block of 256
constexpr int kSubGroups = 16;  // of 16 elements

// The value of largest magnitude, with its sign.
float signed_extreme(const float* x, int count) {
    float extreme = 0;
    for (int i = 0; i < count; ++i) {
        if (std::fabs(x[i]) > std::fabs(extreme)) extreme = x[i];
    }
    return extreme;
}

// The nearest code of x / scale in [low, high]; a zero scale has only the code of zero.
int nearest(float x, float scale, int zero, int low, int high) {
    if (scale == 0) return zero;
    const float q = std::nearbyintf(x / scale) + static_cast<float>(zero);
    return static_cast<int>(std::clamp(q, static_cast<float>(low), static_cast<float>(high)));
}

// The code whose level is nearest to x / scale.
int nearest_level(float x, float scale, const std::array<int8_t, 16>& levels) {
    const float wanted = scale == 0 ? 0 : x / scale;
    const auto distance = [&](int8_t level) {
        return std::fabs(static_cast<float>(level) - wanted);
    };
    const auto best = std::min_element(levels.begin(), levels.end(), [&](int8_t a, int8_t b) {
        return distance(a) < distance(b);
    });
    return static_cast<int>(best - levels.begin());
}

// 256 codes of 2 bits: byte l of half h holds elements 32 k + l of the half in bits 2 k.
void store_two_bits(std::byte* to, const int* q) {
    for (int i = 0; i < 64; ++i) {
        int byte = 0;
        for (int k = 0; k < 4; ++k) byte |= (q[i / 32 * 128 + 32 * k + i % 32] & 3) << (2 * k);
        to[i] = static_cast<std::byte>(byte);
    }
}

// Q4_0 and Q5_0: the extreme value takes the lowest code, so that its side is exact.
void encode_symmetric(DType dtype, const float* x, std::byte* block) {
    const int zero = dtype == DType::q4_0 ? 8 : 16;
    const float d = store_half(block, signed_extreme(x, 32) / static_cast<float>(-zero));
    std::array<int, 32> q{};
    for (size_t i = 0; i < 32; ++i) q[i] = nearest(x[i], d, zero, 0, 2 * zero - 1);
    if (dtype == DType::q4_0) return store_nibbles(block + 2, q.data());
    store_five_bits(block + 2, q.data());
}

// Q4_1 and Q5_1.
void encode_with_min(DType dtype, const float* x, std::byte* block) {
    const int top = dtype == DType::q4_1 ? 15 : 31;
    const float low = *std::min_element(x, x + 32);
    const float high = *std::max_element(x, x + 32);
    const float d = store_half(block, (high - low) / static_cast<float>(top));
    const float m = store_half(block + 2, low);
    std::array<int, 32> q{};
    for (size_t i = 0; i < 32; ++i) q[i] = nearest(x[i] - m, d, 0, 0, top);
    if (dtype == DType::q4_1) return store_nibbles(block + 4, q.data());
    store_five_bits(block + 4, q.data());
}

void encode_q8_0(const float* x, std::byte* block) {
    const float d = store_half(block, std::fabs(signed_extreme(x, 32)) / 127);
    for (int i = 0; i < 32; ++i) {
        store_field(block + 2 + i, static_cast<int8_t>(nearest(x[i], d, 0, -127, 127)));
    }
}

// Scales and minimums of groups, as integers of at most `integer_max` times two halves.
template <size_t kCount>
struct GroupScales {
    std::array<int, kCount> scale{}, min{};
    float d = 0, dmin = 0;

    GroupScales(const float* x, int top, int integer_max, std::byte* d_at, std::byte* dmin_at) {
        constexpr size_t size = 256 / kCount;
        std::array<float, kCount> scales{}, offsets{};
        for (size_t g = 0; g < kCount; ++g) {
            const float* group = x + size * g;
            const float low = std::min(0.0f, *std::min_element(group, group + size));
            const float high = std::max(0.0f, *std::max_element(group, group + size));
            scales[g] = (high - low) / static_cast<float>(top);
            offsets[g] = -low;
        }
        const auto largest = static_cast<float>(integer_max);
        d = store_half(d_at, *std::max_element(scales.begin(), scales.end()) / largest);
        dmin = store_half(dmin_at, *std::max_element(offsets.begin(), offsets.end()) / largest);
        for (size_t g = 0; g < kCount; ++g) {
            scale[g] = nearest(scales[g], d, 0, 0, integer_max);
            min[g] = nearest(offsets[g], dmin, 0, 0, integer_max);
        }
    }

    int code(float x, size_t g, int top) const {
        const float offset = dmin * static_cast<float>(min[g]);
        return nearest(x + offset, d * static_cast<float>(scale[g]), 0, 0, top);
    }
};

void encode_q2_k(const float* x, std::byte* block) {
    const GroupScales<kSubGroups> groups(x, 3, 15, block + 80, block + 82);
    std::array<int, 256> q{};
    for (size_t i = 0; i < 256; ++i) q[i] = groups.code(x[i], i / 16, 3);
    for (size_t g = 0; g < kSubGroups; ++g) {
        block[g] = static_cast<std::byte>(groups.scale[g] | groups.min[g] << 4);
    }
    store_two_bits(block + 16, q.data());
}

// Q4_K and Q5_K.
void encode_k_with_min(DType dtype, const float* x, std::byte* block) {
    const bool five = dtype == DType::q5_k;
    const int top = five ? 31 : 15;
    const GroupScales<kGroups> groups(x, top, 63, block, block + 2);
    store_six_bit_scales(block + 4, groups.scale.data(), groups.min.data());
    std::array<int, 256> q{};
    for (size_t i = 0; i < 256; ++i) q[i] = groups.code(x[i], i / 32, top);
    store_k_codes(block + 16, q.data(), five);
}

// Signed scales of 16 elements as integers in [-limit, limit) times a half; the extreme value of a
// group takes the code -top.
struct SignedScales {
    std::array<int, kSubGroups> scale{};
    float d = 0;

    SignedScales(const float* x, int top, int limit, std::byte* d_at) {
        std::array<float, kSubGroups> scales{};
        for (size_t g = 0; g < kSubGroups; ++g) {
            scales[g] = signed_extreme(x + 16 * g, 16) / static_cast<float>(-top);
        }
        d = store_half(d_at,
                       signed_extreme(scales.data(), kSubGroups) / static_cast<float>(-limit));
        for (size_t g = 0; g < kSubGroups; ++g) {
            scale[g] = nearest(scales[g], d, 0, -limit, limit - 1);
        }
    }

    // Codes 0 .. 2 top - 1, of which `top` is zero.
    int code(float x, size_t g, int top) const {
        return nearest(x, d * static_cast<float>(scale[g]), top, 0, 2 * top - 1);
    }
};

void encode_q3_k(const float* x, std::byte* block) {
    const SignedScales groups(x, 4, 32, block + 108);
    std::array<int, 256> q{};
    for (size_t i = 0; i < 256; ++i) q[i] = groups.code(x[i], i / 16, 4);
    for (int l = 0; l < 32; ++l) {
        int bits = 0;
        for (int g = 0; g < kGroups; ++g) bits |= (q[32 * g + l] >> 2) << g;
        block[l] = static_cast<std::byte>(bits);
    }
    store_two_bits(block + 32, q.data());
    std::array<int, 12> packed{};
    for (size_t j = 0; j < kSubGroups; ++j) {
        const int sc = groups.scale[j] + 32;
        packed[j % 8] |= (sc & 15) << (4 * (j / 8));
        packed[8 + j % 4] |= (sc >> 4) << (2 * (j / 4));
    }
    for (size_t i = 0; i < 12; ++i) block[96 + i] = static_cast<std::byte>(packed[i]);
}

void encode_q6_k(const float* x, std::byte* block) {
    const SignedScales groups(x, 32, 128, block + 208);
    std::array<int, 256> q{};
    for (size_t i = 0; i < 256; ++i) q[i] = groups.code(x[i], i / 16, 32);
    store_q6_codes(block, q.data());
    for (int g = 0; g < kSubGroups; ++g) {
        store_field(block + 192 + g, static_cast<int8_t>(groups.scale[g]));
    }
}

void store_levels(const float* x, float scale, const std::array<int8_t, 16>& levels,
                  std::byte* to) {
    std::array<int, 32> q{};
    for (size_t i = 0; i < 32; ++i) q[i] = nearest_level(x[i], scale, levels);
    store_nibbles(to, q.data());
}

void encode_iq4_xs(const float* x, std::byte* block) {
    std::array<float, kGroups> scales{};
    for (int g = 0; g < kGroups; ++g) scales[g] = signed_extreme(x + 32 * g, 32) / -127;
    const float d = store_half(block, signed_extreme(scales.data(), kGroups) / -32);
    int high = 0;
    std::array<int, 4> low{};
    for (int g = 0; g < kGroups; ++g) {
        const int sc = nearest(scales[g], d, 32, 0, 63);
        low[g / 2] |= (sc & 15) << (4 * (g % 2));
        high |= (sc >> 4) << (2 * g);
        store_levels(x + 32 * g, d * static_cast<float>(sc - 32), kIq4Levels, block + 8 + 16 * g);
    }
    store_field(block + 2, static_cast<uint16_t>(high));
    for (int i = 0; i < 4; ++i) block[4 + i] = static_cast<std::byte>(low[i]);
}

// The exponent after the OCP Microscaling specification: that of the largest value, less 2, the
// largest exponent of e2m1. Values up to a third above the largest level are cut to it.
void encode_mxfp4(const float* x, std::byte* block) {
    int exponent = 0;
    std::frexp(signed_extreme(x, 32), &exponent);
    const int e = std::clamp(exponent - 1 - 2 + 127, 0, 254);
    block[0] = static_cast<std::byte>(e);
    store_levels(x, std::ldexp(1.0f, e - 128), kMxfp4Levels, block + 1);
}

// Codes 0, 1, 2 of all elements, and the scale.
void ternary_codes(const float* x, std::byte* d_at, std::array<int, 256>& q) {
    const float d = store_half(d_at, std::fabs(signed_extreme(x, 256)));
    for (size_t i = 0; i < 256; ++i) q[i] = nearest(x[i], d, 1, 0, 2);
}

void encode_tq2_0(const float* x, std::byte* block) {
    std::array<int, 256> q{};
    ternary_codes(x, block + 64, q);
    store_two_bits(block, q.data());
}

// A byte of trits t0, t1, .. is the fraction 0.t0t1.. in base 3, rounded up to 256ths, so that
// multiplying by 3 brings the next trit out on top.
void encode_tq1_0(const float* x, std::byte* block) {
    std::array<int, 256> q{};
    ternary_codes(x, block + 52, q);
    auto store_trits = [&](int from, int count, int trits, std::byte* to) {
        for (int i = 0; i < count; ++i) {
            int number = 0;
            for (int n = 0; n < 5; ++n)
                number = 3 * number + (n < trits ? q[from + count * n + i] : 0);
            to[i] = static_cast<std::byte>((number * 256 + 242) / 243);
        }
    };
    store_trits(0, 32, 5, block);
    store_trits(160, 16, 5, block + 32);
    store_trits(240, 4, 4, block + 48);
}

void encode_plain(DType dtype, float x, std::byte* to) {
    if (dtype == DType::f32) {
        store_field(to, x);
    } else if (dtype == DType::f16) {
        store_field(to, f32_to_f16(x));
    } else if (dtype == DType::bf16) {
        store_field(to, f32_to_bf16(x));
    } else if (dtype == DType::f64) {
        store_field(to, static_cast<double>(x));
    } else {
        store_field(to, static_cast<int32_t>(
                            std::clamp(std::nearbyintf(x), -2147483648.0f, 2147483520.0f)));
    }
}

}  // namespace

bool can_quantize(DType dtype) {
    switch (dtype) {
        case DType::iq1_s:
        case DType::iq1_m:
        case DType::iq2_xxs:
        case DType::iq2_xs:
        case DType::iq2_s:
        case DType::iq3_xxs:
        case DType::iq3_s:
            return false;
        default:
            return true;
    }
}

DType fitting_type(DType dtype, uint64_t columns) {
    if (columns % block_elements(dtype) == 0) return dtype;
    switch (dtype) {
        case DType::q2_k:
        case DType::q3_k:
        case DType::iq4_xs:
            return fitting_type(DType::iq4_nl, columns);
        case DType::tq1_0:
        case DType::tq2_0:
            return fitting_type(DType::q4_0, columns);
        case DType::q4_k:
            return fitting_type(DType::q5_0, columns);
        case DType::q5_k:
            return fitting_type(DType::q5_1, columns);
        case DType::q6_k:
            return fitting_type(DType::q8_0, columns);
        default:
            return DType::f16;
    }
}

void encode_block(DType dtype, const float* x, std::byte* block) {
    HONE_DCHECK(can_quantize(dtype));
    switch (dtype) {
        case DType::q4_0:
        case DType::q5_0:
            return encode_symmetric(dtype, x, block);
        case DType::q4_1:
        case DType::q5_1:
            return encode_with_min(dtype, x, block);
        case DType::q8_0:
            return encode_q8_0(x, block);
        case DType::q2_k:
            return encode_q2_k(x, block);
        case DType::q3_k:
            return encode_q3_k(x, block);
        case DType::q4_k:
        case DType::q5_k:
            return encode_k_with_min(dtype, x, block);
        case DType::q6_k:
            return encode_q6_k(x, block);
        case DType::iq4_nl: {
            const float d = store_half(block, signed_extreme(x, 32) / -127);
            return store_levels(x, d, kIq4Levels, block + 2);
        }
        case DType::iq4_xs:
            return encode_iq4_xs(x, block);
        case DType::tq1_0:
            return encode_tq1_0(x, block);
        case DType::tq2_0:
            return encode_tq2_0(x, block);
        case DType::mxfp4:
            return encode_mxfp4(x, block);
        default:
            return encode_plain(dtype, *x, block);
    }
}

}  // namespace hone::tensor
