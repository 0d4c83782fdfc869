#include "probe/rate_check.h"

#include "probe/probe_fixture.h"

namespace hone::probe {
namespace {

class RateCheckTest : public TinyModelTest {};

// A model against itself keeps the promise of its own rate and breaks that of ten times it.
TEST_F(RateCheckTest, TellsAKeptPromiseFromABrokenOne) {
    RateCheckOptions options;
    options.steps = 8;
    options.budget_s = 0.5;
    options.tolerance = 0.5;  // of a model whose step is mostly waiting
    const auto kept = check_decode_rate(*session_, *session_, {1, 0}, options, clock_);
    ASSERT_TRUE(kept) << kept.error().message;
    EXPECT_GT(kept->pairs, 0u);
    EXPECT_GT(kept->a_tokens_per_s, 0);
    EXPECT_GT(kept->share, 0.4);
    EXPECT_LT(kept->share, 2.5);
    const auto broken = check_decode_rate(*session_, *session_, {10, 0}, options, clock_);
    ASSERT_TRUE(broken) << broken.error().message;
    EXPECT_LT(broken->share, 0.25);
    if (broken->share_ci95) {
        EXPECT_LE(broken->share_ci95->low, broken->share);
        EXPECT_GE(broken->share_ci95->high, broken->share);
    }
    // The same in tokens per second, which asks nothing of A.
    const auto absolute =
        check_decode_rate(*session_, *session_, {0, 1000 * kept->b_tokens_per_s}, options, clock_);
    ASSERT_TRUE(absolute);
    EXPECT_LT(absolute->share, 0.1);
    EXPECT_GT(absolute->share, 0);
}

TEST_F(RateCheckTest, StopsOnRequest) {
    std::atomic<bool> cancel = true;
    Conduct conduct;
    conduct.cancel = &cancel;
    const auto stopped = check_decode_rate(*session_, *session_, {1, 0}, {}, clock_, conduct);
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code, base::ErrorCode::cancelled);
}

}  // namespace
}  // namespace hone::probe
