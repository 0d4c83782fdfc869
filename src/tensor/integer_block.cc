#include "tensor/integer_block.h"

#include <bit>

#include "base/check.h"
#include "tensor/block_fields.h"
#include "tensor/iq_grids.h"

namespace hone::tensor {

namespace {

constexpr int kBlockGroups = 8;  // of 32 elements in a block of 256

void set_group_scale(IntegerBlock& out, int g, float scale) {
    out.scales[2 * g] = scale;
    out.scales[2 * g + 1] = scale;
}

// Eight signs out of seven bits: the eighth makes the number of minus signs even.
uint32_t with_parity(uint32_t seven_bits) {
    return seven_bits | static_cast<uint32_t>(std::popcount(seven_bits) & 1) << 7;
}

template <size_t kLevels>
void put_entry(uint32_t entry, int count, int bits, const std::array<int8_t, kLevels>& levels,
               uint32_t signs, int8_t* to) {
    const uint32_t mask = (1u << bits) - 1;
    for (int i = 0; i < count; ++i) {
        const int8_t level = levels[entry >> (bits * i) & mask];
        to[i] = (signs >> i & 1) != 0 ? static_cast<int8_t>(-level) : level;
    }
}

void put_eight(uint32_t entry, uint32_t signs, int8_t* to) {
    put_entry(entry, 8, 2, kIq2Levels, signs, to);
}

template <size_t kLevels>
void put_two_fours(uint32_t first, uint32_t second, const std::array<int8_t, kLevels>& levels,
                   uint32_t signs, int8_t* to) {
    put_entry(first, 4, 3, levels, signs, to);
    put_entry(second, 4, 3, levels, signs >> 4, to + 4);
}

int nibble(const std::byte* bytes, int index) {
    return byte_at(bytes + index / 2) >> (4 * (index % 2)) & 15;
}

void decode_q3_k(const std::byte* block, IntegerBlock& out) {
    const std::byte* qs = block + 32;
    const std::byte* scales = block + 96;
    const float d = load_half(block + 108);
    for (int j = 0; j < 16; ++j) {
        const int low = byte_at(scales + j % 8) >> (4 * (j / 8)) & 15;
        const int high = byte_at(scales + 8 + j % 4) >> (2 * (j / 4)) & 3;
        out.scales[j] = d * static_cast<float>((low | high << 4) - 32);
    }
    for (int i = 0; i < 256; ++i) {
        const int g = i / 32, l = i % 32;
        const int two_bits = byte_at(qs + 32 * (g / 4) + l) >> (2 * (g % 4)) & 3;
        const bool upper = (byte_at(block + l) >> g & 1) != 0;
        out.values[i] = static_cast<int8_t>(two_bits - (upper ? 0 : 4));
    }
}

void decode_iq2_xxs(const std::byte* block, IntegerBlock& out) {
    const float d = load_half(block);
    for (int g = 0; g < kBlockGroups; ++g) {
        const std::byte* group = block + 2 + 8 * g;
        const auto packed = load_field<uint32_t>(group + 4);
        set_group_scale(out, g, d * (0.5f + static_cast<float>(packed >> 28)) * 0.25f);
        for (int k = 0; k < 4; ++k) {
            put_eight(kIq2XxsGrid[static_cast<size_t>(byte_at(group + k))],
                      with_parity(packed >> (7 * k) & 127), &out.values[32 * g + 8 * k]);
        }
    }
}

void decode_iq2_xs(const std::byte* block, IntegerBlock& out) {
    const float d = load_half(block);
    for (int j = 0; j < 16; ++j) {
        out.scales[j] = d * (0.5f + static_cast<float>(nibble(block + 66, j))) * 0.25f;
    }
    for (int k = 0; k < 32; ++k) {
        const auto packed = load_field<uint16_t>(block + 2 + 2 * k);
        put_eight(kIq2XsGrid[packed & 511u], with_parity(packed >> 9), &out.values[8 * k]);
    }
}

void decode_iq2_s(const std::byte* block, IntegerBlock& out) {
    const float d = load_half(block);
    const std::byte* signs = block + 34;
    const std::byte* high = block + 66;
    for (int j = 0; j < 16; ++j) {
        out.scales[j] = d * (0.5f + static_cast<float>(nibble(block + 74, j))) * 0.25f;
    }
    for (int k = 0; k < 32; ++k) {
        const int index = byte_at(block + 2 + k) | (byte_at(high + k / 4) >> (2 * (k % 4)) & 3)
                                                       << 8;
        put_eight(kIq2SGrid[static_cast<size_t>(index)], static_cast<uint32_t>(byte_at(signs + k)),
                  &out.values[8 * k]);
    }
}

void decode_iq3_xxs(const std::byte* block, IntegerBlock& out) {
    const float d = load_half(block);
    for (int g = 0; g < kBlockGroups; ++g) {
        const auto packed = load_field<uint32_t>(block + 66 + 4 * g);
        set_group_scale(out, g, d * (0.5f + static_cast<float>(packed >> 28)) * 0.5f);
        for (int k = 0; k < 4; ++k) {
            const std::byte* index = block + 2 + 8 * g + 2 * k;
            put_two_fours(kIq3XxsGrid[static_cast<size_t>(byte_at(index))],
                          kIq3XxsGrid[static_cast<size_t>(byte_at(index + 1))], kIq3XxsLevels,
                          with_parity(packed >> (7 * k) & 127), &out.values[32 * g + 8 * k]);
        }
    }
}

void decode_iq3_s(const std::byte* block, IntegerBlock& out) {
    const float d = load_half(block);
    const std::byte* qs = block + 2;
    const std::byte* high = block + 66;
    const std::byte* signs = block + 74;
    auto entry = [&](int four) {
        const int ninth = byte_at(high + four / 8) >> (four % 8) & 1;
        return kIq3SGrid[static_cast<size_t>(byte_at(qs + four) | ninth << 8)];
    };
    for (int g = 0; g < kBlockGroups; ++g) {
        set_group_scale(out, g, d * static_cast<float>(1 + 2 * nibble(block + 106, g)));
    }
    for (int k = 0; k < 32; ++k) {
        put_two_fours(entry(2 * k), entry(2 * k + 1), kIq3SLevels,
                      static_cast<uint32_t>(byte_at(signs + k)), &out.values[8 * k]);
    }
}

// grid + delta in eighths: 8 * level +- 1.
void put_ternary(uint32_t entry, bool minus, int8_t* to) {
    for (int i = 0; i < 8; ++i) {
        const int level = kIq1Levels[entry >> (2 * i) & 3];
        to[i] = static_cast<int8_t>(8 * level + (minus ? -1 : 1));
    }
}

void decode_iq1_s(const std::byte* block, IntegerBlock& out) {
    const float d = load_half(block);
    for (int g = 0; g < kBlockGroups; ++g) {
        const auto high = load_field<uint16_t>(block + 34 + 2 * g);
        set_group_scale(out, g, d * static_cast<float>(2 * (high >> 12 & 7) + 1) * 0.125f);
        for (int k = 0; k < 4; ++k) {
            const int index = byte_at(block + 2 + 4 * g + k) | (high >> (3 * k) & 7) << 8;
            put_ternary(kIq1Grid[static_cast<size_t>(index)], (high & 0x8000) != 0,
                        &out.values[32 * g + 8 * k]);
        }
    }
}

void decode_iq1_m(const std::byte* block, IntegerBlock& out) {
    const std::byte* scales = block + 48;
    uint32_t d_bits = 0;
    for (int i = 0; i < 4; ++i) {
        d_bits |= static_cast<uint32_t>(load_field<uint16_t>(scales + 2 * i) >> 12) << (4 * i);
    }
    const float d = f16_to_f32(static_cast<uint16_t>(d_bits));
    for (int j = 0; j < 16; ++j) {
        const int s = load_field<uint16_t>(scales + 2 * (j / 4)) >> (3 * (j % 4)) & 7;
        out.scales[j] = d * static_cast<float>(2 * s + 1) * 0.125f;
    }
    for (int k = 0; k < 32; ++k) {
        const int high = nibble(block + 32, k);
        put_ternary(kIq1Grid[static_cast<size_t>(byte_at(block + k) | (high & 7) << 8)],
                    (high & 8) != 0, &out.values[8 * k]);
    }
}

// 16 bytes of nibbles, low ones first, through a table.
void put_nibbles(const std::byte* codes, const std::array<int8_t, 16>& levels, int8_t* to) {
    for (int i = 0; i < 16; ++i) {
        const int byte = byte_at(codes + i);
        to[i] = levels[static_cast<size_t>(byte & 15)];
        to[i + 16] = levels[static_cast<size_t>(byte >> 4)];
    }
}

void decode_iq4_xs(const std::byte* block, IntegerBlock& out) {
    const float d = load_half(block);
    const int high = load_field<uint16_t>(block + 2);
    for (int g = 0; g < kBlockGroups; ++g) {
        const int s = nibble(block + 4, g) | (high >> (2 * g) & 3) << 4;
        set_group_scale(out, g, d * static_cast<float>(s - 32));
        put_nibbles(block + 8 + 16 * g, kIq4Levels, &out.values[32 * g]);
    }
}

// Trit n of `count` bytes, n = 0, 1, ..: base 3, most significant first, scaled to the byte's
// range.
int8_t* put_trits(const std::byte* bytes, int count, int trits, int8_t* to) {
    int power = 1;
    for (int n = 0; n < trits; ++n) {
        for (int i = 0; i < count; ++i) {
            const int shifted = byte_at(bytes + i) * power & 255;
            *to++ = static_cast<int8_t>((shifted * 3 >> 8) - 1);
        }
        power *= 3;
    }
    return to;
}

void decode_tq1_0(const std::byte* block, IntegerBlock& out) {
    out.scales.fill(load_half(block + 52));
    int8_t* to = put_trits(block, 32, 5, out.values.data());
    to = put_trits(block + 32, 16, 5, to);
    put_trits(block + 48, 4, 4, to);
}

void decode_tq2_0(const std::byte* block, IntegerBlock& out) {
    out.scales.fill(load_half(block + 64));
    for (int i = 0; i < 256; ++i) {
        const int g = i / 32;
        const int code = byte_at(block + 32 * (g / 4) + i % 32) >> (2 * (g % 4)) & 3;
        out.values[i] = static_cast<int8_t>(code - 1);
    }
}

// 2^(e - 128): half of what e8m0 says, because the levels are doubled. The two smallest are
// subnormal floats.
float half_of_e8m0(uint32_t e) {
    return std::bit_cast<float>(e < 2 ? 0x00200000u << e : (e - 1) << 23);
}

}  // namespace

void decode_integers(DType dtype, const std::byte* block, IntegerBlock& out) {
    switch (dtype) {
        case DType::q3_k:
            return decode_q3_k(block, out);
        case DType::iq1_s:
            return decode_iq1_s(block, out);
        case DType::iq1_m:
            return decode_iq1_m(block, out);
        case DType::iq2_xxs:
            return decode_iq2_xxs(block, out);
        case DType::iq2_xs:
            return decode_iq2_xs(block, out);
        case DType::iq2_s:
            return decode_iq2_s(block, out);
        case DType::iq3_xxs:
            return decode_iq3_xxs(block, out);
        case DType::iq3_s:
            return decode_iq3_s(block, out);
        case DType::iq4_nl:
            set_group_scale(out, 0, load_half(block));
            return put_nibbles(block + 2, kIq4Levels, out.values.data());
        case DType::iq4_xs:
            return decode_iq4_xs(block, out);
        case DType::tq1_0:
            return decode_tq1_0(block, out);
        case DType::tq2_0:
            return decode_tq2_0(block, out);
        case DType::mxfp4:
            set_group_scale(out, 0, half_of_e8m0(load_field<uint8_t>(block)));
            return put_nibbles(block + 1, kMxfp4Levels, out.values.data());
        default:
            HONE_CHECK(false);
    }
}

}  // namespace hone::tensor
