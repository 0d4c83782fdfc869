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
    size_t table_bytes = 0;  // before the codes: w = scale * table[code]
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
    TileReader(PackFormat format, size_t columns, const std::byte* tile, size_t row)
        : format_(format),
          layout_(tile_layout(format)),
          tile_(tile),
          codes_(tile + layout_.table_bytes),
          scales_(codes_ + columns / kTileBlock * layout_.code_bytes),
          mins_(scales_ + columns / kTileBlock * 32 * layout_.groups),
          row_(row) {}

    // The integer of the weight, offset or table applied: w = scale * code + min.
    int code(size_t block, size_t column) const {
        const int raw = raw_code(block, column);
        if (layout_.table_bytes == 0) return raw + layout_.offset;
        return load<int8_t>(tile_ + raw);
    }

    float scale(size_t block, size_t column) const {
        return half(scales_, block * layout_.groups + column * layout_.groups / kTileBlock);
    }

    float min(size_t block, size_t column) const {
        if (layout_.mins == 0) return 0.0f;
        return half(mins_, block * layout_.mins + column * layout_.mins / kTileBlock);
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

    float half(const std::byte* area, size_t vector) const {
        return tensor::f16_to_f32(load<uint16_t>(area + 32 * vector + 2 * row_));
    }

    float float_value(size_t k) const {
        const size_t index = k * kTileRows + row_;
        if (format_ == PackFormat::f32) return load<float>(tile_ + 4 * index);
        const auto bits = load<uint16_t>(tile_ + 2 * index);
        return format_ == PackFormat::f16 ? tensor::f16_to_f32(bits) : tensor::bf16_to_f32(bits);
    }

    int byte(size_t block, size_t vector, size_t column) const {
        const size_t at = block * layout_.code_bytes + 64 * vector + 4 * row_ + column % 4;
        return static_cast<int>(codes_[at]);
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
    const std::byte* codes_;
    const std::byte* scales_;
    const std::byte* mins_;
    size_t row_;
};

}  // namespace hone::kernels
