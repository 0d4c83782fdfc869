#include "kernels/linear/tile_packing.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "kernels/linear/level_table.h"
#include "kernels/linear/tile_reader.h"
#include "tensor/block_fields.h"
#include "tensor/half.h"
#include "tensor/integer_block.h"

namespace hone::kernels {
namespace {

using tensor::DType;
using tensor::f32_to_f16;
using tensor::load_field;
using tensor::load_half;
using tensor::store_field;
using tensor::TensorView;

// Where one row of one block goes: `codes` at its first vector, `scales` and `mins` at its f16.
struct RowSlot {
    std::byte* codes;
    std::byte* scales;
    std::byte* mins;

    void set_vector(size_t j, uint32_t four_codes) const {
        store_field(codes + 64 * j, four_codes);
    }
    void set_scale(size_t group, uint16_t half) const { store_field(scales + 32 * group, half); }
    void set_min(size_t group, uint16_t half) const { store_field(mins + 32 * group, half); }
};

// The slots of one row, block by block.
class RowSlots {
  public:
    RowSlots(PackFormat format, std::byte* tile, size_t row)
        : layout_(tile_layout(format)), blocks_(tile + layout_.table_bytes), row_(row) {}

    RowSlot at(size_t block) const {
        std::byte* scales = blocks_ + layout_.scales_at(block) + 2 * row_;
        return {blocks_ + layout_.codes_at(block) + 4 * row_, scales, scales + 32 * layout_.groups};
    }

    const TileLayout& layout() const { return layout_; }

