#include "kernels/linear/packed_matrix.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/checked.h"
#include "kernels/linear/tile_reader.h"
#include "tensor/half.h"

namespace hone::kernels {
namespace {

using tensor::DType;
using tensor::TensorView;

constexpr const char* kNames[kPackFormatCount] = {"u4", "u4m", "u5",  "u6",
                                                  "s8", "f32", "f16", "bf16"};

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

// Where one row of one block goes: `codes` at its first vector, `scales` and `mins` at its f16.
struct RowSlot {
    std::byte* codes;
    std::byte* scales;
    std::byte* mins;

    void set_vector(size_t j, uint32_t four_codes) const { store(codes + 64 * j, four_codes); }
    void set_scale(size_t group, uint16_t half) const { store(scales + 32 * group, half); }
    void set_min(uint16_t half) const { store(mins, half); }
};

// The slots of one row, block by block.
class RowSlots {
  public:
    RowSlots(PackFormat format, size_t blocks, std::byte* tile, size_t row)
        : layout_(tile_layout(format)),
          codes_(tile + 4 * row),
          scales_(tile + blocks * layout_.code_bytes + 2 * row),
          mins_(scales_ + blocks * 32 * layout_.groups) {}

    RowSlot at(size_t block) const {
        return {codes_ + block * layout_.code_bytes, scales_ + block * 32 * layout_.groups,
                mins_ + block * 32};
    }

