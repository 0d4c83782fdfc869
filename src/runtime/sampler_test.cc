#include "runtime/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <vector>

namespace hone::runtime {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

size_t plain_argmax(const float* x, size_t n) noexcept {
    size_t best = 0;
    for (size_t i = 1; i < n; ++i) {
        if (x[i] > x[best]) best = i;
    }
    return best;
}

kernels::RowsVariant plain_rows() {
    kernels::RowsVariant rows{};
    rows.name = "plain";
    rows.argmax = plain_argmax;
    return rows;
}

class SamplerTest : public ::testing::Test {
  protected:
    int32_t sample_once(SamplingOptions options, const std::vector<float>& logits,
                        const std::vector<int32_t>& recent = {}) {
        SamplerWorkspace workspace(static_cast<uint32_t>(logits.size()), rows_);
        return Sampler(std::move(options), workspace).sample(logits, recent);
    }

    // How often each token comes out of `draws` draws.
    std::vector<double> counts(SamplingOptions options, const std::vector<float>& logits,
                               const std::vector<int32_t>& recent, int draws) {
        SamplerWorkspace workspace(static_cast<uint32_t>(logits.size()), rows_);
        Sampler sampler(std::move(options), workspace);
        std::vector<double> out(logits.size(), 0.0);
        for (int i = 0; i < draws; ++i) out[sampler.sample(logits, recent)] += 1.0;
        return out;
    }

