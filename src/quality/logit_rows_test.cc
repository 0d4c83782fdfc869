#include "quality/logit_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/random.h"

namespace hone::quality {
namespace {

using runtime::LogSoftmax;

// As quality/logit_rows.h promises.
constexpr auto kRounding = [](double kl) { return 1e-6 + 2e-4 * kl; };

std::vector<std::byte> row_of(const std::vector<float>& logits, int32_t next = 0) {
    std::vector<std::byte> row(row_bytes(logits.size()));
    write_row(LogSoftmax(logits), next, row);
    return row;
}

std::vector<float> random_logits(size_t vocab, uint64_t seed, double spread) {
    base::Random random(seed);
    std::vector<float> out(vocab);
    for (float& logit : out) logit = static_cast<float>(random.next_normal() * spread);
    return out;
}

TEST(LogitRows, GiveTheKlOfAHandCountedPair) {
    const std::vector<float> base{2, 1, 0, -1}, model{1.8f, 1.2f, -0.1f, -0.9f};
    const auto a = row_of(base), b = row_of(model);
    EXPECT_NEAR(runtime::kl_divergence(LogSoftmax(base), LogSoftmax(model)), 0.015207677, 1e-7);
    EXPECT_NEAR(RowDivergence(4)(a, b), 0.015207677, kRounding(0.015207677));
    EXPECT_EQ(row_facts(a).top, row_facts(b).top);
    const double delta = std::exp(-row_facts(b).nll) - std::exp(-row_facts(a).nll);
    EXPECT_NEAR(delta, -0.07753, 5e-6);
    EXPECT_EQ(RowDivergence(4)(a, row_of(base)), 0);
}

TEST(LogitRows, TheirKlIsThatOfTheLogits) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
        const auto base = random_logits(32000, seed, 3);
        auto model = base;
        base::Random random(seed + 100);
        const double noise = seed % 2 == 0 ? 0.01 : 0.3;
        for (float& logit : model) logit += static_cast<float>(random.next_normal() * noise);
        const double exact = runtime::kl_divergence(LogSoftmax(base), LogSoftmax(model));
        EXPECT_NEAR(RowDivergence(base.size())(row_of(base), row_of(model)), exact,
                    kRounding(exact))
            << seed;
    }
}

TEST(LogitRows, StandLogitsOfAnySize) {
    const float infinity = std::numeric_limits<float>::infinity();
    for (const auto& logits : {std::vector<float>{0, 0, 0}, std::vector<float>{1e30f, 0, -1e30f},
                               std::vector<float>{5, -infinity, 4}, std::vector<float>{7}}) {
        const auto row = row_of(logits);
        EXPECT_TRUE(check_row(row, logits.size()));
        EXPECT_NEAR(row_facts(row).nll, LogSoftmax(logits).nll(0), 1e-12);
    }
    // What lies 60 nats below the likeliest token cannot be told apart from less.
    const auto far = row_of({0, -70}), further = row_of({0, -80});
    EXPECT_EQ(far, further);
}

TEST(LogitRows, ForeignBytesAreChecked) {
    const auto good = row_of({1, 2, 3});
    const auto with = [&](size_t at, auto value) {
        auto row = good;
        std::memcpy(row.data() + at, &value, sizeof value);
        return check_row(row, 3).has_value();
    };
    EXPECT_TRUE(check_row(good, 3));
    EXPECT_FALSE(with(0, std::nan("")));
    EXPECT_FALSE(with(0, HUGE_VAL));
    EXPECT_FALSE(with(8, std::nanf("")));
    EXPECT_FALSE(with(4, -1.0f)) << "the high half of a negative nll";
    EXPECT_FALSE(with(8, 1.0f));
    EXPECT_FALSE(with(12, -1.0f));
    EXPECT_FALSE(with(12, 1.0f));
    EXPECT_FALSE(with(16, uint32_t{3}));
    EXPECT_FALSE(with(20, uint32_t{1}));
}

}  // namespace
}  // namespace hone::quality
