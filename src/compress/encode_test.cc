#include "compress/encode.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"
#include "compress/block_fit.h"
#include "compress/block_grid.h"
#include "tensor/codec.h"

namespace hone::compress {
namespace {

using tensor::DType;

constexpr std::array kGridTypes{DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1,  DType::q8_0,
                                DType::q4_k, DType::q5_k, DType::q6_k, DType::iq4_nl};
constexpr size_t kColumns = 512;

std::vector<float> normal_row(uint64_t seed, size_t n = kColumns, double scale = 0.1) {
    base::Random random(seed);
    std::vector<float> row(n);
    for (float& value : row) value = static_cast<float>(scale * random.next_normal());
    return row;
}

std::vector<float> positive_row(uint64_t seed) {
    std::vector<float> row = normal_row(seed, kColumns, 1.5);
    for (float& value : row) value = std::exp(value);
    return row;
}

std::vector<std::byte> encoded(DType type, const std::vector<float>& row,
                               std::span<const float> importance = {},
                               EncodeError* error = nullptr) {
    std::vector<std::byte> out(*tensor::row_bytes(type, row.size()));
    const EncodeError found = encode_row(type, row, importance, out.data());
    if (error != nullptr) *error = found;
    return out;
}

double weighted_error(DType type, const std::vector<std::byte>& blocks,
                      const std::vector<float>& row, std::span<const float> importance) {
    std::vector<float> decoded(row.size());
    tensor::dequantize(type, blocks.data(), row.size(), decoded.data());
    double sum = 0;
    for (size_t i = 0; i < row.size(); ++i) {
        const double off = double{row[i]} - decoded[i];
        sum += (importance.empty() ? 1.0 : importance[i]) * off * off;
    }
    return sum;
}

// What encode_row says about its error is what a reader of the blocks finds.
TEST(Encode, ErrorIsThatOfTheDecodedBlocks) {
    for (const DType type : kGridTypes) {
        for (uint64_t seed = 1; seed <= 4; ++seed) {
            const auto row = normal_row(seed);
            const auto importance = positive_row(seed + 100);
            EncodeError error;
            const auto blocks = encoded(type, row, importance, &error);
            EXPECT_NEAR(weighted_error(type, blocks, row, {}), error.squared,
                        1e-4 * error.squared + 1e-12)
                << tensor::name(type);
            EXPECT_NEAR(weighted_error(type, blocks, row, importance), error.weighted,
                        1e-4 * error.weighted + 1e-12)
                << tensor::name(type);
        }
    }
}

// Against scales from the extremes, which is what the plain quantizer does.
TEST(Encode, BetterThanScalesFromTheExtremes) {
    for (const DType type : kGridTypes) {
        if (!tensor::can_quantize(type)) continue;  // IQ4_NL
        double ours = 0, plain = 0;
        for (uint64_t seed = 1; seed <= 16; ++seed) {
            const auto row = normal_row(seed);
            ours += weighted_error(type, encoded(type, row), row, {});
            std::vector<std::byte> blocks(*tensor::row_bytes(type, row.size()));
            tensor::quantize(type, row.data(), row.size(), blocks.data());
            plain += weighted_error(type, blocks, row, {});
        }
        EXPECT_LT(ours, (type == DType::q8_0 ? 1.0 : 0.95) * plain) << tensor::name(type);
    }
}

TEST(Encode, ImportanceLowersTheWeightedError) {
    for (const DType type : kGridTypes) {
        double with = 0, without = 0;
        for (uint64_t seed = 1; seed <= 16; ++seed) {
            const auto row = normal_row(seed);
            const auto importance = positive_row(seed + 100);
            with += weighted_error(type, encoded(type, row, importance), row, importance);
            without += weighted_error(type, encoded(type, row), row, importance);
        }
        EXPECT_LT(with, without) << tensor::name(type);
    }
}

// A model on a grid goes back to it: nothing is lost in a second pass.
TEST(Encode, GridValuesSurvive) {
    for (const DType type : {DType::q4_0, DType::q4_1, DType::q5_0, DType::q8_0}) {
        const auto first = encoded(type, normal_row(3));
        std::vector<float> row(kColumns);
        tensor::dequantize(type, first.data(), row.size(), row.data());
        double magnitude = 0;
        for (const float value : row) magnitude += double{value} * value;
        EXPECT_LT(weighted_error(type, encoded(type, row), row, {}), 1e-5 * magnitude)
            << tensor::name(type);
    }
}

TEST(Encode, ConstantsZerosAndTinyValues) {
    for (const DType type : kGridTypes) {
        for (const float value : {0.0f, 1.0f, -2.5f, 1e-30f}) {
            const std::vector<float> row(kColumns, value);
            const auto blocks = encoded(type, row);
            std::vector<float> decoded(kColumns);
            tensor::dequantize(type, blocks.data(), row.size(), decoded.data());
            for (const float x : decoded) {
                EXPECT_NEAR(x, value, 0.01 * std::fabs(value) + 1e-7) << tensor::name(type);
            }
        }
    }
}

TEST(Encode, HugeValuesStayFinite) {
    for (const DType type : kGridTypes) {
        auto row = normal_row(5, kColumns, 1e6);
        const auto blocks = encoded(type, row);
        std::vector<float> decoded(kColumns);
        tensor::dequantize(type, blocks.data(), row.size(), decoded.data());
        for (const float x : decoded) EXPECT_TRUE(std::isfinite(x)) << tensor::name(type);
    }
}

TEST(Encode, FindsWhatCannotBeEncoded) {
    std::vector<float> row = normal_row(1, 64);
    EXPECT_FALSE(find_bad(DType::q4_0, row));
    row[40] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_EQ(find_bad(DType::q4_0, row)->column, 40u);
    row[40] = -std::numeric_limits<float>::infinity();
    EXPECT_EQ(find_bad(DType::f32, row)->column, 40u);
    row[40] = 70000;
    EXPECT_FALSE(find_bad(DType::bf16, row));
    EXPECT_EQ(find_bad(DType::f16, row)->value, 70000.0f);
}

TEST(Encode, WeightsHaveMeanOneAndAFloor) {
    const std::vector<float> importance{4, 0, 4, 8};
    std::vector<float> weights(4);
    error_weights(importance, weights);
    EXPECT_EQ(weights, (std::vector<float>{1, 1e-3f, 1, 2}));
    error_weights({}, weights);
    EXPECT_EQ(weights, (std::vector<float>{1, 1, 1, 1}));
    error_weights(std::vector<float>(4, 0.0f), weights);
    EXPECT_EQ(weights, (std::vector<float>{1, 1, 1, 1}));
}

// The search against a far finer one: what is left on the table is small.
TEST(BlockFit, CloseToAFineSearch) {
    const std::array<float, 32> w = [] {
        std::array<float, 32> ones;
        ones.fill(1.0f);
        return ones;
    }();
    double ours = 0, fine = 0;
    for (uint64_t seed = 1; seed <= 64; ++seed) {
        const auto x = normal_row(seed, 32);
        const float scale = fit_scale<32>(x.data(), w.data(), -8, 7);
        ours += grid_error<32>(x.data(), w.data(), {scale, 0}, -8, 7);
        double best = std::numeric_limits<double>::infinity();
        float magnitude = 0;
        for (const float value : x) magnitude = std::max(magnitude, std::fabs(value));
        for (int i = 1; i <= 4000; ++i) {
            for (const float sign : {1.0f, -1.0f}) {
                const float s = sign * magnitude * static_cast<float>(i) / 12000.0f;
                best = std::min<double>(best, grid_error<32>(x.data(), w.data(), {s, 0}, -8, 7));
            }
        }
        fine += best;
    }
    EXPECT_LT(ours, 1.02 * fine);
}

TEST(BlockGrid, EveryCodeSurvivesPacking) {
    for (const DType type : kGridTypes) {
        const GridShape shape = grid_shape(type);
        const auto row = normal_row(9, static_cast<size_t>(shape.elements()));
        const std::vector<float> ones(row.size(), 1.0f);
        const BlockGrid grid = fit_grid(type, row.data(), ones.data());
        base::Random random(4);
        BlockCodes codes{};
        for (int i = 0; i < shape.elements(); ++i) {
            const auto span = static_cast<uint64_t>(shape.high - shape.low + 1);
            codes[i] = static_cast<int8_t>(shape.low + static_cast<int>(random.next_below(span)));
        }
        std::vector<std::byte> block(tensor::block_bytes(type));
        pack_block(type, grid, codes, block.data());
        std::vector<float> decoded(row.size());
        tensor::dequantize(type, block.data(), row.size(), decoded.data());
        for (int i = 0; i < shape.elements(); ++i) {
            const float value = code_value(shape, grid, i / shape.group_elements, codes[i]);
            EXPECT_NEAR(decoded[i], value, 1e-5) << tensor::name(type) << " " << i;
        }
    }
}

}  // namespace
}  // namespace hone::compress