  private:
    TileLayout layout_;
    std::byte* codes_;
    std::byte* scales_;
    std::byte* mins_;
};

// Q4_0, Q4_1 and Q5_0 keep column i beside column i + 16, just as vectors j and j + 4 are paired:
// their 16 bytes are four vectors already.
void copy_nibbles(const std::byte* codes, const RowSlot& slot) {
    for (size_t j = 0; j < 4; ++j) slot.set_vector(j, load<uint32_t>(codes + 4 * j));
}

void pack_q4_0(const std::byte* block, const RowSlot& slot) {
    slot.set_scale(0, load<uint16_t>(block));
    copy_nibbles(block + 2, slot);
}

void pack_q4_1(const std::byte* block, const RowSlot& slot) {
    slot.set_scale(0, load<uint16_t>(block));
    slot.set_min(load<uint16_t>(block + 2));
    copy_nibbles(block + 4, slot);
}

// Gathers bits 0, 4, 8, .. 28 into the low byte.
uint32_t every_fourth_bit(uint32_t bits) {
    bits &= 0x11111111u;
    bits = (bits | bits >> 3) & 0x03030303u;
    bits = (bits | bits >> 6) & 0x000f000fu;
    return (bits | bits >> 12) & 0xffu;
}

void pack_q5_0(const std::byte* block, const RowSlot& slot) {
    slot.set_scale(0, load<uint16_t>(block));
    copy_nibbles(block + 6, slot);
    const auto high = load<uint32_t>(block + 2);
    uint32_t vector = 0;
    for (uint32_t i = 0; i < 4; ++i) vector |= every_fourth_bit(high >> i) << (8 * i);
    slot.set_vector(4, vector);
}

void pack_q8_0(const std::byte* block, const RowSlot& slot) {
    slot.set_scale(0, load<uint16_t>(block));
    for (size_t j = 0; j < 8; ++j) slot.set_vector(j, load<uint32_t>(block + 2 + 4 * j));
}

// The K-quants hold 32 columns in one nibble of 32 bytes: vectors j and j + 4 come from bytes 4 j
// and 16 + 4 j.
void pack_nibble_plane(const std::byte* codes, int shift, const RowSlot& slot) {
    for (size_t j = 0; j < 4; ++j) {
        const uint32_t low = load<uint32_t>(codes + 4 * j) >> shift & 0x0f0f0f0fu;
        const uint32_t high = load<uint32_t>(codes + 16 + 4 * j) >> shift & 0x0f0f0f0fu;
        slot.set_vector(j, low | high << 4);
    }
}

struct ScaleAndMin {
    int scale;
    int min;
};

// Six-bit scale and minimum of sub-block g; b is the 12-byte field described in tensor/codec.h.
ScaleAndMin q4_k_scale(const std::byte* b, int g) {
    auto byte = [&](int i) { return static_cast<int>(b[i]); };
    if (g < 4) return {byte(g) & 63, byte(g + 4) & 63};
    return {(byte(g + 4) & 15) | byte(g - 4) >> 6 << 4, byte(g + 4) >> 4 | byte(g) >> 6 << 4};
}

void pack_q4_k(const std::byte* block, const RowSlots& slots, size_t first_block) {
    const float d = tensor::f16_to_f32(load<uint16_t>(block));
    const float dmin = tensor::f16_to_f32(load<uint16_t>(block + 2));
    for (int g = 0; g < 8; ++g) {
        const RowSlot slot = slots.at(first_block + static_cast<size_t>(g));
        const ScaleAndMin six_bit = q4_k_scale(block + 4, g);
        slot.set_scale(0, tensor::f32_to_f16(d * static_cast<float>(six_bit.scale)));
        slot.set_min(tensor::f32_to_f16(-dmin * static_cast<float>(six_bit.min)));
        pack_nibble_plane(block + 16 + 32 * (g / 2), 4 * (g % 2), slot);
    }
}

void pack_q6_k(const std::byte* block, const RowSlots& slots, size_t first_block) {
    const float d = tensor::f16_to_f32(load<uint16_t>(block + 208));
    for (int g = 0; g < 8; ++g) {
        const RowSlot slot = slots.at(first_block + static_cast<size_t>(g));
        for (int s = 0; s < 2; ++s) {
            const auto scale = load<int8_t>(block + 192 + 2 * g + s);
            slot.set_scale(static_cast<size_t>(s),
                           tensor::f32_to_f16(d * static_cast<float>(scale)));
        }
        const int half = g / 4, k = g % 4;
        pack_nibble_plane(block + 64 * half + 32 * (k % 2), k < 2 ? 0 : 4, slot);
        const std::byte* high = block + 128 + 32 * half;
        for (size_t h = 0; h < 2; ++h) {
            uint32_t vector = 0;
            for (size_t j = 0; j < 4; ++j) {
                const auto two_bits = load<uint32_t>(high + 16 * h + 4 * j) >> (2 * k);
                vector |= (two_bits & 0x03030303u) << (2 * j);
            }
            slot.set_vector(4 + h, vector);
        }
    }
}

// One stored block of 32 (or 256) columns of one row into its slots.
void pack_block(DType dtype, const std::byte* block, const RowSlots& slots, size_t first_block) {
    switch (dtype) {
        case DType::q4_0:
            return pack_q4_0(block, slots.at(first_block));
        case DType::q4_1:
            return pack_q4_1(block, slots.at(first_block));
        case DType::q5_0:
            return pack_q5_0(block, slots.at(first_block));
        case DType::q8_0:
            return pack_q8_0(block, slots.at(first_block));
        case DType::q4_k:
            return pack_q4_k(block, slots, first_block);
        case DType::q6_k:
            return pack_q6_k(block, slots, first_block);
        default:
            HONE_CHECK(false);
    }
}

// The rows are walked together, block by block: reads are 16 streams and writes stay within the
// block (or the 8 blocks of a K-quant) that is being filled.
void pack_quantized_tile(const TensorView& source, size_t row_begin, size_t n_rows,
                         std::byte* tile) {
    const PackFormat format = pack_format_for(source.dtype);
    const size_t per_block = tensor::block_elements(source.dtype);
    const size_t block_bytes = tensor::block_bytes(source.dtype);
    const size_t row_bytes = source.columns() / per_block * block_bytes;
    const std::byte* first = source.data + row_begin * row_bytes;
    for (size_t i = 0; i < source.columns() / per_block; ++i) {
        for (size_t row = 0; row < n_rows; ++row) {
            const RowSlots slots(format, source.columns() / kTileBlock, tile, row);
            pack_block(source.dtype, first + row * row_bytes + i * block_bytes, slots,
                       i * per_block / kTileBlock);
        }
    }
}

// Transposes in steps of 16 columns, so that both sides stay in L1.
template <class T>
void pack_float_tile(const TensorView& source, size_t row_begin, size_t n_rows, std::byte* tile) {
    const size_t columns = source.columns();
    const std::byte* first = source.data + row_begin * columns * sizeof(T);
    for (size_t begin = 0; begin < columns; begin += 16) {
        const size_t end = std::min(begin + 16, columns);
        for (size_t row = 0; row < n_rows; ++row) {
            const std::byte* from = first + row * columns * sizeof(T);
            for (size_t k = begin; k < end; ++k) {
                store(tile + (k * kTileRows + row) * sizeof(T), load<T>(from + k * sizeof(T)));
            }
        }
    }
}

void pack_tile(const TensorView& source, size_t row_begin, size_t n_rows, std::byte* tile) {
    switch (source.dtype) {
        case DType::f32:
            return pack_float_tile<uint32_t>(source, row_begin, n_rows, tile);
        case DType::f16:
        case DType::bf16:
            return pack_float_tile<uint16_t>(source, row_begin, n_rows, tile);
        default:
            return pack_quantized_tile(source, row_begin, n_rows, tile);
    }
}

base::Status check_source(const TensorView& source) {
    if (pack_format_for(source.dtype) == PackFormat::f32 && source.dtype != DType::f32) {
        return base::fail(base::ErrorCode::unsupported, "{} weights have no packed form",
                          tensor::name(source.dtype));
    }
    if (source.rank != 2 || source.columns() == 0 || source.rows() == 0) {
        return base::fail(base::ErrorCode::unsupported, "only matrices can be packed (rank {})",
                          source.rank);
    }
    const auto row_bytes = tensor::row_bytes(source.dtype, source.columns());
    const auto bytes = row_bytes ? base::checked_mul<uint64_t>(*row_bytes, source.rows())
                                 : std::optional<uint64_t>();
    if (!bytes || *bytes != source.bytes) {
        return base::fail(base::ErrorCode::corrupt, "a {} x {} {} matrix cannot be {} bytes",
                          source.rows(), source.columns(), tensor::name(source.dtype),
                          source.bytes);
    }
    return {};
}

}  // namespace

const char* pack_format_name(PackFormat format) {
    return kNames[static_cast<size_t>(format)];
}

PackFormat pack_format_for(DType dtype) {
    switch (dtype) {
        case DType::q4_0:
            return PackFormat::u4;
        case DType::q4_1:
        case DType::q4_k:
            return PackFormat::u4m;
        case DType::q5_0:
            return PackFormat::u5;
        case DType::q6_k:
            return PackFormat::u6;
        case DType::q8_0:
            return PackFormat::s8;
        case DType::f16:
            return PackFormat::f16;
        case DType::bf16:
            return PackFormat::bf16;
        default:
            return PackFormat::f32;
    }
}

bool is_quantized(PackFormat format) {
    return tile_layout(format).groups != 0;
}

size_t packed_tile_bytes(PackFormat format, size_t columns) {
    const TileLayout layout = tile_layout(format);
    if (!is_quantized(format)) return base::round_up(layout.code_bytes * columns, 64);
    HONE_CHECK_EQ(columns % kTileBlock, size_t{0});
    const size_t per_block = layout.code_bytes + 32 * (layout.groups + layout.mins);
    return base::round_up(per_block * (columns / kTileBlock), 64);
}

base::Status pack_tiles(const TensorView& source, size_t row_begin, size_t tiles, std::byte* out) {
    HONE_TRY_STATUS(check_source(source));
    const size_t tile_bytes = packed_tile_bytes(pack_format_for(source.dtype), source.columns());
    for (size_t t = 0; t < tiles; ++t) {
        const size_t row = row_begin + t * kTileRows;
        const size_t left = row < source.rows() ? source.rows() - row : 0;
        const size_t n_rows = std::min(left, kTileRows);
        std::byte* tile = out + t * tile_bytes;
        // Missing rows and the padding of the last 64 bytes are zero.
        if (n_rows < kTileRows) std::memset(tile, 0, tile_bytes);
        if (tile_bytes >= 64) std::memset(tile + tile_bytes - 64, 0, 64);
        if (n_rows > 0) pack_tile(source, row, n_rows, tile);
    }
    return {};
}

void unpack_row(const PackedMatrix& matrix, size_t row, float* out) {
    HONE_DCHECK(row < matrix.rows);
    const TileReader reader(matrix.format, matrix.columns, matrix.tile(row / kTileRows),
                            row % kTileRows);
    for (size_t k = 0; k < matrix.columns; ++k) out[k] = reader.value(k);
}

}  // namespace hone::kernels
