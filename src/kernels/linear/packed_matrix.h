// Weights as the linear kernels want them: 16 rows interleaved, each block's scales behind its
// codes, so that a matrix is read as one stream from its first byte to its last.
//
// One layout serves every ISA and every batch size, so a model is packed once. A matrix of `rows` x
// `columns` (out x in features) is ceil(rows / 16) tiles; missing rows of the last tile are zero.
// Quantized formats work in blocks of 32 columns. A tile is
//   table  64 bytes, of the table formats only
//   blocks, each of them
//     codes  [code bytes]
//     scales [groups][16 rows] f16
//     mins   [groups][16 rows] f16, of the formats with minimums
// and starts on a 64-byte border. Where a block is no multiple of 64 bytes, two of them share their
// place, codes codes scales scales, so that no code vector lies across a border (a lone last block
// has the place of two). A group is a block, or one of its halves of 16 columns. Within a block the
// code vectors are 64 bytes = 16 rows x 4 columns:
//   byte 4 * row + i of vector j holds column 4 * j + i, for j = 0..7 (8 vectors, 32 columns).
// Nibble formats keep vectors j and j + 4 in one: low nibble = vector j, high nibble = vector j +
// 4, so that one mask and one shift give two vectors. High bits of 5- and 6-bit codes follow the
// nibbles:
//   u5: one vector H, bit j of byte 4 * row + i is bit 4 of column 4 * j + i;
//   u6: two vectors H0, H1; bits 2j, 2j+1 of H0 (columns 0..15, j = 0..3) and of H1 (16..31).
// Two-bit codes keep vectors j, j + 2, j + 4, j + 6 in one, lowest bits first (2 vectors).
// Three-bit codes have three vectors, each with two whole codes and two bits more:
//   A = vector 0 | vector 1 << 3 | low two bits of vector 6 << 6
//   B = vector 2 | vector 3 << 3 | low two bits of vector 7 << 6
//   C = vector 4 | vector 5 << 3 | bit 2 of vector 6 << 6 | bit 2 of vector 7 << 7
// Table formats t2, t3, t4 (2, 3, 4 bits): the code is an index into 16 signed bytes that the tile
// begins with, four times in a row, so that a load of any width is the operand of a byte shuffle.
// |level| <= 15 in t2, 63 in t3, 127 in t4: kernels sum products in int16 by these.
// Float formats have no blocks: [columns][16 rows] of f32, f16 or bf16.
// Not a format to give away: files that keep packed bytes name kPackedLayoutVersion and are of no
// use to another. Borrowed view; immutable once packed, shared by all threads.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/result.h"
#include "tensor/dtype.h"
#include "tensor/view.h"

namespace hone::kernels {

enum class PackFormat : uint8_t {
    u4,   // w = d * (u - 8)                     from Q4_0                288 B per 16 x 32
    u4m,  // w = d * u + m                       from Q4_1, Q4_K          320 B
    u5,   // w = d * (u - 16)                    from Q5_0                352 B
    u5m,  // w = d * u + m                       from Q5_1, Q5_K          384 B
    u6,   // w = d[k / 16] * (u - 32)            from Q6_K                448 B
    u2m,  // w = d[k / 16] * u + m[k / 16]       from Q2_K                256 B
    t2,   // w = d * table[u]                    from IQ1_S, TQ1_0, TQ2_0 160 B
    t3,   // w = d * table[u]                    from IQ2_XXS             224 B
    t3h,  // w = d[k / 16] * table[u]            from Q3_K, IQ1_M, IQ2_XS, IQ2_S            256 B
    t4,   // w = d * table[u]                    from IQ3_XXS, IQ3_S, IQ4_NL, IQ4_XS, MXFP4 288 B
    s8,   // w = d * s                           from Q8_0                544 B
    f32,  //                                     from F32, F64
    f16,
    bf16,
};

inline constexpr int kPackFormatCount = 14;
// Goes up with every change of the bytes that pack_tiles makes; a test knows them.
inline constexpr int kPackedLayoutVersion = 2;
inline constexpr size_t kTableBytes = 64;  // of a tile of a table format
inline constexpr size_t kTileRows = 16;

struct PackedMatrix {
    PackFormat format = PackFormat::f32;
    uint32_t rows = 0;
    uint32_t columns = 0;
    size_t tile_bytes = 0;
    const std::byte* data = nullptr;  // [tiles()][tile_bytes], 64-byte aligned

    size_t tiles() const { return (rows + kTileRows - 1) / kTileRows; }
    size_t blocks() const { return columns / 32; }
    size_t bytes() const { return tiles() * tile_bytes; }
    const std::byte* tile(size_t t) const { return data + t * tile_bytes; }
};

const char* pack_format_name(PackFormat format);
// Which packed format a stored type becomes.
PackFormat pack_format_for(tensor::DType dtype);
bool is_quantized(PackFormat format);
// Bytes of one 16-row tile; columns must be a multiple of 32 for quantized formats.
size_t packed_tile_bytes(PackFormat format, size_t columns);

// Packs rows [row_begin, row_begin + 16 * tiles) of `source` (rank 2, dims[0] = columns) into
// `out`, tile by tile; rows past the end become zero. unsupported for types without a packed form.
// Codes are carried over unchanged. Scales that a file stores as d * integer round once to f16, as
// do minimums: half of 2^-10 relative, 2^-25 absolute below 2^-14, infinite from 65520 on.
base::Status pack_tiles(const tensor::TensorView& source, size_t row_begin, size_t tiles,
                        std::byte* out);

// Dequantizes one row to f32 [columns]: the embedding lookup, and the reference of the kernels.
void unpack_row(const PackedMatrix& matrix, size_t row, float* out);

}  // namespace hone::kernels
