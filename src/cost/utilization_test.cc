#include "cost/utilization.h"

#include <gtest/gtest.h>

#include <cmath>

#include "cost/fake_record.h"
#include "cost/kernel_curve.h"

namespace hone::cost {
namespace {

const UtilizationClass kLinear{"linear", "u4m", "avx2"};

// One linear at 1 and at 64 rows: 80 % and 20 % of the roof.
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
    const auto one = model.at({kLinear, 1});
    ASSERT_TRUE(one);
    EXPECT_NEAR(one->value, 0.8, 1e-9);
    EXPECT_EQ(one->tier, Provenance::measured);
    EXPECT_NEAR(model.at({kLinear, 64})->value, 0.2, 1e-9);
    EXPECT_STREQ(provenance_name(one->tier), "measured");
}

TEST(Utilization, BetweenIsInterpolatedInLogSpace) {
    const auto model = UtilizationModel::learn(two_sizes());
    const auto middle = model.at({kLinear, 8});  // half way from 1 to 64 in log space
    ASSERT_TRUE(middle);
    EXPECT_NEAR(middle->value, 0.4, 1e-9);  // geometric mean
    EXPECT_EQ(middle->tier, Provenance::interpolated);
}

TEST(Utilization, OutsideIsClampedToTheMeasuredRange) {
    const auto model = UtilizationModel::learn(two_sizes());
    const auto beyond = model.at({kLinear, 4096});
    ASSERT_TRUE(beyond);
    EXPECT_NEAR(beyond->value, 0.2, 1e-9);
    EXPECT_EQ(beyond->tier, Provenance::interpolated);
    EXPECT_NEAR(beyond->low, 0.2, 1e-9);
    EXPECT_NEAR(beyond->high, 0.8, 1e-9);
    EXPECT_NEAR(model.at({kLinear, 0.01})->value, 0.8, 1e-9);
}

TEST(Utilization, OtherFormatsAreBorrowedAndSaidSo) {
    const auto model = UtilizationModel::learn(two_sizes());
    const auto borrowed = model.at({{"linear", "u4", "avx2"}, 1});
    ASSERT_TRUE(borrowed);
    EXPECT_EQ(borrowed->tier, Provenance::cross_format);
    EXPECT_NEAR(borrowed->value, 0.8, 1e-9);
}

TEST(Utilization, NoDataNoNumber) {
    const auto model = UtilizationModel::learn(two_sizes());
    EXPECT_FALSE(model.at({{"attend", "", "avx2"}, 1}));
    EXPECT_FALSE(model.at({{"linear", "", "avx2"}, 1}));
    EXPECT_FALSE(model.at({kLinear, 0}));
    EXPECT_TRUE(UtilizationModel::learn(measure::RunRecord{}).empty());
}

TEST(Utilization, TheErrorGrowsWithTheDistanceAndTheDifferenceOfTheSamples) {
    const auto error_at = [](const measure::RunRecord& record, double rows) {
        return UtilizationModel::learn(record).at({kLinear, rows})->error;
    };
    const measure::RunRecord two = two_sizes();
    EXPECT_EQ(error_at(two, 1), 0) << "measured in this very run";
    EXPECT_GT(error_at(two, 8), error_at(two, 2));
    EXPECT_GT(error_at(two, 512), error_at(two, 128)) << "beyond the last sample";
    // Samples that agree leave less room between them, and a third one between them still less.
    measure::RunRecord alike = two;
    alike.operators[1].compute_ns /= 3;
    EXPECT_LT(error_at(alike, 8), error_at(two, 8));
    measure::RunRecord three = two;
    const FakeNode node{"blk.0.up", "linear", "u4m/avx2", 0, 10e6, 32e6, 0};
    add_fake_sample(three, 0, node, {"mixed", 10, 16, 0.35, 0, 0});
    EXPECT_LT(error_at(three, 8), error_at(two, 8));
}

TEST(Utilization, AttentionTakesAFixedTimeAndOneThatGrows) {
    // 2 us fixed and 10 ns for each position: 180 ns, 1 us and 10 us of work at 18, 100 and 1000.
    measure::RunRecord record = fake_record({});
    record.operators.clear();
    record.nodes = {{0, "attend", "attend", "avx2", 0}};
    measure::NodeShape& shape = record.nodes[0].shape;
    shape.arithmetic = "f32";
    shape.heads = shape.kv_heads = 8;
    shape.head_dim = 64;
    shape.kv_element_bytes = 2;
    const auto time_ns = [](double visible) { return 2000 + 10 * visible; };
    const auto desc = *desc_of(record.nodes[0]);
    const auto bound_ns = [&](uint64_t visible) {
        measure::OperatorSample sample;
        sample.calls = sample.tokens = 1;
        StepShape step;
        step.add_slice(visible - 1, 1);
        sample.bytes = node_work(desc, step).bytes;
        sample.flops = node_work(desc, step).flops;
        return std::pair{*sample_light(record, sample).bound_ns(), sample};
    };
    for (const uint64_t visible : {16u, 1024u}) {
        auto [bound, sample] = bound_ns(visible);
        sample.slice = "decode";
        sample.compute_ns = time_ns(static_cast<double>(visible));
        record.operators.push_back(sample);
    }
    const auto model = UtilizationModel::learn(record);
    const auto at = model.at({{"attend", "", "avx2"}, 1, 256});
    ASSERT_TRUE(at);
    // The activations' bytes keep the bound from being quite proportional to the positions.
    EXPECT_NEAR(bound_ns(256).first / at->value, time_ns(256), 0.05 * time_ns(256));
}

// A kernel that is as good at every size, but half as good at 8 rows.
void add_curve(measure::RunRecord& record, const char* format, double scale) {
    const double bytes = *format_bytes_per_weight(format);
    for (const uint32_t m : {1u, 8u, 64u}) {
        // The roofs of the fake machine: 20 GB/s, 800 G integer operations/s.
        const double bound = std::max(bytes / 20, 2.0 * m / 800) * 2048 * 1024;
        const double utilization = m == 8 ? 0.4 : 0.8;
        record.machine.gemms.push_back(
            {format, "int8", "avx2", 2048, 1024, m, 2, bound / utilization * scale, 1});
    }
}

TEST(Utilization, TheKernelsCurveDecidesBetweenSamples) {
    measure::RunRecord record = two_sizes();
    record.operators.pop_back();
    add_curve(record, "u4m", 1);
    // The run has one row only, and reaches there what the kernel reaches alone.
    const auto model = UtilizationModel::learn(record);
    EXPECT_NEAR(model.at({kLinear, 1})->value, 0.8, 1e-9);
    EXPECT_EQ(model.at({kLinear, 1})->tier, Provenance::measured);
    EXPECT_NEAR(model.at({kLinear, 8})->value, 0.4, 1e-9);
    EXPECT_EQ(model.at({kLinear, 8})->tier, Provenance::interpolated);
    EXPECT_NEAR(model.at({kLinear, 64})->value, 0.8, 1e-9);
}

TEST(Utilization, AnotherFormatKeepsTheDistanceFromItsOwnCurve) {
    measure::RunRecord record = two_sizes();
    add_curve(record, "u4m", 1);
    add_curve(record, "s8", 2);
    const auto model = UtilizationModel::learn(record);
    const auto other = model.at({{"linear", "s8", "avx2"}, 1});
    ASSERT_TRUE(other);
    EXPECT_NEAR(other->value, 0.4, 1e-9);
    EXPECT_EQ(other->tier, Provenance::measured_shape);
    // A curve on one side only says nothing about the other.
    EXPECT_FALSE(model.at({{"linear", "u6", "avx2"}, 1}));
}

TEST(Utilization, StoredRecordsOfThisMachineFillGaps) {
    measure::RunRecord stored = two_sizes();
    const FakeNode node{"x", "linear", "u4m/avx2", 0, 10e6, 32e6, 0};
    stored.operators.clear();
    add_fake_sample(stored, 0, node, {"mixed", 10, 8, 0.7, 0, 0});
    const std::vector<measure::RunRecord> others = {stored};
    const auto filled = UtilizationModel::learn(two_sizes(), others).at({kLinear, 8});
    ASSERT_TRUE(filled);
    EXPECT_NEAR(filled->value, 0.7, 1e-9);
    EXPECT_EQ(filled->tier, Provenance::measured_shape);
    // Another machine's are none of ours.
    std::vector<measure::RunRecord> foreign = others;
    foreign[0].machine.fingerprint = "fedcba9876543210";
    EXPECT_NEAR(UtilizationModel::learn(two_sizes(), foreign).at({kLinear, 8})->value, 0.4, 1e-9);
}

}  // namespace
}  // namespace hone::cost