  private:
    TileLayout layout_;
    std::byte* blocks_;
    size_t row_;
};

// Q4_0, Q4_1, Q5_0 and Q5_1 keep column i beside column i + 16, just as vectors j and j + 4 are
// paired: their 16 bytes are four vectors already.
void copy_nibbles(const std::byte* codes, const RowSlot& slot) {
    for (size_t j = 0; j < 4; ++j) slot.set_vector(j, load_field<uint32_t>(codes + 4 * j));
}

void pack_q4_0(const std::byte* block, const RowSlot& slot) {
    slot.set_scale(0, load_field<uint16_t>(block));
    copy_nibbles(block + 2, slot);
}

void pack_q4_1(const std::byte* block, const RowSlot& slot) {
    slot.set_scale(0, load_field<uint16_t>(block));
    slot.set_min(0, load_field<uint16_t>(block + 2));
    copy_nibbles(block + 4, slot);
}

// Gathers bits 0, 4, 8, .. 28 into the low byte.
uint32_t every_fourth_bit(uint32_t bits) {
    bits &= 0x11111111u;
    bits = (bits | bits >> 3) & 0x03030303u;
    bits = (bits | bits >> 6) & 0x000f000fu;
    return (bits | bits >> 12) & 0xffu;
}

// The 32 fifth bits of Q5_0 and Q5_1, and the nibbles after them.
void copy_five_bits(const std::byte* high_bits, const RowSlot& slot) {
    const auto high = load_field<uint32_t>(high_bits);
    uint32_t vector = 0;
    for (uint32_t i = 0; i < 4; ++i) vector |= every_fourth_bit(high >> i) << (8 * i);
    slot.set_vector(4, vector);
    copy_nibbles(high_bits + 4, slot);
}

void pack_q5_0(const std::byte* block, const RowSlot& slot) {
    slot.set_scale(0, load_field<uint16_t>(block));
    copy_five_bits(block + 2, slot);
}

void pack_q5_1(const std::byte* block, const RowSlot& slot) {
    slot.set_scale(0, load_field<uint16_t>(block));
    slot.set_min(0, load_field<uint16_t>(block + 2));
    copy_five_bits(block + 4, slot);
}

void pack_q8_0(const std::byte* block, const RowSlot& slot) {
    slot.set_scale(0, load_field<uint16_t>(block));
    for (size_t j = 0; j < 8; ++j) slot.set_vector(j, load_field<uint32_t>(block + 2 + 4 * j));
}

// The K-quants hold 32 columns in one nibble of 32 bytes: vectors j and j + 4 come from bytes 4 j
// and 16 + 4 j.
void pack_nibble_plane(const std::byte* codes, int shift, const RowSlot& slot) {
    for (size_t j = 0; j < 4; ++j) {
        const uint32_t low = load_field<uint32_t>(codes + 4 * j) >> shift & 0x0f0f0f0fu;
        const uint32_t high = load_field<uint32_t>(codes + 16 + 4 * j) >> shift & 0x0f0f0f0fu;
        slot.set_vector(j, low | high << 4);
    }
}

// Eight vectors of two-bit codes into two.
void pack_two_bits(const std::array<uint32_t, 8>& codes, const RowSlot& slot) {
    for (size_t j = 0; j < 2; ++j) {
        slot.set_vector(j, codes[j] | codes[j + 2] << 2 | codes[j + 4] << 4 | codes[j + 6] << 6);
    }
}

void pack_q2_k(const std::byte* block, const RowSlots& slots, size_t first_block) {
    const float d = load_half(block + 80);
    const float dmin = load_half(block + 82);
    for (int g = 0; g < 8; ++g) {
        const RowSlot slot = slots.at(first_block + static_cast<size_t>(g));
        for (int s = 0; s < 2; ++s) {
            const int both = tensor::byte_at(block + 2 * g + s);
            const auto group = static_cast<size_t>(s);
            slot.set_scale(group, f32_to_f16(d * static_cast<float>(both & 15)));
            slot.set_min(group, f32_to_f16(-dmin * static_cast<float>(both >> 4)));
        }
        std::array<uint32_t, 8> codes{};
        for (size_t j = 0; j < 8; ++j) {
            const auto four = load_field<uint32_t>(block + 16 + 32 * (g / 4) + 4 * j);
            codes[j] = four >> (2 * (g % 4)) & 0x03030303u;
        }
        pack_two_bits(codes, slot);
    }
}

// Q4_K and Q5_K.
void pack_k_with_min(DType dtype, const std::byte* block, const RowSlots& slots,
                     size_t first_block) {
    const float d = load_half(block);
    const float dmin = load_half(block + 2);
    const bool five = dtype == DType::q5_k;
    const std::byte* nibbles = block + (five ? 48 : 16);
    for (int g = 0; g < 8; ++g) {
        const RowSlot slot = slots.at(first_block + static_cast<size_t>(g));
        const tensor::ScaleAndMin six_bit = tensor::six_bit_scale(block + 4, g);
        slot.set_scale(0, f32_to_f16(d * static_cast<float>(six_bit.scale)));
        slot.set_min(0, f32_to_f16(-dmin * static_cast<float>(six_bit.min)));
        pack_nibble_plane(nibbles + 32 * (g / 2), 4 * (g % 2), slot);
        if (!five) continue;
        uint32_t vector = 0;
        for (size_t j = 0; j < 8; ++j) {
            vector |= (load_field<uint32_t>(block + 16 + 4 * j) >> g & 0x01010101u) << j;
        }
        slot.set_vector(4, vector);
    }
}

void pack_q6_k(const std::byte* block, const RowSlots& slots, size_t first_block) {
    const float d = load_half(block + 208);
    for (int g = 0; g < 8; ++g) {
        const RowSlot slot = slots.at(first_block + static_cast<size_t>(g));
        for (int s = 0; s < 2; ++s) {
            const auto scale = load_field<int8_t>(block + 192 + 2 * g + s);
            slot.set_scale(static_cast<size_t>(s), f32_to_f16(d * static_cast<float>(scale)));
        }
        const int half = g / 4, k = g % 4;
        pack_nibble_plane(block + 64 * half + 32 * (k % 2), k < 2 ? 0 : 4, slot);
        const std::byte* high = block + 128 + 32 * half;
        for (size_t h = 0; h < 2; ++h) {
            uint32_t vector = 0;
            for (size_t j = 0; j < 4; ++j) {
                const auto two_bits = load_field<uint32_t>(high + 16 * h + 4 * j) >> (2 * k);
                vector |= (two_bits & 0x03030303u) << (2 * j);
            }
            slot.set_vector(4 + h, vector);
        }
    }
}

// The codes of 32 values and whether they are those of the values negated: the groups of IQ1_S
// that subtract their delta have no codes of their own.
struct TableCodes {
    std::array<uint32_t, 8> four{};  // by vector
    bool negated = false;
};

// Code of each possible value, 16 for a value that the table lacks.
class LevelCodes {
  public:
    explicit LevelCodes(const LevelTable& table) {
        codes_.fill(16);
        // Downwards, so that a level that appears twice has its first code.
        for (size_t code = 16; code-- > 0;) {
            codes_[static_cast<uint8_t>(table.levels[code])] = static_cast<uint8_t>(code);
        }
    }

    TableCodes of(const int8_t* values) const {
        TableCodes out;
        out.negated = code(values[0]) == 16;
        const int sign = out.negated ? -1 : 1;
        for (size_t i = 0; i < 32; ++i) {
            const uint8_t found = code(sign * values[i]);
            HONE_DCHECK(found < 16);
            out.four[i / 4] |= uint32_t{found} << (8 * (i % 4));
        }
        return out;
    }

  private:
    uint8_t code(int value) const { return codes_[static_cast<uint8_t>(value)]; }

