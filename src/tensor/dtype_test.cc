#include "tensor/dtype.h"

#include <gtest/gtest.h>

namespace hone::tensor {
namespace {

TEST(DType, TableFollowsTheEnum) {
    for (size_t i = 0; i < kDTypes.size(); ++i) {
        EXPECT_EQ(static_cast<size_t>(kDTypes[i].dtype), i) << kDTypes[i].name;
    }
}

TEST(DType, NamesParseBackInBothCases) {
    for (const DTypeTraits& t : kDTypes) EXPECT_EQ(parse_dtype(t.name), t.dtype);
    EXPECT_EQ(parse_dtype("q4_k"), DType::q4_k);
    EXPECT_EQ(parse_dtype("bf16"), DType::bf16);
    EXPECT_EQ(parse_dtype("Q4_K_M"), std::nullopt);
    EXPECT_EQ(parse_dtype(""), std::nullopt);
}

TEST(DType, RowBytes) {
    EXPECT_EQ(row_bytes(DType::f32, 3), 12u);
    EXPECT_EQ(row_bytes(DType::q4_0, 576), 18u * 18u);
    EXPECT_EQ(row_bytes(DType::q4_1, 64), 40u);
    EXPECT_EQ(row_bytes(DType::q5_0, 32), 22u);
    EXPECT_EQ(row_bytes(DType::q8_0, 96), 102u);
    EXPECT_EQ(row_bytes(DType::q4_k, 512), 288u);
    EXPECT_EQ(row_bytes(DType::q6_k, 256), 210u);
    EXPECT_EQ(row_bytes(DType::q5_1, 32), 24u);
    EXPECT_EQ(row_bytes(DType::q2_k, 256), 84u);
    EXPECT_EQ(row_bytes(DType::q3_k, 256), 110u);
    EXPECT_EQ(row_bytes(DType::q5_k, 256), 176u);
    EXPECT_EQ(row_bytes(DType::iq1_s, 256), 50u);
    EXPECT_EQ(row_bytes(DType::iq1_m, 256), 56u);
    EXPECT_EQ(row_bytes(DType::iq2_xxs, 256), 66u);
    EXPECT_EQ(row_bytes(DType::iq2_xs, 256), 74u);
    EXPECT_EQ(row_bytes(DType::iq2_s, 256), 82u);
    EXPECT_EQ(row_bytes(DType::iq3_xxs, 256), 98u);
    EXPECT_EQ(row_bytes(DType::iq3_s, 256), 110u);
    EXPECT_EQ(row_bytes(DType::iq4_nl, 64), 36u);
    EXPECT_EQ(row_bytes(DType::iq4_xs, 256), 136u);
    EXPECT_EQ(row_bytes(DType::tq1_0, 256), 54u);
    EXPECT_EQ(row_bytes(DType::tq2_0, 256), 66u);
    EXPECT_EQ(row_bytes(DType::mxfp4, 32), 17u);
    EXPECT_EQ(row_bytes(DType::q4_0, 33), std::nullopt);
    EXPECT_EQ(row_bytes(DType::q4_k, 128), std::nullopt);
    EXPECT_EQ(row_bytes(DType::f32, uint64_t{1} << 62), std::nullopt);
    EXPECT_EQ(row_bytes(DType::f16, uint64_t{1} << 62), uint64_t{1} << 63);
}

}  // namespace
}  // namespace hone::tensor
