#include "measure/rank_tests.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/json.h"
#include "base/random.h"
#include "base/text.h"

namespace hone::measure {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Answers of scipy: tests/golden/make_rank_tests.py.
class RankTests : public ::testing::Test {
  protected:
    void SetUp() override {
        const auto text = base::read_file(HONE_SOURCE_DIR "/tests/golden/rank_tests.json", 1 << 20);
        ASSERT_TRUE(text.has_value());
        auto json = base::parse_json(*text);
        ASSERT_TRUE(json.has_value());
        golden_ = std::move(*json);
    }
    base::Json golden_;
};

std::vector<double> numbers(const base::Json& json) {
    return json.get<std::vector<double>>();
}

TEST_F(RankTests, MannWhitneyAgreesWithScipy) {
    ASSERT_GE(golden_["mann_whitney"].size(), 7u);
    for (const base::Json& c : golden_["mann_whitney"]) {
        const auto a = numbers(c["a"]);
        const auto b = numbers(c["b"]);
        const RankSumTest test = mann_whitney(a, b);
        EXPECT_EQ(test.exact, c["exact"].get<bool>());
        EXPECT_DOUBLE_EQ(test.u, c["u"].get<double>());
        EXPECT_NEAR(test.p, c["p"].get<double>(), 1e-9 + 1e-9 * test.p);
        EXPECT_DOUBLE_EQ(mann_whitney(b, a).p, test.p);
        EXPECT_NEAR(hodges_lehmann(a, b, 0.05).value, c["shift"].get<double>(), 1e-9);
    }
}

TEST_F(RankTests, SignedRanksAgreeWithScipy) {
    for (const base::Json& c : golden_["signed_rank"]) {
        const auto d = numbers(c["d"]);
        const double p = 2 * normal_cdf(-std::fabs(signed_rank_z(d)));
        EXPECT_NEAR(p, c["p"].get<double>(), 1e-9);
        EXPECT_NEAR(paired_shift(d, 1.96).value, c["shift"].get<double>(), 1e-9);
    }
}

TEST_F(RankTests, DistributionsAgreeWithScipy) {
    for (const base::Json& c : golden_["student"]) {
        EXPECT_NEAR(student_quantile(c["p"], c["df"]), c["t"].get<double>(),
                    1e-6 * c["t"].get<double>());
        EXPECT_NEAR(student_p(c["t"], c["df"]), 2 * (1 - c["p"].get<double>()), 1e-9);
    }
    for (const base::Json& c : golden_["beta"]) {
        EXPECT_NEAR(incomplete_beta(c["x"], c["a"], c["b"]), c["value"].get<double>(), 1e-10);
    }
    for (const base::Json& c : golden_["holm"]) {
        const auto adjusted = holm(numbers(c["p"]));
        for (size_t i = 0; i < adjusted.size(); ++i) {
            EXPECT_NEAR(adjusted[i], c["adjusted"][i].get<double>(), 1e-12);
        }
    }
    EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-12);
    EXPECT_NEAR(normal_quantile(1e-9), -5.9978070150076869, 1e-9);
}

// anchors: 5 against 5 without overlap is the least p that they can give; 3 against 3 is not
// enough for 5 %.
TEST(MannWhitney, SmallSamplesHaveAFloor) {
    const std::vector<double> a = {1, 2, 3, 4, 5};
    const std::vector<double> b = {6, 7, 8, 9, 10};
    EXPECT_NEAR(mann_whitney(a, b).p, 0.0079365, 1e-7);
    EXPECT_NEAR(mann_whitney(std::span(a).first(3), std::span(b).first(3)).p, 0.1, 1e-12);
    EXPECT_FALSE(hodges_lehmann(std::span(a).first(3), std::span(b).first(3), 0.05).interval);
    const std::vector<double> equal(8, 1.0);
    EXPECT_EQ(mann_whitney(equal, equal).p, 1);
}

