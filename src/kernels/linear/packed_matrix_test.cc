#include "kernels/linear/packed_matrix.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "base/checksum.h"
#include "tensor/buffer.h"
#include "tensor/codec.h"
#include "tensor/random_blocks.h"

namespace hone::kernels {
namespace {

using tensor::DType;

struct Case {
    DType dtype;
    PackFormat format;
    const char* name;
    size_t block_tile_bytes;  // of one 16 x 32 block
    bool exact;
};

constexpr Case kCases[] = {
    {DType::q4_0, PackFormat::u4, "u4", 288, true},
    {DType::q4_1, PackFormat::u4m, "u4m", 320, true},
    {DType::q5_0, PackFormat::u5, "u5", 352, true},
    {DType::q8_0, PackFormat::s8, "s8", 544, true},
    {DType::q4_k, PackFormat::u4m, "u4m", 320, false},
    {DType::q6_k, PackFormat::u6, "u6", 448, false},
    {DType::q5_1, PackFormat::u5m, "u5m", 384, true},
    {DType::q5_k, PackFormat::u5m, "u5m", 384, false},
    {DType::q2_k, PackFormat::u2m, "u2m", 256, false},
    {DType::q3_k, PackFormat::t3h, "t3h", 256, false},
    {DType::iq1_s, PackFormat::t2, "t2", 160, false},
    {DType::iq1_m, PackFormat::t3h, "t3h", 256, false},
    {DType::iq2_xxs, PackFormat::t3, "t3", 224, false},
    {DType::iq2_xs, PackFormat::t3h, "t3h", 256, false},
    {DType::iq2_s, PackFormat::t3h, "t3h", 256, false},
    {DType::iq3_xxs, PackFormat::t4, "t4", 288, false},
    {DType::iq3_s, PackFormat::t4, "t4", 288, false},
    {DType::iq4_nl, PackFormat::t4, "t4", 288, true},
    {DType::iq4_xs, PackFormat::t4, "t4", 288, false},
    {DType::tq1_0, PackFormat::t2, "t2", 160, true},
    {DType::tq2_0, PackFormat::t2, "t2", 160, true},
    {DType::mxfp4, PackFormat::t4, "t4", 288, true},
    {DType::f64, PackFormat::f32, "f32", 2048, true},
    {DType::f32, PackFormat::f32, "f32", 2048, true},
    {DType::f16, PackFormat::f16, "f16", 1024, true},
    {DType::bf16, PackFormat::bf16, "bf16", 1024, true},
};

struct Stored {
    std::vector<std::byte> bytes;
    tensor::TensorView view;
    std::vector<float> values;
};

Stored make_stored(DType dtype, size_t rows, size_t columns, uint32_t seed) {
    Stored out;
    out.bytes.resize(rows * *tensor::row_bytes(dtype, columns));
    tensor::random_blocks(dtype, seed, rows * columns, 0.05f, out.bytes.data());
    out.view = {dtype, {columns, rows, 1, 1}, 2, out.bytes.data(), out.bytes.size()};
    out.values.resize(rows * columns);
    tensor::dequantize(dtype, out.bytes.data(), out.values.size(), out.values.data());
    return out;
}

struct Packed {
    tensor::Buffer memory;
    PackedMatrix matrix;
};

Packed make_packed(const Stored& stored) {
    Packed out;
    PackedMatrix& matrix = out.matrix;
    matrix.format = pack_format_for(stored.view.dtype);
    matrix.rows = static_cast<uint32_t>(stored.view.rows());
    matrix.columns = static_cast<uint32_t>(stored.view.columns());
    matrix.tile_bytes = packed_tile_bytes(matrix.format, matrix.columns);
    auto memory = tensor::Buffer::allocate(matrix.bytes());
    EXPECT_TRUE(memory.has_value());
    out.memory = std::move(*memory);
    std::memset(out.memory.data(), 0x7f, matrix.bytes());
    matrix.data = out.memory.data();
    return out;
}

TEST(PackedMatrix, FormatsHaveTheStatedNamesAndSizes) {
    for (const Case& c : kCases) {
        EXPECT_EQ(pack_format_for(c.dtype), c.format);
        EXPECT_STREQ(pack_format_name(c.format), c.name);
        const size_t table_bytes = c.name[0] == 't' ? kTableBytes : 0;
        EXPECT_EQ(packed_tile_bytes(c.format, 64), table_bytes + 2 * c.block_tile_bytes);
        EXPECT_EQ(packed_tile_bytes(c.format, 96) % 64, 0u);
        EXPECT_GE(packed_tile_bytes(c.format, 96), 3 * c.block_tile_bytes);
        EXPECT_EQ(is_quantized(c.format), tensor::is_quantized(c.dtype));
    }
}

// Direct formats carry codes and scales unchanged. K-quants round d * scale (and dmin * min) to
// f16: half a unit of 2^-10 relative, or 2^-25 absolute among the subnormals, per factor 63 at
// most.
TEST(PackedMatrix, UnpackedRowsEqualTheCodec) {
    for (const Case& c : kCases) {
        SCOPED_TRACE(tensor::name(c.dtype));
        for (const size_t columns : {256u, 768u}) {
            const Stored stored = make_stored(c.dtype, 37, columns, 5);
            const Packed packed = make_packed(stored);
            ASSERT_TRUE(pack_tiles(stored.view, 0, packed.matrix.tiles(),
                                   const_cast<std::byte*>(packed.matrix.data))
                            .has_value());
            std::vector<float> row(columns);
            float largest = 0;
            for (const float value : stored.values) largest = std::max(largest, std::fabs(value));
            for (size_t r = 0; r < 37; ++r) {
                unpack_row(packed.matrix, r, row.data());
                for (size_t k = 0; k < columns; ++k) {
                    const float want = stored.values[r * columns + k];
                    if (c.exact) {
                        ASSERT_EQ(row[k], want) << "row " << r << " column " << k;
                    } else {
                        ASSERT_NEAR(row[k], want, 2 * largest / 2048) << "row " << r;
                    }
                }
            }
        }
    }
}

TEST(PackedMatrix, AnyRangeOfRowsPacksAlike) {
    for (const Case& c : kCases) {
        SCOPED_TRACE(tensor::name(c.dtype));
        const Stored stored = make_stored(c.dtype, 50, 256, 6);
        const Packed all = make_packed(stored);
        auto* bytes = const_cast<std::byte*>(all.matrix.data);
        ASSERT_TRUE(pack_tiles(stored.view, 0, all.matrix.tiles(), bytes).has_value());
        for (size_t t = 0; t < all.matrix.tiles(); ++t) {
            std::vector<std::byte> one(all.matrix.tile_bytes, std::byte{0x7f});
            ASSERT_TRUE(pack_tiles(stored.view, t * kTileRows, 1, one.data()).has_value());
            EXPECT_EQ(std::memcmp(one.data(), all.matrix.tile(t), one.size()), 0) << "tile " << t;
        }
    }
}

TEST(PackedMatrix, MissingRowsAreZero) {
    for (const Case& c : kCases) {
        SCOPED_TRACE(tensor::name(c.dtype));
        const Stored stored = make_stored(c.dtype, 3, 256, 7);
        Packed packed = make_packed(stored);
        ASSERT_TRUE(pack_tiles(stored.view, 0, 1, packed.memory.data()).has_value());
        packed.matrix.rows = kTileRows;
        std::vector<float> row(256, 1.0f);
        for (size_t r = 3; r < kTileRows; ++r) {
            unpack_row(packed.matrix, r, row.data());
            for (const float value : row) ASSERT_EQ(value, 0.0f);
        }
        EXPECT_TRUE(pack_tiles(stored.view, 16, 1, packed.memory.data()).has_value());
        for (const std::byte byte : packed.memory.span()) ASSERT_EQ(byte, std::byte{0});
    }
}

// The layout that the kernels and this family's header agree on, byte by byte for one code each.
TEST(PackedMatrix, CodesLieWhereTheHeaderSays) {
    // Row 2 of a Q5_0 matrix, one block: column 21 has code 0x1a, every other column code 0.
    std::vector<std::byte> bytes(3 * 22);
    std::byte* block = bytes.data() + 2 * 22;
    block[2 + 21 / 8] = std::byte{1 << 21 % 8};
    block[6 + 21 - 16] = std::byte{0xa0};
    const tensor::TensorView view{DType::q5_0, {32, 3, 1, 1}, 2, bytes.data(), bytes.size()};
    std::vector<std::byte> tile(packed_tile_bytes(PackFormat::u5, 32), std::byte{0x7f});
    ASSERT_TRUE(pack_tiles(view, 0, 1, tile.data()).has_value());
    const size_t j = 21 / 4, i = 21 % 4;
    for (size_t at = 0; at < tile.size(); ++at) {
        const bool nibble = at == 64 * (j - 4) + 4 * 2 + i;
        const bool high = at == 256 + 4 * 2 + i;
        const std::byte want = nibble ? std::byte{0xa0} : high ? std::byte{1 << j} : std::byte{0};
        ASSERT_EQ(tile[at], want) << "byte " << at;
    }
}

// Files keep packed bytes under the version of their layout: whoever changes these bytes changes
// it.
TEST(PackedMatrix, TheLayoutVersionNamesTheseBytes) {
    std::vector<std::byte> all;
    for (const Case& c : kCases) {
        // Not above 0x3f, so that no scale is infinite or not a number.
        std::vector<std::byte> bytes(20 * *tensor::row_bytes(c.dtype, 512));
        for (size_t i = 0; i < bytes.size(); ++i) {
            bytes[i] = static_cast<std::byte>((i * 37 + i / 64) % 64);
        }
        const tensor::TensorView view{c.dtype, {512, 20, 1, 1}, 2, bytes.data(), bytes.size()};
        std::vector<std::byte> packed(2 * packed_tile_bytes(c.format, 512));
        ASSERT_TRUE(pack_tiles(view, 0, 2, packed.data()).has_value());
        all.insert(all.end(), packed.begin(), packed.end());
    }
    EXPECT_EQ(kPackedLayoutVersion, 2);
    EXPECT_EQ(base::checksum(all), 18108964864296386360u);
}

// Row 1 of an IQ2_XXS matrix, its first group: grid entry 0 has all levels 8, whose code is 3 (of
// -43, -25, -8, 8, ..), but the last eight elements have all signs minus: code 2.
TEST(PackedMatrix, ThreeBitCodesLieWhereTheHeaderSays) {
    std::vector<std::byte> bytes(2 * 66);
    const uint32_t signs = 0x7fu << 21;
    std::memcpy(bytes.data() + 66 + 2 + 4, &signs, 4);
    tensor::TensorView view{DType::iq2_xxs, {256, 2, 1, 1}, 2, bytes.data(), bytes.size()};
    std::vector<float> values(256);
    bytes[66 + 1] = std::byte{0x3c};  // d = 1
    tensor::dequantize(DType::iq2_xxs, bytes.data() + 66, 256, values.data());
    ASSERT_EQ(values[0], 1.0f);
    ASSERT_EQ(values[24], -1.0f);
    ASSERT_EQ(values[31], -1.0f) << "the eighth sign makes their number even";
    std::vector<std::byte> tile(packed_tile_bytes(PackFormat::t3, 256));
    ASSERT_TRUE(pack_tiles(view, 0, 1, tile.data()).has_value());
    // Vectors 0..5 are of code 3, 6 and 7 of code 2: A = B = 3 | 3 << 3 | 2 << 6, C = 3 | 3 << 3.
    const std::byte* row = tile.data() + kTableBytes + 4 * 1;
    for (size_t i = 0; i < 4; ++i) {
        EXPECT_EQ(row[i], std::byte{0x9b});
        EXPECT_EQ(row[64 + i], std::byte{0x9b});
        EXPECT_EQ(row[128 + i], std::byte{0x1b});
    }
}

TEST(PackedMatrix, RejectsWhatHasNoPackedForm) {
    std::vector<std::byte> bytes(4096);
    std::vector<std::byte> out(1 << 16);
    auto code = [&](const tensor::TensorView& view) {
        const base::Status status = pack_tiles(view, 0, 1, out.data());
        return status ? base::ErrorCode::internal : status.error().code;
    };
    using base::ErrorCode;
    EXPECT_EQ(code({DType::i32, {32, 4, 1, 1}, 2, bytes.data(), 512}), ErrorCode::unsupported);
    EXPECT_EQ(code({DType::f32, {32, 1, 1, 1}, 1, bytes.data(), 128}), ErrorCode::unsupported);
    EXPECT_EQ(code({DType::f32, {32, 4, 1, 1}, 2, bytes.data(), 500}), ErrorCode::corrupt);
    EXPECT_EQ(code({DType::q4_k, {288, 4, 1, 1}, 2, bytes.data(), 648}), ErrorCode::corrupt);
    EXPECT_EQ(code({DType::q8_0, {32, 1ull << 60, 1, 1}, 2, bytes.data(), 4096}),
              ErrorCode::corrupt);
}

}  // namespace
}  // namespace hone::kernels
