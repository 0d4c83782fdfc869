// Reads single values of a packed tile, the plain way: for unpack_row and the reference kernels.
//
// Not fast and not for x86_<isa>.cc files, which know the layout (packed_matrix.h) by heart. A
// borrowed view of one row of one tile; pure and safe from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/linear/packed_matrix.h"
#include "tensor/half.h"

namespace hone::kernels {

inline constexpr size_t kTileBlock = 32;  // columns of one block

struct TileLayout {
    size_t code_bytes;       // per block of 16 x 32; for float formats per column of 16
    size_t groups;           // vectors of 16 f16 scales per block
    size_t mins;             // vectors of 16 f16 minimums per block: groups, or none
    int bits;                // of a code; 0 for s8 and float formats
    int offset = 0;          // w = scale * (code + offset) + min
    size_t table_bytes = 0;  // before the blocks: w = scale * table[code]

    // Of quantized formats, from the first block on: bytes of so many blocks, and where a block
    // has its codes and its scales, which its minimums follow.
    constexpr size_t blocks_bytes(size_t blocks) const {
        return block_bytes() * (in_pairs() ? (blocks + 1) / 2 * 2 : blocks);
    }
    constexpr size_t codes_at(size_t block) const {
        if (!in_pairs()) return block * block_bytes();
        return block / 2 * 2 * block_bytes() + block % 2 * code_bytes;
    }
    constexpr size_t scales_at(size_t block) const {
        if (!in_pairs()) return block * block_bytes() + code_bytes;
        return block / 2 * 2 * block_bytes() + 2 * code_bytes + block % 2 * 32;
    }

  private:
    constexpr size_t block_bytes() const { return code_bytes + 32 * (groups + mins); }
    constexpr bool in_pairs() const { return block_bytes() % 64 != 0; }
};

constexpr TileLayout tile_layout(PackFormat format) {
    switch (format) {
        case PackFormat::u4:
            return {256, 1, 0, 4, -8};
        case PackFormat::u4m:
            return {256, 1, 1, 4};
        case PackFormat::u5:
            return {320, 1, 0, 5, -16};
        case PackFormat::u5m:
            return {320, 1, 1, 5};
        case PackFormat::u6:
            return {384, 2, 0, 6, -32};
        case PackFormat::u2m:
            return {128, 2, 2, 2};
        case PackFormat::t2:
            return {128, 1, 0, 2, 0, kTableBytes};
        case PackFormat::t3:
            return {192, 1, 0, 3, 0, kTableBytes};
        case PackFormat::t3h:
            return {192, 2, 0, 3, 0, kTableBytes};
        case PackFormat::t4:
            return {256, 1, 0, 4, 0, kTableBytes};
        case PackFormat::s8:
            return {512, 1, 0, 0};
        case PackFormat::f32:
            return {64, 0, 0, 0};
        case PackFormat::f16:
        case PackFormat::bf16:
            return {32, 0, 0, 0};
    }
    return {};
}

class TileReader {
  public:
    TileReader(PackFormat format, const std::byte* tile, size_t row)
        : format_(format), layout_(tile_layout(format)), tile_(tile), row_(row) {}

    // The integer of the weight, offset or table applied: w = scale * code + min.
    int code(size_t block, size_t column) const {
        const int raw = raw_code(block, column);
        if (layout_.table_bytes == 0) return raw + layout_.offset;
        return load<int8_t>(tile_ + raw);
    }

    float scale(size_t block, size_t column) const {
        return half(block, column * layout_.groups / kTileBlock);
    }

    float min(size_t block, size_t column) const {
        if (layout_.mins == 0) return 0.0f;
        return half(block, layout_.groups + column * layout_.mins / kTileBlock);
    }

    // The weight of column k. The product is exact, so only the sum with a minimum rounds.
    float value(size_t k) const {
        if (layout_.groups == 0) return float_value(k);
        const size_t block = k / kTileBlock, column = k % kTileBlock;
        return scale(block, column) * static_cast<float>(code(block, column)) + min(block, column);
    }

  private:
    template <class T>
    T load(const std::byte* from) const {
        T out;
        std::memcpy(&out, from, sizeof(T));
        return out;
    }

    // Of the vectors of scales and minimums behind the codes.
    float half(size_t block, size_t vector) const {
        const size_t at = layout_.table_bytes + layout_.scales_at(block) + 32 * vector + 2 * row_;
        return tensor::f16_to_f32(load<uint16_t>(tile_ + at));
    }

    float float_value(size_t k) const {
        const size_t index = k * kTileRows + row_;
        if (format_ == PackFormat::f32) return load<float>(tile_ + 4 * index);
        const auto bits = load<uint16_t>(tile_ + 2 * index);
        return format_ == PackFormat::f16 ? tensor::f16_to_f32(bits) : tensor::bf16_to_f32(bits);
    }

    int byte(size_t block, size_t vector, size_t column) const {
        const size_t at = layout_.table_bytes + layout_.codes_at(block) + 64 * vector;
        return static_cast<int>(tile_[at + 4 * row_ + column % 4]);
    }

    int raw_code(size_t block, size_t column) const {
        const size_t j = column / 4;
        if (format_ == PackFormat::s8) return static_cast<int8_t>(byte(block, j, column));
        if (layout_.bits == 2) return byte(block, j % 2, column) >> (2 * (j / 2)) & 3;
        if (layout_.bits == 3) {
            if (j < 6) return byte(block, j / 2, column) >> (3 * (j % 2)) & 7;
            return byte(block, j - 6, column) >> 6 | (byte(block, 2, column) >> j & 1) << 2;
        }
        const int nibble = byte(block, j % 4, column) >> (j < 4 ? 0 : 4) & 15;
        if (layout_.bits == 5) return nibble | (byte(block, 4, column) >> j & 1) << 4;
        if (layout_.bits != 6) return nibble;
        return nibble | (byte(block, 4 + j / 4, column) >> (2 * (j % 4)) & 3) << 4;
    }

    PackFormat format_;
    TileLayout layout_;
    const std::byte* tile_;
    size_t row_;
};

}  // namespace hone::kernels
