#include "compress/profile_tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/random.h"
#include "compress/block_scales.h"
#include "compress/compress_fixture.h"
#include "compress/encode.h"
#include "tensor/block_fields.h"
#include "tensor/codec.h"

namespace hone::compress {
namespace {

using base::ErrorCode;
using tensor::DType;

// A tensor in memory, of whatever type the bytes are.
class Tensor {
  public:
    Tensor(DType dtype, uint64_t columns, uint64_t rows, const std::vector<float>& values)
        : bytes_(*tensor::row_bytes(dtype, columns) * rows) {
        if (can_encode(dtype)) {
            const uint64_t row_bytes = *tensor::row_bytes(dtype, columns);
            for (uint64_t r = 0; r < rows; ++r) {
                encode_row(dtype, std::span(values).subspan(r * columns, columns), {},
                           bytes_.data() + r * row_bytes);
            }
        } else {
            tensor::quantize(dtype, values.data(), values.size(), bytes_.data());
        }
        tensor_.name = "t";
        tensor_.dims = {columns, rows, 1, 1};
        tensor_.rank = 2;
        tensor_.type_name = std::string(tensor::name(dtype));
        tensor_.dtype = dtype;
        tensor_.bytes = bytes_.size();
        tensor_.view = {dtype, tensor_.dims, 2, bytes_.data(), bytes_.size()};
    }
    const formats::GgufTensor& get() const { return tensor_; }
    std::byte* data() { return bytes_.data(); }

