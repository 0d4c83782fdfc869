#include "cost/utilization.h"

#include <gtest/gtest.h>

#include "cost/fake_record.h"

namespace hone::cost {
namespace {

measure::RunRecord two_sizes() {
    measure::RunRecord record = fake_record({});
    record.operators.clear();
    const FakeNode node{"blk.0.up", "linear", "u4m/avx2", 0, 10e6, 32e6, 0};
    record.nodes = {{0, node.name, node.kind, node.variant, 0}};
    add_fake_sample(record, 0, node, {"decode", 10, 1, 0.8, 0, 0});
    add_fake_sample(record, 0, node, {"prefill", 10, 64, 0.2, 0, 0});
    return record;
}

TEST(Utilization, MeasuredSizesComeBack) {
    const auto model = UtilizationModel::learn(two_sizes());
    const auto one = model.at("linear", "u4m", 1);
    ASSERT_TRUE(one);
    EXPECT_NEAR(one->value, 0.8, 1e-9);
    EXPECT_EQ(one->tier, Provenance::measured);
    EXPECT_NEAR(model.at("linear", "u4m", 64)->value, 0.2, 1e-9);
    EXPECT_STREQ(provenance_name(one->tier), "measured");
}

TEST(Utilization, BetweenIsInterpolatedInLogSpace) {
    const auto model = UtilizationModel::learn(two_sizes());
    const auto middle = model.at("linear", "u4m", 8);  // half way from 1 to 64 in log space
    ASSERT_TRUE(middle);
    EXPECT_NEAR(middle->value, 0.4, 1e-9);  // geometric mean
    EXPECT_EQ(middle->tier, Provenance::interpolated);
}

TEST(Utilization, OutsideIsClampedToTheMeasuredRange) {
    const auto model = UtilizationModel::learn(two_sizes());
    const auto beyond = model.at("linear", "u4m", 4096);
    ASSERT_TRUE(beyond);
    EXPECT_NEAR(beyond->value, 0.2, 1e-9);
    EXPECT_EQ(beyond->tier, Provenance::interpolated);
    EXPECT_NEAR(beyond->low, 0.2, 1e-9);
    EXPECT_NEAR(beyond->high, 0.8, 1e-9);
}

TEST(Utilization, NoDataNoNumber) {
    const auto model = UtilizationModel::learn(two_sizes());
    EXPECT_FALSE(model.at("linear", "u4", 1));
    EXPECT_FALSE(model.at("attend", "u4m", 1));
    EXPECT_FALSE(model.at("linear", "u4m", 0));
    EXPECT_TRUE(UtilizationModel::learn(measure::RunRecord{}).empty());
}

}  // namespace
}  // namespace hone::cost