    std::array<uint8_t, 256> codes_;
};

void pack_table_codes(const std::array<uint32_t, 8>& codes, int bits, const RowSlot& slot) {
    if (bits == 4) {
        for (size_t j = 0; j < 4; ++j) slot.set_vector(j, codes[j] | codes[j + 4] << 4);
        return;
    }
    if (bits == 2) return pack_two_bits(codes, slot);
    for (size_t v = 0; v < 2; ++v) {
        const uint32_t more = (codes[6 + v] & 0x03030303u) << 6;
        slot.set_vector(v, codes[2 * v] | codes[2 * v + 1] << 3 | more);
    }
    const uint32_t top = (codes[6] & 0x04040404u) << 4 | (codes[7] & 0x04040404u) << 5;
    slot.set_vector(2, codes[4] | codes[5] << 3 | top);
}

void pack_integers(DType dtype, const LevelCodes& codes, const std::byte* block,
                   const RowSlots& slots, size_t first_block) {
    tensor::IntegerBlock integers;
    tensor::decode_integers(dtype, block, integers);
    const TileLayout layout = slots.layout();
    for (size_t g = 0; g < tensor::block_elements(dtype) / kTileBlock; ++g) {
        const RowSlot slot = slots.at(first_block + g);
        const TableCodes found = codes.of(&integers.values[kTileBlock * g]);
        for (size_t half = 0; half < layout.groups; ++half) {
            const float scale = integers.scales[2 * g + half];
            slot.set_scale(half, f32_to_f16(found.negated ? -scale : scale));
        }
        pack_table_codes(found.four, layout.bits, slot);
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
        case DType::q5_1:
            return pack_q5_1(block, slots.at(first_block));
        case DType::q8_0:
            return pack_q8_0(block, slots.at(first_block));
        case DType::q2_k:
            return pack_q2_k(block, slots, first_block);
        case DType::q4_k:
        case DType::q5_k:
            return pack_k_with_min(dtype, block, slots, first_block);
        case DType::q6_k:
            return pack_q6_k(block, slots, first_block);
        default:
            HONE_CHECK(false);
    }
}

// The rows are walked together, block by block: reads are 16 streams and writes stay within the
// block (or the 8 blocks of a K-quant) that is being filled.
template <class Pack>
void pack_blocks(const TensorView& source, size_t row_begin, size_t n_rows, std::byte* tile,
                 Pack pack) {
    const PackFormat format = pack_format_for(source.dtype);
    const size_t per_block = tensor::block_elements(source.dtype);
    const size_t block_bytes = tensor::block_bytes(source.dtype);
    const size_t row_bytes = source.columns() / per_block * block_bytes;
    const std::byte* first = source.data + row_begin * row_bytes;
    for (size_t i = 0; i < source.columns() / per_block; ++i) {
        for (size_t row = 0; row < n_rows; ++row) {
            const RowSlots slots(format, tile, row);
            pack(first + row * row_bytes + i * block_bytes, slots, i * per_block / kTileBlock);
        }
    }
}

void pack_quantized_tile(const TensorView& source, size_t row_begin, size_t n_rows,
                         std::byte* tile) {
    const DType dtype = source.dtype;
    const LevelTable* table = level_table(dtype);
    if (table == nullptr) {
        pack_blocks(source, row_begin, n_rows, tile,
                    [&](const std::byte* block, const RowSlots& slots, size_t first_block) {
                        pack_block(dtype, block, slots, first_block);
                    });
        return;
    }
    for (size_t at = 0; at < kTableBytes; at += 16) {
        std::memcpy(tile + at, table->levels.data(), 16);
    }
    const LevelCodes codes(*table);
    pack_blocks(source, row_begin, n_rows, tile,
                [&](const std::byte* block, const RowSlots& slots, size_t first_block) {
                    pack_integers(dtype, codes, block, slots, first_block);
                });
}

uint32_t f64_as_f32(uint64_t bits) {
    return std::bit_cast<uint32_t>(static_cast<float>(std::bit_cast<double>(bits)));
}

// Transposes in steps of 16 columns, so that both sides stay in L1.
template <class Stored, class Packed, class Convert>
void pack_float_tile(const TensorView& source, size_t row_begin, size_t n_rows, std::byte* tile,
                     Convert convert) {
    const size_t columns = source.columns();
    const std::byte* first = source.data + row_begin * columns * sizeof(Stored);
    for (size_t begin = 0; begin < columns; begin += 16) {
        const size_t end = std::min(begin + 16, columns);
        for (size_t row = 0; row < n_rows; ++row) {
            const std::byte* from = first + row * columns * sizeof(Stored);
            for (size_t k = begin; k < end; ++k) {
                const Packed value = convert(load_field<Stored>(from + k * sizeof(Stored)));
                store_field(tile + (k * kTileRows + row) * sizeof(Packed), value);
            }
        }
    }
}

}  // namespace

void pack_tile(const TensorView& source, size_t row_begin, size_t n_rows, std::byte* tile) {
    const auto unchanged = [](auto value) { return value; };
    switch (source.dtype) {
        case DType::f32:
            return pack_float_tile<uint32_t, uint32_t>(source, row_begin, n_rows, tile, unchanged);
        case DType::f64:
            return pack_float_tile<uint64_t, uint32_t>(source, row_begin, n_rows, tile, f64_as_f32);
        case DType::f16:
        case DType::bf16:
            return pack_float_tile<uint16_t, uint16_t>(source, row_begin, n_rows, tile, unchanged);
        default:
            return pack_quantized_tile(source, row_begin, n_rows, tile);
    }
}

}  // namespace hone::kernels
