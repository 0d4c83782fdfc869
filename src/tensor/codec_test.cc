#include "tensor/codec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/random.h"
#include "tensor/half.h"

namespace hone::tensor {
namespace {

// tests/golden/make_dequant.py describes the file and where its numbers come from.
TEST(Codec, DequantizeEqualsTheGoldenBitForBit) {
    std::ifstream file(HONE_SOURCE_DIR "/tests/golden/dequant.bin", std::ios::binary);
    const std::vector<char> golden{std::istreambuf_iterator<char>(file), {}};
    size_t at = 0, records = 0;
    while (at + 12 <= golden.size()) {
        const std::string type_name(&golden[at], strnlen(&golden[at], 8));
        uint32_t blocks = 0;
        std::memcpy(&blocks, &golden[at + 8], 4);
        const auto dtype = parse_dtype(type_name);
        ASSERT_TRUE(dtype) << type_name;
        const size_t elements = size_t{blocks} * block_elements(*dtype);
        const char* raw = golden.data() + at + 12;
        const char* expected = raw + size_t{blocks} * block_bytes(*dtype);
        ASSERT_LE(expected + 4 * elements, golden.data() + golden.size());
        std::vector<float> actual(elements, -1.0f);
        dequantize(*dtype, reinterpret_cast<const std::byte*>(raw), elements, actual.data());
        for (size_t i = 0; i < elements; ++i) {
            float value = 0;
            std::memcpy(&value, expected + 4 * i, 4);
            ASSERT_EQ(std::memcmp(&value, &actual[i], 4), 0)
                << type_name << " element " << i << ": " << actual[i] << ", expected " << value;
        }
        at = static_cast<size_t>(expected - golden.data()) + 4 * elements;
        ++records;
    }
    EXPECT_EQ(at, golden.size());
    EXPECT_EQ(records, 25u);
}

TEST(Codec, PlainTypes) {
    const std::vector<float> values{0.0f, 1.0f, -2.5f, 65504.0f};
    std::vector<std::byte> bytes(16);
    std::vector<float> out(4);
    for (DType dtype : {DType::f32, DType::f16}) {
        quantize(dtype, values.data(), 4, bytes.data());
        dequantize(dtype, bytes.data(), 4, out.data());
        EXPECT_EQ(out, values) << name(dtype);
    }
    const std::vector<float> whole{-7.0f, 0.0f, 3.0f, 1e20f};
    quantize(DType::i32, whole.data(), 4, bytes.data());
    dequantize(DType::i32, bytes.data(), 4, out.data());
    EXPECT_EQ(out, (std::vector<float>{-7.0f, 0.0f, 3.0f, 2147483520.0f}));
}

struct ErrorBound {
    DType dtype;
    double relative_rms;  // of N(0, 1) noise; measured, with about 10 % of room
    double relative_rms_min;
};

// Bounds from both sides: a codec that suddenly became better than its bits would be wrong, too.
TEST(Codec, QuantizeErrorIsThatOfTheBits) {
    const ErrorBound bounds[] = {
        {DType::bf16, 0.0020, 0.0012}, {DType::q4_0, 0.100, 0.07},    {DType::q4_1, 0.090, 0.06},
        {DType::q5_0, 0.050, 0.035},   {DType::q8_0, 0.0070, 0.004},  {DType::q4_k, 0.095, 0.06},
        {DType::q6_k, 0.025, 0.012},   {DType::f16, 0.00025, 0.0001}, {DType::f64, 1e-30, -1.0},
        {DType::q5_1, 0.045, 0.03},    {DType::q2_k, 0.40, 0.25},     {DType::q3_k, 0.22, 0.14},
        {DType::q5_k, 0.047, 0.03},    {DType::iq4_nl, 0.09, 0.06},   {DType::iq4_xs, 0.09, 0.06},
        {DType::mxfp4, 0.15, 0.08},    {DType::tq1_0, 0.95, 0.6},     {DType::tq2_0, 0.95, 0.6}};
    constexpr size_t kElements = 256 * 64;
    base::Random random(7);
    std::vector<float> values(kElements), out(kElements);
    for (float& value : values) value = static_cast<float>(random.next_normal());
    for (const ErrorBound& bound : bounds) {
        std::vector<std::byte> bytes(*row_bytes(bound.dtype, kElements));
        quantize(bound.dtype, values.data(), kElements, bytes.data());
        dequantize(bound.dtype, bytes.data(), kElements, out.data());
        double error = 0, power = 0;
        for (size_t i = 0; i < kElements; ++i) {
            const double difference = static_cast<double>(out[i]) - values[i];
            error += difference * difference;
            power += static_cast<double>(values[i]) * values[i];
        }
        const double relative_rms = std::sqrt(error / power);
        EXPECT_LT(relative_rms, bound.relative_rms) << name(bound.dtype);
        EXPECT_GT(relative_rms, bound.relative_rms_min) << name(bound.dtype);
    }
}

TEST(Codec, ZerosAndConstantsSurvive) {
    for (const DTypeTraits& t : kDTypes) {
        if (!can_quantize(t.dtype)) continue;
        std::vector<std::byte> bytes(t.block_bytes, std::byte{0xff});
        for (float constant : {0.0f, 4.0f, -8.0f}) {
            const std::vector<float> values(t.block_elements, constant);
            std::vector<float> out(t.block_elements, 99.0f);
            quantize(t.dtype, values.data(), t.block_elements, bytes.data());
            dequantize(t.dtype, bytes.data(), t.block_elements, out.data());
            for (float value : out) {
                EXPECT_NEAR(value, constant, std::fabs(constant) * 0.002) << t.name;
            }
        }
    }
}

TEST(Codec, OnlyCodeBooksHaveNoEncoder) {
    for (const DTypeTraits& t : kDTypes) {
        const bool code_book = t.name.substr(0, 3) == "IQ1" || t.name.substr(0, 3) == "IQ2" ||
                               t.name.substr(0, 3) == "IQ3";
        EXPECT_EQ(can_quantize(t.dtype), !code_book) << t.name;
    }
}

TEST(CodecDeathTest, PartialBlocksAreABug) {
    float value[33] = {};
    std::byte bytes[64] = {};
    EXPECT_DEATH(quantize(DType::q8_0, value, 33, bytes), "");
    EXPECT_DEATH(dequantize(DType::q8_0, bytes, 31, value), "");
    EXPECT_DEATH(quantize(DType::iq2_s, value, 256, bytes), "");
}

}  // namespace
}  // namespace hone::tensor
