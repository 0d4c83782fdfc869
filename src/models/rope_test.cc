// The formulas at their ends; against transformers in runtime/architectures_test.cc.
#include "models/rope.h"

#include <gtest/gtest.h>

#include <cmath>

namespace hone::models {
namespace {

TEST(Rope, FrequenciesAreTheirFormula) {
    const auto plain = rope_frequencies(8, 10000.0f, {}, {});
    ASSERT_EQ(plain.size(), 4u);
    EXPECT_FLOAT_EQ(plain[0], 1.0f);
    EXPECT_FLOAT_EQ(plain[1], 0.1f);
    EXPECT_FLOAT_EQ(plain[3], 0.001f);
    const std::vector<float> factors = {1, 2, 4, 8};
    const auto divided = rope_frequencies(8, 10000.0f, {}, factors);
    for (size_t i = 0; i < 4; ++i) EXPECT_FLOAT_EQ(divided[i], plain[i] / factors[i]);
}

TEST(Rope, YarnKeepsFastPairsAndShrinksSlowOnes) {
    RopeScaling yarn{.kind = RopeScaling::Kind::yarn, .factor = 4.0f, .original_context = 4096};
    const auto plain = rope_frequencies(128, 10000.0f, {}, {});
    const auto scaled = rope_frequencies(128, 10000.0f, yarn, {});
    float before = 1.0f;
    size_t between = 0;
    for (size_t i = 0; i < scaled.size(); ++i) {
        const float turns = 4096.0f * plain[i] / static_cast<float>(2 * M_PI);
        const float kept = scaled[i] / plain[i];
        EXPECT_LE(kept, before + 1e-6f) << "the ramp goes down";
        if (turns > 40) {
            EXPECT_FLOAT_EQ(kept, 1.0f) << i;
        }
        if (turns < 0.8f) {
            EXPECT_FLOAT_EQ(kept, 0.25f) << i;
        }
        between += kept > 0.26f && kept < 0.99f ? 1 : 0;
        before = kept;
    }
    EXPECT_GT(between, 5u);
}

// A context so short that no pair turns often, and a base that no pair turns slowly with.
TEST(Rope, YarnStaysWithinItsBounds) {
    for (const float base : {2.0f, 10000.0f, 1e9f}) {
        for (const uint32_t context : {1u, 7u, 1u << 20}) {
            for (const uint32_t dims : {2u, 4u, 256u}) {
                const RopeScaling yarn{
                    .kind = RopeScaling::Kind::yarn, .factor = 8.0f, .original_context = context};
                const auto plain = rope_frequencies(dims, base, {}, {});
                const auto scaled = rope_frequencies(dims, base, yarn, {});
                for (size_t i = 0; i < plain.size(); ++i) {
                    EXPECT_LE(scaled[i], plain[i] * 1.000001f);
                    EXPECT_GE(scaled[i], plain[i] * 0.1249f);
                }
            }
        }
    }
}

}  // namespace
}  // namespace hone::models
