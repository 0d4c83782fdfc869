#include "compress/feedback.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "base/random.h"
#include "tensor/codec.h"

namespace hone::compress {
namespace {

using tensor::DType;

// Moments of correlated inputs: neighbours share half of their noise.
InputStatistics correlated(size_t width, uint64_t seed, size_t n_rows = 4096) {
    base::Random random(seed);
    InputStatistics statistics;
    statistics.width = width;
    statistics.n_rows = n_rows;
    std::vector<double> moments(width * width);
    std::vector<double> x(width);
    for (size_t r = 0; r < n_rows; ++r) {
        double shared = random.next_normal();
        for (size_t i = 0; i < width; ++i) {
            if (i % 8 == 0) shared = random.next_normal();
            x[i] = (shared + random.next_normal()) * (1.0 + static_cast<double>(i % 5));
        }
        for (size_t j = 0; j < width; ++j) {
            for (size_t i = 0; i <= j; ++i) moments[j * width + i] += x[i] * x[j];
        }
    }
    for (double& value : moments) value /= static_cast<double>(n_rows);
    statistics.moments.assign(moments.begin(), moments.end());
    for (size_t i = 0; i < width; ++i) {
        statistics.squares.push_back(static_cast<float>(moments[i * width + i]));
    }
    return statistics;
}

// e^T H e for one row.
double product_error(const InputStatistics& statistics, const std::vector<double>& e) {
    const size_t n = statistics.width;
    double sum = 0;
    for (size_t j = 0; j < n; ++j) {
        for (size_t i = 0; i <= j; ++i) {
            sum += (i == j ? 1.0 : 2.0) * e[i] * e[j] * statistics.moments[j * n + i];
        }
    }
    return sum;
}

// The factor gives back the quadratic form: e^T (H + damping) e = sum of D (e + A e)^2.
TEST(Feedback, FactorIsThatOfTheMoments) {
    for (const size_t width : {8u, 24u, 67u}) {
        const InputStatistics statistics = correlated(width, width);
        InputStatistics moved = statistics;
        const FeedbackFactor factor = make_factor(moved, 0.0f);
        EXPECT_TRUE(moved.moments.empty());
        base::Random random(5);
        double ratio = 0;
        for (int trial = 0; trial < 5; ++trial) {
            std::vector<double> e(width);
            for (double& value : e) value = random.next_normal();
            double sum = 0;
            for (size_t k = 0; k < width; ++k) {
                double u = e[k];
                for (size_t i = 0; i < k; ++i) u += e[i] * factor.lower[k * width + i];
                sum += factor.diagonal[k] * u * u;
            }
            // D is scaled to a mean of 1: the ratio is a constant, not 1.
            const double now = product_error(statistics, e) / sum;
            if (trial > 0) {
                EXPECT_NEAR(now / ratio, 1.0, 1e-3) << width;
            }
            ratio = now;
        }
    }
}

TEST(Feedback, LowersTheErrorOfTheProduct) {
    constexpr size_t kWidth = 256;
    const InputStatistics statistics = correlated(kWidth, 3);
    InputStatistics moved = statistics;
    const FeedbackFactor factor = make_factor(moved);
    base::Random random(8);
    std::vector<float> rows(kFeedbackRows * kWidth);
    for (float& value : rows) value = static_cast<float>(random.next_normal());
    for (const DType type : {DType::q4_0, DType::q4_1, DType::q5_0, DType::q4_k, DType::q6_k,
                             DType::q8_0, DType::iq4_nl}) {
        const size_t row_bytes = *tensor::row_bytes(type, kWidth);
        std::vector<std::byte> with(kFeedbackRows * row_bytes), without(with.size());
        encode_rows_with_feedback(type, rows, factor, with.data());
        double error_with = 0, error_without = 0;
        for (size_t r = 0; r < kFeedbackRows; ++r) {
            const std::span<const float> row(rows.data() + r * kWidth, kWidth);
            encode_row(type, row, statistics.squares, without.data() + r * row_bytes);
            for (auto* pair : {&error_with, &error_without}) {
                const auto& blocks = pair == &error_with ? with : without;
                std::vector<float> decoded(kWidth);
                tensor::dequantize(type, blocks.data() + r * row_bytes, kWidth, decoded.data());
                std::vector<double> e(kWidth);
                for (size_t i = 0; i < kWidth; ++i) e[i] = double{row[i]} - decoded[i];
                *pair += product_error(statistics, e);
            }
        }
        EXPECT_LT(error_with, 0.85 * error_without) << tensor::name(type);
    }
}

// Rows do not see each other: alone or together, the same blocks.
TEST(Feedback, RowsAreIndependent) {
    constexpr size_t kWidth = 64;
    InputStatistics statistics = correlated(kWidth, 4);
    const FeedbackFactor factor = make_factor(statistics);
    base::Random random(9);
    std::vector<float> rows(3 * kWidth);
    for (float& value : rows) value = static_cast<float>(random.next_normal());
    const size_t row_bytes = *tensor::row_bytes(DType::q4_0, kWidth);
    std::vector<std::byte> together(3 * row_bytes), alone(row_bytes);
    encode_rows_with_feedback(DType::q4_0, rows, factor, together.data());
    for (size_t r = 0; r < 3; ++r) {
        encode_rows_with_feedback(DType::q4_0, std::span(rows).subspan(r * kWidth, kWidth), factor,
                                  alone.data());
        EXPECT_TRUE(std::equal(alone.begin(), alone.end(),
                               together.begin() + static_cast<std::ptrdiff_t>(r * row_bytes)));
    }
}

TEST(Feedback, InputsThatNeverMove) {
    InputStatistics statistics;
    statistics.width = 32;
    statistics.squares.assign(32, 0.0f);
    statistics.moments.assign(32 * 32, 0.0f);
    const FeedbackFactor factor = make_factor(statistics);
    std::vector<float> row(32, 0.25f);
    std::array<std::byte, 18> block;
    const EncodeError error = encode_rows_with_feedback(DType::q4_0, row, factor, block.data());
    EXPECT_LT(error.squared, 1e-5);
}

}  // namespace
}  // namespace hone::compress