TEST(HodgesLehmann, IntervalInvertsTheTest) {
    const std::vector<double> a = {1.1, 2.3, 3.2, 4.8, 5.9, 7.1, 8.6};
    const std::vector<double> b = {4.05, 5.27, 6.41, 7.33, 9.12, 10.4};
    const Shift shift = hodges_lehmann(a, b, 0.05);
    ASSERT_TRUE(shift.interval.has_value());
    const auto p_at = [&](double moved) {
        std::vector<double> back = b;
        for (double& value : back) value -= moved;
        return mann_whitney(a, back).p;
    };
    EXPECT_GT(p_at(shift.interval->low + 1e-6), 0.05);
    EXPECT_LE(p_at(shift.interval->low - 1e-6), 0.05);
    EXPECT_GT(p_at(shift.interval->high - 1e-6), 0.05);
    EXPECT_LE(p_at(shift.interval->high + 1e-6), 0.05);
}

TEST(HodgesLehmann, InfinitiesAndLongSamples) {
    std::vector<double> a = {1, 2, 3, 4, 5, 6, kInfinity};
    std::vector<double> b = {2, 3, 4, 5, 6, 7, kInfinity};
    const Shift shift = hodges_lehmann(a, b, 0.05);
    EXPECT_NEAR(shift.value, 1, 1.01);
    EXPECT_FALSE(std::isnan(shift.interval->low) || std::isnan(shift.interval->high));
    std::vector<double> many;
    std::vector<double> more;
    for (int i = 0; i < 5000; ++i) {
        many.push_back(i % 997);
        more.push_back(i % 997 + 10);
    }
    const Shift thinned = hodges_lehmann(many, more, 0.05);
    EXPECT_NEAR(thinned.value, 10, 1);
    EXPECT_LT(thinned.interval->low, 10);
    EXPECT_GT(thinned.interval->high, 10);
}

TEST(PairedShift, IntervalInvertsTheSignedRanks) {
    const std::vector<double> d = {0.31, -0.12, 0.44, 0.27, 0.05, 0.61, -0.2, 0.38, 0.18, 0.09};
    const double z = 1.96;
    const Shift shift = paired_shift(d, z);
    ASSERT_TRUE(shift.interval.has_value());
    const auto z_at = [&](double moved) {
        std::vector<double> back = d;
        for (double& value : back) value -= moved;
        return std::fabs(signed_rank_z(back));
    };
    EXPECT_LT(z_at(shift.interval->low + 1e-6), z);
    EXPECT_GE(z_at(shift.interval->low - 1e-6), z);
    EXPECT_LT(z_at(shift.interval->high - 1e-6), z);
    EXPECT_GE(z_at(shift.interval->high + 1e-6), z);
    EXPECT_FALSE(paired_shift(std::span(d).first(4), z).interval.has_value());
    EXPECT_EQ(signed_rank_z(std::vector<double>(5, 0.0)), 0);
}

TEST(MeanInterval, IsStudents) {
    const auto interval = mean_interval(std::vector<double>{12.1, 11.8, 12.4, 12.0, 12.2});
    EXPECT_NEAR(interval->low, 11.8223555, 1e-7);
    EXPECT_NEAR(interval->high, 12.3776445, 1e-7);
    EXPECT_FALSE(mean_interval(std::vector<double>{1}).has_value());
}

TEST(SerialMeanInterval, CoversTheMeanOfSamplesThatDependOnTheOnesBefore) {
    base::Random random(1);
    int plain_covers = 0;
    int serial_covers = 0;
    for (int run = 0; run < 400; ++run) {
        std::vector<double> samples(256);
        double state = 0;
        for (double& sample : samples) {
            state = 0.6 * state + random.next_double() - 0.5;
            sample = state;
        }
        const auto covers = [](const Interval& i) { return i.low <= 0 && 0 <= i.high; };
        plain_covers += covers(*mean_interval(samples));
        serial_covers += covers(*serial_mean_interval(samples));
    }
    EXPECT_LT(plain_covers, 320);  // of 380 expected
    EXPECT_GT(serial_covers, 365);
    EXPECT_LT(serial_covers, 395);
}

TEST(SerialMeanInterval, HasTheMeanInItsMiddleAndNeedsTwoBatches) {
    const std::vector<double> samples = {1, 3, 2, 6};  // batches of 2 and 4
    const auto interval = serial_mean_interval(samples);
    ASSERT_TRUE(interval);
    EXPECT_NEAR((interval->low + interval->high) / 2, 3, 1e-12);
    EXPECT_FALSE(serial_mean_interval(std::span(samples).first(3)).has_value());
}

}  // namespace
}  // namespace hone::measure
