#include "compress/calibrated.h"

#include <gtest/gtest.h>

#include "compress/compress_fixture.h"

namespace hone::compress {
namespace {

std::string sentences(int count) {
    std::string text;
    for (int i = 0; i < count; ++i)
        text += "A sentence with the number " + std::to_string(i) + ". ";
    return text;
}

// What is held out follows what is read, and is never read.
TEST(CalibrateModel, HoldsTokensOut) {
    const SynthModel model({.n_layers = 1, .n_vocab = 512});
    const auto team = make_team(2);
    base::SteadyClock clock;
    CalibrationRequest request;
    request.model = model.path();
    request.text = sentences(200);
    const auto all = calibrate_model(request, *team, clock);
    ASSERT_TRUE(all) << all.error().message;
    EXPECT_TRUE(all->held_out.empty());
    const size_t n = all->tokens.size();
    ASSERT_GT(n, 2000u);

    request.tokens_max = 600;
    request.held_out_max = 300;
    const auto longer = calibrate_model(request, *team, clock);
    ASSERT_TRUE(longer);
    EXPECT_EQ(longer->tokens.size(), 600u);
    ASSERT_EQ(longer->held_out.size(), 300u);
    EXPECT_TRUE(
        std::equal(longer->held_out.begin(), longer->held_out.end(), all->tokens.begin() + 600));

    // Of a text that has no more, a quarter at most.
    request.tokens_max = 8192;
    request.held_out_max = 2048;
    const auto shared = calibrate_model(request, *team, clock);
    ASSERT_TRUE(shared);
    EXPECT_EQ(shared->tokens.size() + shared->held_out.size(), n);
    EXPECT_EQ(shared->held_out.size(), std::min<size_t>(2048, n / 4));
}

// Calibration comes first: a text that is just long enough for it keeps nothing.
TEST(CalibrateModel, AShortTextIsReadWhole) {
    const SynthModel model({.n_layers = 1, .n_vocab = 512});
    const auto team = make_team(2);
    base::SteadyClock clock;
    CalibrationRequest request;
    request.model = model.path();
    request.held_out_max = 2048;
    request.text = sentences(200);
    const auto tokens = calibrate_model(request, *team, clock);
    ASSERT_TRUE(tokens);
    const double tokens_per_byte =
        static_cast<double>(tokens->tokens.size() + tokens->held_out.size()) /
        static_cast<double>(request.text.size());
    request.text.resize(static_cast<size_t>(300 / tokens_per_byte));
    const auto just = calibrate_model(request, *team, clock);
    ASSERT_TRUE(just) << just.error().message;
    EXPECT_GE(just->tokens.size(), 256u);
    EXPECT_LT(just->held_out.size(), 75u);
}

}  // namespace
}  // namespace hone::compress
