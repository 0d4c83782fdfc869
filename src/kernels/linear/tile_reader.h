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
    size_t code_bytes;  // per block of 16 x 32; for float formats per column of 16
    size_t groups;      // vectors of 16 f16 scales per block
    size_t mins;        // vectors of 16 f16 minimums per block
    int offset;         // w = scale * (code + offset) + min
};

constexpr TileLayout tile_layout(PackFormat format) {
    switch (format) {
        case PackFormat::u4:
            return {256, 1, 0, -8};
        case PackFormat::u4m:
            return {256, 1, 1, 0};
        case PackFormat::u5:
            return {320, 1, 0, -16};
        case PackFormat::u6:
            return {384, 2, 0, -32};
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
          scales_(tile + columns / kTileBlock * layout_.code_bytes),
          mins_(scales_ + columns / kTileBlock * 32 * layout_.groups),
          row_(row) {}

    // The code with its offset applied: w = scale * code + min.
    int code(size_t block, size_t column) const { return raw_code(block, column) + layout_.offset; }

    float scale(size_t block, size_t column) const {
        return half(scales_, block * layout_.groups + column * layout_.groups / kTileBlock);
    }

    float min(size_t block) const { return layout_.mins == 0 ? 0.0f : half(mins_, block); }

    // The weight of column k. The product is exact, so only the sum with a minimum rounds.
    float value(size_t k) const {
        if (layout_.groups == 0) return float_value(k);
        const size_t block = k / kTileBlock, column = k % kTileBlock;
        return scale(block, column) * static_cast<float>(code(block, column)) + min(block);
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
        return static_cast<int>(tile_[at]);
    }

    int raw_code(size_t block, size_t column) const {
        const size_t j = column / 4;
        if (format_ == PackFormat::s8) return static_cast<int8_t>(byte(block, j, column));
        const int nibble = byte(block, j % 4, column) >> (j < 4 ? 0 : 4) & 15;
        if (format_ == PackFormat::u5) return nibble | (byte(block, 4, column) >> j & 1) << 4;
        if (format_ != PackFormat::u6) return nibble;
        return nibble | (byte(block, 4 + j / 4, column) >> (2 * (j % 4)) & 3) << 4;
    }

    PackFormat format_;
    TileLayout layout_;
    const std::byte* tile_;
    const std::byte* scales_;
    const std::byte* mins_;
    size_t row_;
};

}  // namespace hone::kernels
