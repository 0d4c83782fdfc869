// The bytes of blocks: fields and codes of compress/block_grid.h in the layouts of tensor/codec.h.
#include <cstring>

#include "base/check.h"
#include "compress/block_grid.h"

namespace hone::compress {
namespace {

using tensor::DType;

template <class T>
std::byte* put(std::byte* to, T value) {
    std::memcpy(to, &value, sizeof(T));
    return to + sizeof(T);
}

std::byte to_byte(int value) {
    return static_cast<std::byte>(value & 0xff);
}

// Element i in the low half of byte i, element i + 16 in the high half.
void put_nibbles(std::byte* to, const BlockCodes& codes, int zero) {
    for (int i = 0; i < 16; ++i) {
        to[i] = to_byte(((codes[i] + zero) & 15) | ((codes[i + 16] + zero) & 15) << 4);
    }
}

uint32_t fifth_bits(const BlockCodes& codes, int zero) {
    uint32_t bits = 0;
    for (int i = 0; i < 32; ++i) {
        bits |= static_cast<uint32_t>((codes[i] + zero) >> 4 & 1) << i;
    }
    return bits;
}

void pack_32(DType dtype, const BlockGrid& grid, const BlockCodes& codes, std::byte* out) {
    out = put(out, grid.d);
    if (dtype == DType::q8_0) {
        std::memcpy(out, codes.data(), 32);
        return;
    }
    const int zero = -grid_shape(dtype).low;
    if (dtype == DType::q4_1 || dtype == DType::q5_1) out = put(out, grid.m);
    if (dtype == DType::q5_0 || dtype == DType::q5_1) out = put(out, fifth_bits(codes, zero));
    put_nibbles(out, codes, zero);
}

// Eight 6-bit scales and minima in 12 bytes.
void pack_group_scales(const BlockGrid& grid, std::byte* out) {
    std::array<int, 12> bytes{};
    for (int g = 0; g < 8; ++g) {
        const int scale = grid.group_scale[g], minimum = grid.group_minimum[g];
        if (g < 4) {
            bytes[g] |= scale;
            bytes[g + 4] |= minimum;
        } else {
            bytes[g + 4] |= (scale & 15) | (minimum & 15) << 4;
            bytes[g - 4] |= (scale >> 4) << 6;
            bytes[g] |= (minimum >> 4) << 6;
        }
    }
    for (int i = 0; i < 12; ++i) out[i] = to_byte(bytes[i]);
}

void pack_affine_k(const BlockGrid& grid, const BlockCodes& codes, bool five_bits, std::byte* out) {
    out = put(out, grid.d);
    out = put(out, grid.m);
    pack_group_scales(grid, out);
    out += 12;
    if (five_bits) {
        // Bit g of byte l is bit 4 of element 32 g + l.
        for (int l = 0; l < 32; ++l) {
            int bits = 0;
            for (int g = 0; g < 8; ++g) bits |= (codes[32 * g + l] >> 4 & 1) << g;
            out[l] = to_byte(bits);
        }
        out += 32;
    }
    for (int i = 0; i < 128; ++i) {
        const int low = i / 32 * 64 + i % 32;
        out[i] = to_byte((codes[low] & 15) | (codes[low + 32] & 15) << 4);
    }
}

void pack_q6_k(const BlockGrid& grid, const BlockCodes& codes, std::byte* out) {
    constexpr size_t kHigh = 128, kScales = 192, kScale = 208;
    std::memset(out, 0, kScales);
    for (int i = 0; i < 256; ++i) {
        const int half = i / 128, k = i % 128 / 32, l = i % 32;
        const int code = codes[i] + 32;
        out[64 * half + 32 * (k % 2) + l] |= to_byte((code & 15) << (k < 2 ? 0 : 4));
        out[kHigh + static_cast<size_t>(32 * half + l)] |= to_byte((code >> 4) << (2 * k));
    }
    std::memcpy(out + kScales, grid.group_scale.data(), 16);
    put(out + kScale, grid.d);
}

}  // namespace

void pack_block(DType dtype, const BlockGrid& grid, const BlockCodes& codes, std::byte* out) {
    HONE_CHECK(has_grid(dtype));
    if (dtype == DType::q4_k) return pack_affine_k(grid, codes, false, out);
    if (dtype == DType::q5_k) return pack_affine_k(grid, codes, true, out);
    if (dtype == DType::q6_k) return pack_q6_k(grid, codes, out);
    pack_32(dtype, grid, codes, out);
}

}  // namespace hone::compress