  private:
    std::vector<std::byte> bytes_;
    formats::GgufTensor tensor_;
};

base::Result<measure::TensorProfile> profile(const Tensor& tensor,
                                             const std::vector<DType>& types = {},
                                             uint64_t example = 0, int threads = 2) {
    ProfileOptions options;
    options.types = types;
    options.example = example;
    const auto team = make_team(threads);
    return profile_tensor(tensor.get(), options, *team);
}

std::vector<float> normal(uint64_t seed, size_t n) {
    base::Random random(seed);
    std::vector<float> values(n);
    for (float& value : values) value = static_cast<float>(0.1 * random.next_normal());
    return values;
}

TEST(ProfileTensor, ValuesByHand) {
    // 28 ones, a zero, -3, 5 and the smallest denormal: 30 / 32 on average.
    std::vector<float> values(32, 1.0f);
    values[3] = 0;
    values[7] = -3;
    values[8] = 5;
    values[9] = 0x1p-149f;
    const auto found = profile({DType::f32, 16, 2, values});
    ASSERT_TRUE(found);
    EXPECT_EQ(found->type, "F32");
    EXPECT_EQ(found->dims, (std::vector<uint64_t>{16, 2}));
    EXPECT_EQ(found->bytes, 128u);
    EXPECT_EQ(found->bits_per_weight, 32);
    EXPECT_EQ(found->values.count, 32u);
    EXPECT_EQ(found->values.min, -3);
    EXPECT_EQ(found->values.max, 5);
    EXPECT_DOUBLE_EQ(found->values.mean, 30.0 / 32);
    // Squares: 28 + 9 + 25 = 62.
    EXPECT_DOUBLE_EQ(found->values.rms, std::sqrt(62.0 / 32));
    EXPECT_DOUBLE_EQ(found->values.stddev, std::sqrt(62.0 / 32 - 900.0 / 1024));
    EXPECT_DOUBLE_EQ(found->values.zero_share, 1.0 / 32);
    EXPECT_DOUBLE_EQ(found->values.denormal_share, 1.0 / 32);
    EXPECT_EQ(found->values.magnitude_p50, 1);
    EXPECT_EQ(found->values.magnitude_p99, 5);
    // Standard deviation 1.03: only 5.06 and more would be an outlier.
    EXPECT_EQ(found->values.outlier_share, 0);
    EXPECT_FALSE(found->scales);
    EXPECT_FALSE(found->block);
    uint64_t drawn = found->values.bins.below + found->values.bins.above;
    for (const uint64_t count : found->values.bins.counts) drawn += count;
    EXPECT_EQ(drawn, 32u);
}

TEST(ProfileTensor, OutliersAreFarFromTheMean) {
    std::vector<float> values(1024);
    for (size_t i = 0; i < values.size(); ++i) values[i] = i % 2 == 0 ? 1.0f : -1.0f;
    values[100] = 9;
    values[901] = -9;
    const auto found = profile({DType::f32, 1024, 1, values});
    ASSERT_TRUE(found);
    EXPECT_DOUBLE_EQ(found->values.outlier_share, 2.0 / 1024);
    // The picture ends at six standard deviations, some 6.5.
    EXPECT_EQ(found->values.bins.below, 1u);
    EXPECT_EQ(found->values.bins.above, 1u);
}

TEST(ProfileTensor, ErrorsOfHalvesByHand) {
    // 1 + 2^-12 lies between the halves 1 and 1 + 2^-10; all else is a half already.
    std::vector<float> values(64, 2.0f);
    values[0] = 1 + 0x1p-12f;
    values[63] = -1 - 0x1p-12f;
    values[5] = 0x1p-26f;  // rounds to zero
    const auto found = profile({DType::f32, 32, 2, values}, {DType::f16, DType::f32});
    ASSERT_TRUE(found);
    ASSERT_EQ(found->stored_as.size(), 2u);
    const measure::StoredAs& half = found->stored_as[0];
    EXPECT_EQ(half.type, "F16");
    EXPECT_EQ(half.bits_per_weight, 16);
    EXPECT_EQ(half.bytes, 128u);
    EXPECT_EQ(half.max_error, 0x1p-12);
    const double squared = 2 * 0x1p-24 + 0x1p-52;
    EXPECT_DOUBLE_EQ(half.rmse, std::sqrt(squared / 64));
    double power = 0;
    for (const float value : values) power += double{value} * value;
    EXPECT_DOUBLE_EQ(half.relative_rmse, std::sqrt(squared / power));
    ASSERT_TRUE(half.snr_db);
    EXPECT_DOUBLE_EQ(*half.snr_db, 10 * std::log10(power / squared));
    EXPECT_DOUBLE_EQ(half.to_zero_share, 1.0 / 64);
    EXPECT_FALSE(half.scales);
    // As it is: nothing lost, so no ratio.
    EXPECT_FALSE(found->stored_as[1].snr_db);
    EXPECT_EQ(found->stored_as[1].rmse, 0);
}

TEST(ProfileTensor, AGridThatFitsLosesNothing) {
    std::vector<float> values;
    for (int i = 0; i < 64; ++i) values.push_back(0.25f * static_cast<float>(i % 16 - 8));
    const auto found = profile({DType::f32, 64, 1, values}, {DType::q4_0}, 1);
    ASSERT_TRUE(found);
    const measure::StoredAs& stored = found->stored_as.front();
    EXPECT_EQ(stored.rmse, 0);
    ASSERT_TRUE(stored.scales);
    EXPECT_EQ(stored.scales->count, 2u);  // one for each block of 32
    EXPECT_EQ(stored.scales->min, 0.25);
    EXPECT_EQ(stored.scales->max, 0.25);
    ASSERT_TRUE(stored.block);
    EXPECT_EQ(stored.block->first, 32u);
    ASSERT_EQ(stored.block->levels.size(), 16u);
    EXPECT_EQ(stored.block->levels.front(), -2);
    EXPECT_EQ(stored.block->levels.back(), 1.75);
    EXPECT_EQ(stored.block->values, stored.block->stored);
    for (size_t i = 0; i < 32; ++i) {
        EXPECT_EQ(stored.block->values[i], values[32 + i]);
        EXPECT_EQ(stored.block->codes[i] * stored.block->scale, stored.block->stored[i]);
    }
}

// Against rows encoded whole, rows long enough for several pieces.
TEST(ProfileTensor, PiecesAddUpToTheRow) {
    constexpr size_t kColumns = 4096 * 2 + 256, kRows = 11;
    const auto values = normal(5, kColumns * kRows);
    const Tensor tensor(DType::f32, kColumns, kRows, values);
    const std::vector<DType> types = {DType::q4_0, DType::q4_k, DType::q6_k, DType::iq4_nl};
    const auto found = profile(tensor, types);
    ASSERT_TRUE(found);
    for (size_t t = 0; t < types.size(); ++t) {
        double squared = 0;
        std::vector<std::byte> out(*tensor::row_bytes(types[t], kColumns));
        for (size_t r = 0; r < kRows; ++r) {
            squared += encode_row(types[t], std::span(values).subspan(r * kColumns, kColumns), {},
                                  out.data())
                           .squared;
        }
        const double rmse = std::sqrt(squared / static_cast<double>(values.size()));
        EXPECT_NEAR(found->stored_as[t].rmse, rmse, 1e-5 * rmse) << tensor::name(types[t]);
        EXPECT_EQ(found->stored_as[t].error.count, values.size());
        EXPECT_EQ(found->stored_as[t].error.bins.high, found->stored_as[0].error.bins.high);
    }
}

TEST(ProfileTensor, AnyNumberOfThreadsGivesTheSame) {
    const Tensor tensor(DType::f32, 4096, 37, normal(6, size_t{4096} * 37));
    const auto one = profile(tensor, {DType::q4_1}, 0, 1);
    for (const int threads : {2, 3, 8, 11}) {
        const auto more = profile(tensor, {DType::q4_1}, 0, threads);
        ASSERT_TRUE(one && more);
        EXPECT_EQ(one->values.mean, more->values.mean);
        EXPECT_EQ(one->values.bins.counts, more->values.bins.counts);
        EXPECT_EQ(one->stored_as[0].rmse, more->stored_as[0].rmse);
        EXPECT_EQ(one->stored_as[0].scales->mean, more->stored_as[0].scales->mean);
    }
}

TEST(ProfileTensor, RowsThatAreNotWholeBlocksFallBack) {
    const Tensor tensor(DType::f32, 96, 2, normal(7, 192));
    const auto found = profile(tensor, {DType::q4_k, DType::q5_0, DType::q6_k});
    ASSERT_TRUE(found);
    EXPECT_EQ(found->stored_as[0].asked, "Q4_K");
    EXPECT_EQ(found->stored_as[0].type, "Q5_0");
    EXPECT_EQ(found->stored_as[0].rmse, found->stored_as[1].rmse);
    EXPECT_EQ(found->stored_as[2].type, "Q8_0");
    const auto odd = profile({DType::f32, 7, 3, normal(8, 21)}, {DType::q4_0});
    ASSERT_TRUE(odd);
    EXPECT_EQ(odd->stored_as[0].type, "F16");
    EXPECT_FALSE(odd->stored_as[0].block);
}

TEST(ProfileTensor, WhatIsNotFiniteIsCountedAndNamed) {
    auto values = normal(9, 128);
    Tensor tensor(DType::f32, 64, 2, values);
    const float bad[] = {std::numeric_limits<float>::infinity(), std::nanf("")};
    std::memcpy(tensor.data() + 4 * 70, bad, sizeof(bad));
    const auto found = profile(tensor, {DType::q4_0, DType::f32});
    ASSERT_TRUE(found);
    EXPECT_EQ(found->values.count, 126u);
    EXPECT_EQ(found->values.infinities, 1u);
    EXPECT_EQ(found->values.nans, 1u);
    EXPECT_EQ(found->stored_as[0].reason, "row 1, column 6: inf is not a finite number");
    values[100] = 70000;
    const auto large = profile({DType::f32, 64, 2, values}, {DType::f16, DType::bf16});
    ASSERT_TRUE(large);
    EXPECT_EQ(large->stored_as[0].reason, "row 1, column 36: 70000 does not fit into F16");
    EXPECT_EQ(large->stored_as[1].reason, "");
}

TEST(ProfileTensor, AForeignScaleThatIsNoNumber) {
    for (const uint16_t half : {0x7c00, 0x7e00}) {  // infinity, NaN
        Tensor tensor(DType::q4_0, 64, 1, normal(14, 64));
        tensor::store_field(tensor.data(), half);
        const auto found = profile(tensor, {DType::q8_0});
        ASSERT_TRUE(found);
        EXPECT_EQ(found->values.count, 32u);
        EXPECT_EQ(found->values.nans + found->values.infinities, 32u);
        EXPECT_FALSE(found->block);
        EXPECT_NE(found->stored_as[0].reason, "");
        ASSERT_TRUE(profile(tensor, {}, 1)->block);
    }
}

TEST(ProfileTensor, ASingleErrorIsStillDrawn) {
    std::vector<float> values(4096, 1.0f);
    values[17] = 1 + 0x1p-12f;
    const auto found = profile({DType::f32, 4096, 1, values}, {DType::f16});
    ASSERT_TRUE(found);
    const measure::Bins& bins = found->stored_as[0].error.bins;
    EXPECT_EQ(bins.high, 0x1p-12);
    EXPECT_EQ(bins.counts.front(), 1u);
}

// Of every type with blocks: a value is level times scale plus minimum of its group.
TEST(BlockScales, ExplainTheDecodedValues) {
    for (const DType type :
         {DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1, DType::q8_0, DType::q2_k, DType::q3_k,
          DType::q4_k, DType::q5_k, DType::q6_k, DType::iq4_nl, DType::tq2_0, DType::mxfp4}) {
        const size_t n = tensor::block_elements(type);
        const auto values = normal(11, n);
        const Tensor tensor(type, n, 1, values);
        std::vector<float> decoded(n);
        tensor::dequantize(type, tensor.get().view.data, n, decoded.data());
        const BlockScales scales = block_scales(type, tensor.get().view.data);
        ASSERT_EQ(static_cast<size_t>(scales.groups * scales.group_elements), n);
        for (size_t i = 0; i < n; ++i) {
            const size_t g = i / static_cast<size_t>(scales.group_elements);
            if (scales.scale[g] == 0) continue;
            const float level = (decoded[i] - scales.minimum[g]) / scales.scale[g];
            EXPECT_NEAR(level, std::nearbyint(level), 1e-3) << tensor::name(type) << " " << i;
        }
    }
}

TEST(BlockScales, Q41ByHand) {
    std::array<std::byte, 20> block{};
    tensor::store_half(block.data(), 0.5f);
    tensor::store_half(block.data() + 2, -3.0f);
    const BlockScales scales = block_scales(DType::q4_1, block.data());
    EXPECT_EQ(scales.groups, 1);
    EXPECT_EQ(scales.scale[0], 0.5f);
    EXPECT_EQ(scales.minimum[0], -3.0f);
}

// The levels of a block are all values that its codes can give, of each type that can be written.
TEST(ProfileTensor, StoredBlocksLieOnTheirLevels) {
    for (const DType type : {DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1, DType::q8_0,
                             DType::q4_k, DType::q5_k, DType::q6_k, DType::iq4_nl}) {
        const Tensor tensor(type, 512, 2, normal(12, 1024));
        for (const uint64_t example : {0, 5, 31}) {
            const auto found = profile(tensor, {}, example);
            ASSERT_TRUE(found && found->block) << tensor::name(type);
            EXPECT_EQ(found->block->first, example * 32);
            EXPECT_EQ(found->block->values, found->block->stored);
            for (const double value : found->block->values) {
                double nearest = INFINITY;
                for (const double level : found->block->levels) {
                    nearest = std::min(nearest, std::fabs(level - value));
                }
                EXPECT_LE(nearest, 1e-6) << tensor::name(type);
            }
        }
    }
}

TEST(ProfileTensor, ATensorTooShortForTheExampleHasNoBlock) {
    const Tensor tensor(DType::q8_0, 64, 1, normal(15, 64));
    EXPECT_EQ(example_count(tensor.get()), 2u);
    EXPECT_EQ(example_count(Tensor(DType::f32, 7, 5, normal(16, 35)).get()), 2u);
    const auto last = profile(tensor, {DType::q4_0}, 1);
    ASSERT_TRUE(last);
    EXPECT_TRUE(last->block && last->stored_as[0].block);
    const auto beyond = profile(tensor, {DType::q4_0}, 2);
    ASSERT_TRUE(beyond);
    EXPECT_FALSE(beyond->block);
    EXPECT_FALSE(beyond->stored_as[0].block);
    EXPECT_EQ(beyond->stored_as[0].rmse, last->stored_as[0].rmse);
}

TEST(ProfileTensor, Errors) {
    const Tensor tensor(DType::f32, 64, 1, normal(13, 64));
    formats::GgufTensor foreign = tensor.get();
    foreign.dtype.reset();
    foreign.type_name = "type 99";
    const auto team = make_team(1);
    const auto unreadable = profile_tensor(foreign, {}, *team);
    ASSERT_FALSE(unreadable);
    EXPECT_EQ(unreadable.error().code, ErrorCode::unsupported);
    ProfileOptions stopped;
    stopped.go_on = [](double) { return false; };
    const auto cancelled = profile_tensor(tensor.get(), stopped, *team);
    ASSERT_FALSE(cancelled);
    EXPECT_EQ(cancelled.error().code, ErrorCode::cancelled);
}

TEST(FindTensors, NamesPatternsAndTheClosest) {
    const SynthModel model({.n_layers = 2});
    const auto one = find_tensors(model.file(), "blk.1.ffn_down.weight");
    ASSERT_TRUE(one);
    EXPECT_EQ(one->size(), 1u);
    const auto some = find_tensors(model.file(), "blk.*.ffn_down.weight");
    ASSERT_TRUE(some);
    EXPECT_EQ(some->size(), 2u);
    const auto none = find_tensors(model.file(), "blk.1.fnn_down.weight");
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, ErrorCode::not_found);
    EXPECT_NE(none.error().message.find("'blk.1.ffn_down.weight'"), std::string::npos)
        << none.error().message;
}

}  // namespace
}  // namespace hone::compress
