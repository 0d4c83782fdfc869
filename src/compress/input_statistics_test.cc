#include "compress/input_statistics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/clock.h"
#include "compress/calibration_text.h"
#include "compress/compress_fixture.h"
#include "tensor/codec.h"

namespace hone::compress {
namespace {

constexpr uint32_t kContext = 128;

std::vector<int32_t> some_tokens(size_t n) {
    std::vector<int32_t> tokens;
    for (size_t i = 0; i < n; ++i) tokens.push_back(static_cast<int32_t>((i * i * 7 + 3) % 1000));
    return tokens;
}

base::Result<StatisticsByTensor> statistics_of(const SynthModel& model,
                                               std::span<const int32_t> tokens, int threads,
                                               CalibrationOptions options = {}) {
    const base::SteadyClock clock;
    auto session = runtime::open_session(model.path(), calibration_load(kContext, threads), clock);
    EXPECT_TRUE(session) << session.error().message;
    options.context = kContext;
    return calibrate(**session, tokens, options);
}

bool all(const std::string&) {
    return true;
}

std::vector<float> row_of(const formats::GgufFile& file, const char* name, uint64_t row) {
    const auto view = file.tensor(name);
    EXPECT_TRUE(view);
    std::vector<float> values(view->columns());
    tensor::dequantize(view->dtype, view->row(row), values.size(), values.data());
    return values;
}

// The input of the first layer's q is the normed embedding, whatever the position.
TEST(InputStatistics, FirstLayerByHand) {
    const SynthModel model({.type = tensor::DType::f32});
    const auto tokens = some_tokens(300);
    auto statistics = statistics_of(model, tokens, 2, {.wants_moments = all});
    ASSERT_TRUE(statistics) << statistics.error().message;
    const InputStatistics& q = *(*statistics)["blk.0.attn_q.weight"];
    EXPECT_EQ(q.n_rows, tokens.size());
    const auto norm = row_of(model.file(), "blk.0.attn_norm.weight", 0);
    std::vector<double> squares(q.width), with_first(q.width);
    for (const int32_t token : tokens) {
        const auto x = row_of(model.file(), "token_embd.weight", static_cast<uint64_t>(token));
        double mean = 0;
        for (const float value : x) mean += double{value} * value / static_cast<double>(q.width);
        const double scale = 1 / std::sqrt(mean + 1e-5);
        for (size_t i = 0; i < q.width; ++i) {
            const double value = x[i] * scale * norm[i];
            squares[i] += value * value / static_cast<double>(tokens.size());
            with_first[i] += value * x[0] * scale * norm[0] / static_cast<double>(tokens.size());
        }
    }
    for (size_t i = 0; i < q.width; ++i) {
        EXPECT_NEAR(q.squares[i], squares[i], 1e-4 * squares[i]);
        EXPECT_NEAR(q.moments[i * q.width], with_first[i], 1e-4);
        EXPECT_NEAR(q.moments[i * q.width + i], q.squares[i], 1e-4 * q.squares[i]);
    }
}

TEST(InputStatistics, EveryMatrixHasThemAndSharedInputsShareThem) {
    const SynthModel model({.type = tensor::DType::f16});
    auto statistics = statistics_of(model, some_tokens(300), 2);
    ASSERT_TRUE(statistics);
    for (const formats::GgufTensor& tensor : model.file().tensors()) {
        if (tensor.rank < 2) continue;
        const auto found = statistics->find(tensor.name);
        ASSERT_NE(found, statistics->end()) << tensor.name;
        EXPECT_EQ(found->second->width, tensor.dims[0]);
        EXPECT_TRUE(found->second->moments.empty());
        for (const float value : found->second->squares) EXPECT_GT(value, 0) << tensor.name;
    }
    EXPECT_EQ((*statistics)["blk.1.ffn_up.weight"], (*statistics)["blk.1.ffn_gate.weight"]);
    EXPECT_NE((*statistics)["blk.1.ffn_up.weight"], (*statistics)["blk.1.ffn_down.weight"]);
}

TEST(InputStatistics, AnyNumberOfThreadsGivesTheSame) {
    const SynthModel model({.type = tensor::DType::f16});
    auto one = statistics_of(model, some_tokens(300), 1, {.wants_moments = all});
    auto three = statistics_of(model, some_tokens(300), 3, {.wants_moments = all});
    ASSERT_TRUE(one && three);
    for (const auto& [name, item] : *one) {
        EXPECT_EQ(item->squares, (*three)[name]->squares) << name;
        EXPECT_EQ(item->moments, (*three)[name]->moments) << name;
    }
}

TEST(InputStatistics, TooShortAndCancelled) {
    const SynthModel model({.type = tensor::DType::f16});
    const auto short_text = statistics_of(model, some_tokens(kCalibrationTokensMin - 1), 1);
    ASSERT_FALSE(short_text);
    EXPECT_EQ(short_text.error().code, base::ErrorCode::invalid_argument);
    const auto cancelled =
        statistics_of(model, some_tokens(300), 1, {.go_on = [](double) { return false; }});
    ASSERT_FALSE(cancelled);
    EXPECT_EQ(cancelled.error().code, base::ErrorCode::cancelled);
}

TEST(CalibrationText, LongEnough) {
    // A token is seldom longer than eight bytes.
    EXPECT_GT(default_calibration_text().size(), 8 * kCalibrationTokensMin);
}

}  // namespace
}  // namespace hone::compress
