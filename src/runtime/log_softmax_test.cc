#include "runtime/log_softmax.h"

#include <gtest/gtest.h>

#include <vector>

namespace hone::runtime {
namespace {

double kl(const std::vector<float>& p, const std::vector<float>& q) {
    return kl_divergence(LogSoftmax(p), LogSoftmax(q));
}

TEST(LogSoftmax, DivergenceFollowsTheDefinition) {
    const std::vector<float> base = {2, 1, 0, -1};
    const std::vector<float> q = {1.8f, 1.2f, -0.1f, -0.9f};
    EXPECT_NEAR(kl(base, q), 0.015207677, 1e-8);
    EXPECT_EQ(kl(base, base), 0);
    std::vector<float> moved = base;
    for (float& logit : moved) logit += 1024;  // the same distribution
    EXPECT_NEAR(kl(base, moved), 0, 1e-12);
}

}  // namespace
}  // namespace hone::runtime
