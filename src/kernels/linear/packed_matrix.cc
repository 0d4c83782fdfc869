#include "kernels/linear/packed_matrix.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/checked.h"
#include "kernels/linear/level_table.h"
#include "kernels/linear/tile_packing.h"
#include "kernels/linear/tile_reader.h"

namespace hone::kernels {
namespace {

using tensor::DType;
using tensor::TensorView;

constexpr const char* kNames[kPackFormatCount] = {"u4", "u4m", "u5", "u5m", "u6",  "u2m", "t2",
                                                  "t3", "t3h", "t4", "s8",  "f32", "f16", "bf16"};

base::Status check_source(const TensorView& source) {
    if (source.dtype == DType::i32) {
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
        case DType::q5_1:
        case DType::q5_k:
            return PackFormat::u5m;
        case DType::q6_k:
            return PackFormat::u6;
        case DType::q2_k:
            return PackFormat::u2m;
        case DType::q8_0:
            return PackFormat::s8;
        case DType::f16:
            return PackFormat::f16;
        case DType::bf16:
            return PackFormat::bf16;
        case DType::f32:
        case DType::f64:
        case DType::i32:
            return PackFormat::f32;
        default:
            break;
    }
    const LevelTable* table = level_table(dtype);
    HONE_CHECK(table != nullptr);
    return table->format;
}

bool is_quantized(PackFormat format) {
    return tile_layout(format).groups != 0;
}

size_t packed_tile_bytes(PackFormat format, size_t columns) {
    const TileLayout layout = tile_layout(format);
    if (!is_quantized(format)) return base::round_up(layout.code_bytes * columns, 64);
    HONE_CHECK_EQ(columns % kTileBlock, size_t{0});
    return layout.table_bytes + layout.blocks_bytes(columns / kTileBlock);
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
    const TileReader reader(matrix.format, matrix.tile(row / kTileRows), row % kTileRows);
    for (size_t k = 0; k < matrix.columns; ++k) out[k] = reader.value(k);
}

}  // namespace hone::kernels