    kernels::RowsVariant rows_ = plain_rows();
};

// The documented chain written down plainly: full sorts, no selection. Returns probabilities.
std::vector<double> reference(const SamplingOptions& options, std::vector<float> logits,
                              const std::vector<int32_t>& recent) {
    for (auto [token, bias] : options.logit_bias) logits[token] += bias;
    std::map<int32_t, bool> seen;
    for (size_t i = 0; i < recent.size(); ++i) {
        if (i + options.repeat_last_n >= recent.size()) seen[recent[i]] = true;
    }
    for (auto [token, unused] : seen) {
        float& l = logits[token];
        l = l > 0 ? l / options.repetition_penalty : l * options.repetition_penalty;
    }
    std::vector<int32_t> order(logits.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
    if (options.top_k > 0) order.resize(std::min<size_t>(order.size(), options.top_k));
    const double top = logits[order[0]];
    double mass = 0;
    for (int32_t id : order) mass += std::exp(logits[id] - top);
    size_t keep = 0;
    for (double sum = 0; keep < order.size() && sum < options.top_p * mass; ++keep) {
        sum += std::exp(logits[order[keep]] - top);
    }
    if (options.top_p < 1.0f) order.resize(keep);
    std::vector<double> out(logits.size(), 0.0);
    double total = 0;
    for (int32_t id : order) {
        if (std::exp(logits[id] - top) < options.min_p) continue;
        total += out[id] = std::exp((logits[id] - top) / options.temperature);
    }
    for (double& p : out) p /= total;
    return out;
}

// Pearson's statistic over the possible tokens; with `df` degrees of freedom its mean is df and its
// deviation sqrt(2 df), so 6 deviations never fail by chance and small errors in p do.
void expect_distribution(const std::vector<double>& expected, const std::vector<double>& counts) {
    const double draws = std::accumulate(counts.begin(), counts.end(), 0.0);
    double statistic = 0;
    int df = -1;
    for (size_t i = 0; i < expected.size(); ++i) {
        if (expected[i] == 0) {
            ASSERT_EQ(counts[i], 0.0) << "token " << i << " is filtered out";
            continue;
        }
        const double want = expected[i] * draws;
        if (want < 5) continue;
        statistic += (counts[i] - want) * (counts[i] - want) / want;
        ++df;
    }
    if (df <= 0) return;
    EXPECT_LT(statistic, df + 6 * std::sqrt(2.0 * df));
}

TEST_F(SamplerTest, GreedyTakesTheLargestAndTheLowestId) {
    EXPECT_EQ(sample_once({}, {1, 3, 2, 3}), 1);
    EXPECT_EQ(sample_once({}, {-kInfinity, -5, -kInfinity}), 1);
    EXPECT_EQ(sample_once({}, {1, kInfinity, 2, kInfinity}), 1);
    EXPECT_EQ(sample_once({}, {7}), 0);
}

TEST_F(SamplerTest, NaNIsNeverChosen) {
    std::vector<float> logits(300, -1.0f);
    logits[0] = logits[77] = logits[299] = kNaN;
    logits[200] = 2.0f;
    EXPECT_EQ(sample_once({}, logits), 200);
    EXPECT_EQ(sample_once({.repetition_penalty = 1.1f}, logits), 200);
    SamplingOptions warm;
    warm.temperature = 50.0f;
    for (warm.seed = 0; warm.seed < 200; ++warm.seed) {
        const int32_t token = sample_once(warm, logits);
        EXPECT_FALSE(std::isnan(logits[token])) << token;
    }
}

TEST_F(SamplerTest, NothingToChooseFromIsNoToken) {
    for (float bad : {kNaN, -kInfinity}) {
        const std::vector<float> logits(50, bad);
        for (float temperature : {0.0f, 0.7f}) {
            for (int32_t top_k : {0, 5}) {
                SamplingOptions options;
                options.temperature = temperature;
                options.top_k = top_k;
                options.top_p = 0.9f;
                EXPECT_EQ(sample_once(options, logits), kNoToken);
            }
        }
    }
    SamplingOptions all_banned;
    all_banned.logit_bias = {{0, -kInfinity}, {1, -kInfinity}};
    EXPECT_EQ(sample_once(all_banned, {1, 2}), kNoToken);
}

TEST_F(SamplerTest, InfinityIsCertain) {
    SamplingOptions warm;
    warm.temperature = 1.0f;
    warm.top_p = 0.9f;
    for (warm.seed = 0; warm.seed < 20; ++warm.seed) {
        EXPECT_EQ(sample_once(warm, {0, 1, kInfinity, 3}), 2);
    }
}

TEST_F(SamplerTest, BiasAndPenaltyMoveTheGreedyChoice) {
    EXPECT_EQ(sample_once({.logit_bias = {{2, 1.5f}}}, {1, 2, 1}), 2);
    EXPECT_EQ(sample_once({.logit_bias = {{1, -kInfinity}}}, {1, 2, 1}), 0);
    // 2 / 2 < 1.5, once however often it was seen; negative logits are multiplied.
    EXPECT_EQ(sample_once({.repetition_penalty = 2.0f}, {1.5f, 2, 1}, {1, 1, 1}), 0);
    EXPECT_EQ(sample_once({.repetition_penalty = 1.2f}, {1.5f, 2, 1}, {1, 1, 1}), 1);
    EXPECT_EQ(sample_once({.repetition_penalty = 2.0f}, {-3, -2, -5}, {1}), 0);
    // Only the last repeat_last_n tokens count.
    EXPECT_EQ(
        sample_once({.repetition_penalty = 2.0f, .repeat_last_n = 2}, {1.5f, 2, 1}, {1, 2, 2}), 1);
    EXPECT_EQ(
        sample_once({.repetition_penalty = 2.0f, .repeat_last_n = 3}, {1.5f, 2, 1}, {1, 2, 2}), 0);
}

TEST_F(SamplerTest, DrawsFollowTheDocumentedChain) {
    base::Random random(5);
    std::vector<float> logits(1500);
    for (float& l : logits) l = static_cast<float>(2.0 * random.next_normal());
    logits[10] = logits[1400] = 7.0f;  // a tie at the top
    std::vector<int32_t> recent = {10, 4, 4, 9, 20};
    struct Case {
        float temperature;
        int32_t top_k;
        float top_p, min_p, penalty;
    };
    const Case cases[] = {
        {1.0f, 0, 1.0f, 0.0f, 1.0f},    {0.7f, 40, 1.0f, 0.0f, 1.0f},
        {1.0f, 0, 0.5f, 0.0f, 1.0f},    {1.5f, 0, 1.0f, 0.05f, 1.0f},
        {1.0f, 0, 0.9f, 0.02f, 1.0f},   {0.8f, 50, 0.9f, 0.05f, 1.3f},
        {2.0f, 600, 0.95f, 0.0f, 1.1f}, {1.0f, 1, 1.0f, 0.0f, 1.0f},
        {0.5f, 1499, 1.0f, 0.0f, 1.0f}, {1.0f, 5, 0.01f, 0.0f, 1.0f},
        {1.0f, 0, 1.0f, 1.0f, 1.0f},
    };
    for (const Case& c : cases) {
        SCOPED_TRACE(::testing::Message() << c.temperature << " k " << c.top_k << " p " << c.top_p
                                          << " min " << c.min_p);
        SamplingOptions options;
        options.temperature = c.temperature;
        options.top_k = c.top_k;
        options.top_p = c.top_p;
        options.min_p = c.min_p;
        options.repetition_penalty = c.penalty;
        options.seed = 99;
        options.logit_bias = {{30, 3.0f}};
        expect_distribution(reference(options, logits, recent),
                            counts(options, logits, recent, 3000));
    }
}

TEST_F(SamplerTest, TiesAtTheTopKEdgeGoToLowerIds) {
    std::vector<float> logits(5000, 1.0f);
    logits[4999] = 2.0f;
    SamplingOptions options;
    options.temperature = 1.0f;
    options.top_k = 3;
    const std::vector<double> got = counts(options, logits, {}, 500);
    EXPECT_GT(got[0], 0);
    EXPECT_GT(got[1], 0);
    EXPECT_GT(got[4999], 0);
    EXPECT_EQ(got[0] + got[1] + got[4999], 500);
}

TEST_F(SamplerTest, TheSeedDecides) {
    std::vector<float> logits(100, 0.0f);
    SamplingOptions options;
    options.temperature = 1.0f;
    options.seed = 1;
    SamplerWorkspace workspace(100, rows_);
    auto tokens = [&](uint64_t seed) {
        options.seed = seed;
        Sampler sampler(options, workspace);
        std::vector<int32_t> out;
        for (int i = 0; i < 20; ++i) out.push_back(sampler.sample(logits, out));
        return out;
    };
    EXPECT_EQ(tokens(1), tokens(1));
    EXPECT_NE(tokens(1), tokens(2));
}

TEST(SamplingOptions, ValidationNamesTheOption) {
    const auto message = [](auto change) {
        SamplingOptions options;
        change(options);
        const base::Status status = options.validate(100);
        EXPECT_FALSE(status);
        if (status) return std::string();
        EXPECT_EQ(status.error().code, base::ErrorCode::invalid_argument);
        return status.error().message;
    };
    using O = SamplingOptions;
    EXPECT_NE(message([](O& o) { o.temperature = -1; }).find("temperature"), std::string::npos);
    EXPECT_NE(message([](O& o) { o.temperature = kNaN; }).find("temperature"), std::string::npos);
    EXPECT_NE(message([](O& o) { o.temperature = 101; }).find("temperature"), std::string::npos);
    EXPECT_NE(message([](O& o) { o.top_k = -1; }).find("top_k"), std::string::npos);
    EXPECT_NE(message([](O& o) { o.top_p = 0; }).find("top_p"), std::string::npos);
    EXPECT_NE(message([](O& o) { o.top_p = 1.1f; }).find("top_p"), std::string::npos);
    EXPECT_NE(message([](O& o) { o.top_p = kNaN; }).find("top_p"), std::string::npos);
    EXPECT_NE(message([](O& o) { o.min_p = -0.1f; }).find("min_p"), std::string::npos);
    EXPECT_NE(message([](O& o) { o.min_p = 1.1f; }).find("min_p"), std::string::npos);
    EXPECT_NE(message([](O& o) { o.repetition_penalty = 0; }).find("penalty"), std::string::npos);
    EXPECT_NE(message([](O& o) { o.repetition_penalty = kInfinity; }).find("penalty"),
              std::string::npos);
    EXPECT_NE(message([](O& o) { o.logit_bias = {{100, 1.0f}}; }).find("100"), std::string::npos);
    EXPECT_NE(message([](O& o) { o.logit_bias = {{-1, 1.0f}}; }).find("-1"), std::string::npos);
    EXPECT_NE(message([](O& o) {
                  o.logit_bias = {{1, kNaN}};
              }).find("logit_bias"),
              std::string::npos);
    EXPECT_NE(message([](O& o) {
                  o.logit_bias.assign(kLogitBiasMax + 1, {1, 1.0f});
              }).find("1024"),
              std::string::npos);
    EXPECT_TRUE(SamplingOptions{}.validate(100));
    EXPECT_TRUE((SamplingOptions{.temperature = 0.7f, .top_k = 40, .top_p = 0.9f}).validate(100));
}

}  // namespace
}  // namespace hone::runtime
