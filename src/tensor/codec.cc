#include "tensor/codec.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "base/check.h"
#include "tensor/half.h"

namespace hone::tensor {

namespace {

// Where the fields of each block start, in bytes.
constexpr size_t kQ41Min = 2, kQ41Codes = 4;
constexpr size_t kQ50High = 2, kQ50Codes = 6;
constexpr size_t kQ4KMin = 2, kQ4KScales = 4, kQ4KCodes = 16;
constexpr size_t kQ6KHigh = 128, kQ6KScales = 192, kQ6KScale = 208;
constexpr int kGroupsQ4K = 8, kGroupsQ6K = 16;

template <class T>
T load(const std::byte* from) {
    T value;
    std::memcpy(&value, from, sizeof(T));
    return value;
}

template <class T>
void store(std::byte* to, T value) {
    std::memcpy(to, &value, sizeof(T));
}

float load_half(const std::byte* from) {
    return f16_to_f32(load<uint16_t>(from));
}

// Stores a scale as a half and returns the value that a reader will see.
float store_half(std::byte* to, float value) {
    const uint16_t half = f32_to_f16(value);
    store(to, half);
    return f16_to_f32(half);
}

int code(const std::byte* from) {
    return static_cast<int>(*from);
}

void decode_q4_0(const std::byte* block, float* out) {
    const float d = load_half(block);
    for (int i = 0; i < 16; ++i) {
        const int byte = code(block + 2 + i);
        out[i] = d * static_cast<float>((byte & 15) - 8);
        out[i + 16] = d * static_cast<float>((byte >> 4) - 8);
    }
}

void decode_q4_1(const std::byte* block, float* out) {
    const float d = load_half(block);
    const float m = load_half(block + kQ41Min);
    for (int i = 0; i < 16; ++i) {
        const int byte = code(block + kQ41Codes + i);
        out[i] = d * static_cast<float>(byte & 15) + m;
        out[i + 16] = d * static_cast<float>(byte >> 4) + m;
    }
}

void decode_q5_0(const std::byte* block, float* out) {
    const float d = load_half(block);
    const uint32_t high = load<uint32_t>(block + kQ50High);
    for (int i = 0; i < 16; ++i) {
        const int byte = code(block + kQ50Codes + i);
        const int low_q = (byte & 15) | static_cast<int>((high >> i) & 1u) << 4;
        const int high_q = (byte >> 4) | static_cast<int>((high >> (i + 16)) & 1u) << 4;
        out[i] = d * static_cast<float>(low_q - 16);
        out[i + 16] = d * static_cast<float>(high_q - 16);
    }
}

void decode_q8_0(const std::byte* block, float* out) {
    const float d = load_half(block);
    for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(load<int8_t>(block + 2 + i));
}

void decode_q4_k(const std::byte* block, float* out) {
    const float d = load_half(block);
    const float dmin = load_half(block + kQ4KMin);
    const std::byte* b = block + kQ4KScales;
    for (int g = 0; g < kGroupsQ4K; ++g) {
        int sc = 0, mn = 0;
        if (g < 4) {
            sc = code(b + g) & 63;
            mn = code(b + g + 4) & 63;
        } else {
            sc = (code(b + g + 4) & 15) | (code(b + g - 4) >> 6) << 4;
            mn = (code(b + g + 4) >> 4) | (code(b + g) >> 6) << 4;
        }
        const float scale = d * static_cast<float>(sc);
        const float offset = dmin * static_cast<float>(mn);
        const std::byte* qs = block + kQ4KCodes + 32 * (g / 2);
        for (int i = 0; i < 32; ++i) {
            const int q = g % 2 == 0 ? code(qs + i) & 15 : code(qs + i) >> 4;
            out[32 * g + i] = scale * static_cast<float>(q) - offset;
        }
    }
}

void decode_q6_k(const std::byte* block, float* out) {
    const float d = load_half(block + kQ6KScale);
    for (int i = 0; i < 256; ++i) {
        const int half = i / 128, k = i % 128 / 32, l = i % 32;
        const int low = code(block + 64 * half + 32 * (k % 2) + l);
        const int high = code(block + kQ6KHigh + 32 * half + l);
        const int q = (k < 2 ? low & 15 : low >> 4) | ((high >> (2 * k)) & 3) << 4;
        const float scale = d * static_cast<float>(load<int8_t>(block + kQ6KScales + i / 16));
        out[i] = scale * static_cast<float>(q - 32);
    }
}

void decode_plain(DType dtype, const std::byte* from, float* out) {
    if (dtype == DType::f32) {
        *out = load<float>(from);
    } else if (dtype == DType::f16) {
        *out = load_half(from);
    } else if (dtype == DType::bf16) {
        *out = bf16_to_f32(load<uint16_t>(from));
    } else {
        HONE_CHECK(dtype == DType::i32);
        *out = static_cast<float>(load<int32_t>(from));
    }
}

void decode_block(DType dtype, const std::byte* block, float* out) {
    switch (dtype) {
        case DType::q4_0:
            return decode_q4_0(block, out);
        case DType::q4_1:
            return decode_q4_1(block, out);
        case DType::q5_0:
            return decode_q5_0(block, out);
        case DType::q8_0:
            return decode_q8_0(block, out);
        case DType::q4_k:
            return decode_q4_k(block, out);
        case DType::q6_k:
            return decode_q6_k(block, out);
        default:
            return decode_plain(dtype, block, out);
    }
}

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

void store_nibbles(std::byte* to, const std::array<int, 32>& q) {
    for (size_t i = 0; i < 16; ++i) {
        to[i] = static_cast<std::byte>((q[i] & 15) | (q[i + 16] & 15) << 4);
    }
}

// Q4_0 and Q5_0: the extreme value takes the lowest code, so that its side is exact.
void encode_symmetric(DType dtype, const float* x, std::byte* block) {
    const int zero = dtype == DType::q4_0 ? 8 : 16;
    const float d = store_half(block, signed_extreme(x, 32) / static_cast<float>(-zero));
    std::array<int, 32> q{};
    uint32_t high = 0;
    for (size_t i = 0; i < 32; ++i) {
        q[i] = nearest(x[i], d, zero, 0, 2 * zero - 1);
        high |= static_cast<uint32_t>(q[i] >> 4 & 1) << i;
    }
    if (dtype == DType::q4_0) return store_nibbles(block + 2, q);
    store(block + kQ50High, high);
    store_nibbles(block + kQ50Codes, q);
}

void encode_q4_1(const float* x, std::byte* block) {
    const float low = *std::min_element(x, x + 32);
    const float high = *std::max_element(x, x + 32);
    const float d = store_half(block, (high - low) / 15);
    const float m = store_half(block + kQ41Min, low);
    std::array<int, 32> q{};
    for (size_t i = 0; i < 32; ++i) q[i] = nearest(x[i] - m, d, 0, 0, 15);
    store_nibbles(block + kQ41Codes, q);
}

void encode_q8_0(const float* x, std::byte* block) {
    const float d = store_half(block, std::fabs(signed_extreme(x, 32)) / 127);
    for (int i = 0; i < 32; ++i) {
        store(block + 2 + i, static_cast<int8_t>(nearest(x[i], d, 0, -127, 127)));
    }
}

void encode_q4_k(const float* x, std::byte* block) {
    std::array<float, kGroupsQ4K> scales{}, offsets{};
    for (int g = 0; g < kGroupsQ4K; ++g) {
        const float* group = x + 32 * g;
        const float low = std::min(0.0f, *std::min_element(group, group + 32));
        const float high = std::max(0.0f, *std::max_element(group, group + 32));
        scales[g] = (high - low) / 15;
        offsets[g] = -low;
    }
    const float d = store_half(block, *std::max_element(scales.begin(), scales.end()) / 63);
    const float dmin =
        store_half(block + kQ4KMin, *std::max_element(offsets.begin(), offsets.end()) / 63);
    std::array<int, 12> packed{};
    std::array<int, 256> q{};
    for (int g = 0; g < kGroupsQ4K; ++g) {
        const int sc = nearest(scales[g], d, 0, 0, 63);
        const int mn = nearest(offsets[g], dmin, 0, 0, 63);
        if (g < 4) {
            packed[g] |= sc;
            packed[g + 4] |= mn;
        } else {
            packed[g + 4] |= (sc & 15) | (mn & 15) << 4;
            packed[g - 4] |= (sc >> 4) << 6;
            packed[g] |= (mn >> 4) << 6;
        }
        const float scale = d * static_cast<float>(sc);
        const float offset = dmin * static_cast<float>(mn);
        for (int i = 0; i < 32; ++i) {
            q[32 * g + i] = nearest(x[32 * g + i] + offset, scale, 0, 0, 15);
        }
    }
    for (int i = 0; i < 12; ++i) block[kQ4KScales + i] = static_cast<std::byte>(packed[i]);
    for (int i = 0; i < 128; ++i) {
        const int low = i / 32 * 64 + i % 32;
        block[kQ4KCodes + i] = static_cast<std::byte>(q[low] | q[low + 32] << 4);
    }
}

void encode_q6_k(const float* x, std::byte* block) {
    std::array<float, kGroupsQ6K> scales{};
    for (int g = 0; g < kGroupsQ6K; ++g) scales[g] = signed_extreme(x + 16 * g, 16) / -32;
    const float d = store_half(block + kQ6KScale, signed_extreme(scales.data(), kGroupsQ6K) / -128);
    std::array<int, 256> q{};
    for (int g = 0; g < kGroupsQ6K; ++g) {
        const int sc = nearest(scales[g], d, 0, -128, 127);
        store(block + kQ6KScales + g, static_cast<int8_t>(sc));
        const float scale = d * static_cast<float>(sc);
        for (int i = 0; i < 16; ++i) q[16 * g + i] = nearest(x[16 * g + i], scale, 32, 0, 63);
    }
    std::memset(block, 0, kQ6KScales);
    for (int i = 0; i < 256; ++i) {
        const int half = i / 128, k = i % 128 / 32, l = i % 32;
        block[64 * half + 32 * (k % 2) + l] |=
            static_cast<std::byte>((q[i] & 15) << (k < 2 ? 0 : 4));
        block[kQ6KHigh + 32 * half + l] |= static_cast<std::byte>((q[i] >> 4) << (2 * k));
    }
}

void encode_plain(DType dtype, float x, std::byte* to) {
    if (dtype == DType::f32) {
        store(to, x);
    } else if (dtype == DType::f16) {
        store(to, f32_to_f16(x));
    } else if (dtype == DType::bf16) {
        store(to, f32_to_bf16(x));
    } else {
        HONE_CHECK(dtype == DType::i32);
        store(to,
              static_cast<int32_t>(std::clamp(std::nearbyintf(x), -2147483648.0f, 2147483520.0f)));
    }
}

void encode_block(DType dtype, const float* x, std::byte* block) {
    switch (dtype) {
        case DType::q4_0:
        case DType::q5_0:
            return encode_symmetric(dtype, x, block);
        case DType::q4_1:
            return encode_q4_1(x, block);
        case DType::q8_0:
            return encode_q8_0(x, block);
        case DType::q4_k:
            return encode_q4_k(x, block);
        case DType::q6_k:
            return encode_q6_k(x, block);
        default:
            return encode_plain(dtype, *x, block);
    }
}

}  // namespace

void dequantize(DType dtype, const std::byte* blocks, size_t elements, float* out) {
    const size_t per_block = block_elements(dtype);
    HONE_CHECK_EQ(elements % per_block, size_t{0});
    for (size_t i = 0; i < elements / per_block; ++i) {
        decode_block(dtype, blocks + i * block_bytes(dtype), out + i * per_block);
    }
}

bool can_quantize(DType dtype) {
    switch (dtype) {
        case DType::f32:
        case DType::f16:
        case DType::bf16:
        case DType::q4_0:
        case DType::q4_1:
        case DType::q5_0:
        case DType::q8_0:
        case DType::q4_k:
        case DType::q6_k:
        case DType::i32:
            return true;
        default:
            return false;
    }
}

void quantize(DType dtype, const float* values, size_t elements, std::byte* out) {
    const size_t per_block = block_elements(dtype);
    HONE_CHECK_EQ(elements % per_block, size_t{0});
    for (size_t i = 0; i < elements / per_block; ++i) {
        encode_block(dtype, values + i * per_block, out + i * block_bytes(dtype));
    }
}

}  // namespace hone::tensor
