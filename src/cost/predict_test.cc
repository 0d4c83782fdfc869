#include "cost/predict.h"

#include <gtest/gtest.h>

#include "cost/fake_record.h"
#include "cost/kernel_curve.h"

namespace hone::cost {
namespace {

using measure::RunRecord;

TEST(Simulate, RefusesWithoutData) {
    const RunRecord record = fake_record();
    const WhatIf what_ifs[] = {{WhatIfKind::threads, "", "1"},
                               {WhatIfKind::batch, "", "4"},
                               {WhatIfKind::without_pass, "merge_qkv", "off"},
                               {WhatIfKind::isa, "", "portable"},
                               {WhatIfKind::variant, "linear", "portable"}};
    for (const WhatIf& what_if : what_ifs) {
        const auto result = simulate(record, what_if);
        EXPECT_FALSE(result.value) << static_cast<int>(what_if.kind);
        EXPECT_EQ(result.reason.id, "no_experiment");
    }
    EXPECT_EQ(simulate(RunRecord{}, {WhatIfKind::weight_format, "", "u4"}).reason.id,
              "no_operator_samples");
    EXPECT_EQ(simulate(record, {WhatIfKind::weight_format, "", "q9"}).reason.id, "no_such_setting");
    EXPECT_EQ(simulate(record, {WhatIfKind::last_logits, "", ""}).reason.id, "nothing_to_change");
    EXPECT_EQ(simulate(record, {WhatIfKind::fold_constants, "", ""}).reason.id,
              "nothing_to_change");
    EXPECT_EQ(simulate(record, {WhatIfKind::batch, "", "many"}).reason.id, "no_such_setting");
}

TEST(Simulate, ThreadsComeFromTheSweep) {
    RunRecord record = fake_record();
    record.experiments.push_back(to_experiment(
        Sweep{"thread_sweep",
              "",
              "2",
              {{"1", samples(200), samples(130)}, {"2", samples(100), samples(100)}}}));
    const auto one = simulate(record, {WhatIfKind::threads, "", "1"});
    ASSERT_TRUE(one.value);
    EXPECT_EQ(one.value->tier, Provenance::measured);
    EXPECT_NEAR(one.value->prefill->value, 2, 1e-9);
    EXPECT_NEAR(one.value->decode->value, 1.3, 1e-9);
    EXPECT_TRUE(one.value->decode->has_interval);
    EXPECT_GT(one.value->after_ns, 1.3 * one.value->before_ns - 1);
    EXPECT_LT(one.value->after_ns, 2 * one.value->before_ns);
    EXPECT_EQ(simulate(record, {WhatIfKind::threads, "", "8"}).reason.id, "no_such_setting");
}

TEST(Simulate, FactorOfOneKindMovesOnlyItsNodes) {
    RunRecord record = fake_record();
    record.experiments.push_back(to_experiment(
        Sweep{"thread_sweep",
              "attend",
              "2",
              {{"1", samples(300), samples(300)}, {"2", samples(100), samples(100)}}}));
    const auto result = simulate(record, {WhatIfKind::threads, "attend", "1"});
    ASSERT_TRUE(result.value);
    EXPECT_GT(result.value->decode->value, 1.0);
    EXPECT_LT(result.value->decode->value, 1.1);
}

TEST(Simulate, SweepWithoutSamplesIsNoData) {
    RunRecord record = fake_record();
    record.experiments.push_back(
        to_experiment(Sweep{"thread_sweep", "", "2", {{"1", {}, {}}, {"2", {}, {}}}}));
    EXPECT_EQ(simulate(record, {WhatIfKind::threads, "", "1"}).reason.id, "no_slice_data");
}

TEST(Simulate, BatchFallsBackToTheBenchMetrics) {
    RunRecord record = fake_record();
    record.metrics.push_back({"batch1_tokens_per_s", "tokens/s", {100, 100, 100}});
    record.metrics.push_back({"batch4_tokens_per_s", "tokens/s", {320, 320, 320}});
    const auto result = simulate(record, {WhatIfKind::batch, "", "4"});
    ASSERT_TRUE(result.value);
    EXPECT_EQ(result.value->batch, 4);
    // A step of four takes 4 / 320 s against 1 / 100 s.
    EXPECT_NEAR(result.value->decode->value, 1.25, 1e-9);
    EXPECT_FALSE(result.value->prefill);
}

TEST(Simulate, PassAblationWorksBothWays) {
    RunRecord record = fake_record();
    record.experiments.push_back(to_experiment(
        Sweep{"pass_ablation",
              "merge_qkv",
              "on",
              {{"on", samples(100), samples(100)}, {"off", samples(110), samples(105)}}}));
    EXPECT_NEAR(
        simulate(record, {WhatIfKind::without_pass, "merge_qkv", "off"}).value->prefill->value,
        1.10, 1e-9);
    EXPECT_NEAR(
        simulate(record, {WhatIfKind::without_pass, "merge_qkv", "on"}).value->prefill->value,
        1 / 1.10, 1e-9);
}

TEST(Simulate, FewerBytesHelpOnlyWhatWaitsForMemory) {
    const RunRecord record = fake_record();
    const auto result = simulate(record, {WhatIfKind::weight_format, "", "u4"});
    ASSERT_TRUE(result.value);
    EXPECT_EQ(result.value->tier, Provenance::cross_format);
    // 288 against 320 bytes per tile: decode gains nearly a tenth, prefill nothing.
    EXPECT_LT(result.value->decode->value, 0.93);
    EXPECT_GT(result.value->decode->value, 0.89);
    EXPECT_NEAR(result.value->prefill->value, 1.0, 0.02);
    // A hot copy that saves nothing denies the gain.
    RunRecord denied = record;
    for (const char* kind : {"linear", "linear_gated"}) {
        denied.experiments.push_back(
            to_experiment(HotCopy{kind, "decode", 1000, 10, samples(100), samples(100)}));
    }
    EXPECT_NEAR(simulate(denied, {WhatIfKind::weight_format, "", "u4"}).value->decode->value, 1.0,
                1e-6);
    RunRecord blind = record;
    blind.machine.bandwidth.clear();
    EXPECT_EQ(simulate(blind, {WhatIfKind::weight_format, "", "u4"}).reason.id, "no_ceilings");
    EXPECT_EQ(simulate(record, {WhatIfKind::weight_format, "", "f32"}).reason.id,
              "nothing_to_change");
}

TEST(Simulate, HeadForEveryPositionIsWaste) {
    RunRecord record = fake_record();
    EXPECT_FALSE(find_wasted_head(record));
    for (auto& sample : record.operators) {
        if (sample.node != 5 || sample.slice != "prefill") continue;
        sample.flops *= 64;
        sample.compute_ns *= 12;
    }
    const auto head = find_wasted_head(record);
    ASSERT_TRUE(head);
    EXPECT_EQ(head->node, 5u);
    EXPECT_NEAR(head->rows_per_call, 64, 1e-6);
    const auto result = simulate(record, {WhatIfKind::last_logits, "", ""});
    ASSERT_TRUE(result.value);
    EXPECT_LT(result.value->prefill->value, 1);
    EXPECT_NEAR(result.value->decode->value, 1, 1e-12);
    EXPECT_NEAR(result.value->before_ns - result.value->after_ns, head->wasted_ns, 1);
}

TEST(Simulate, ConstantsPerStepCanBeFolded) {
    RunRecord record = fake_record();
    record.nodes.push_back({6, "rope", "rope_table", "plain", -1});
    record.operators.push_back({6, "decode", 0, 10, 10, 5000, 5000, 0, 0, 100, 100});
    EXPECT_EQ(constant_node_ns(record), 5000);
    const auto result = simulate(record, {WhatIfKind::fold_constants, "", ""});
    ASSERT_TRUE(result.value);
    EXPECT_NEAR(result.value->before_ns - result.value->after_ns, 5000, 1e-3);
}

TEST(Format, BytesPerWeight) {
    EXPECT_DOUBLE_EQ(*format_bytes_per_weight("u4"), 288.0 / 512);
    EXPECT_DOUBLE_EQ(*format_bytes_per_weight("u4m+u6"), (320.0 + 448.0) / 2 / 512);
    EXPECT_FALSE(format_bytes_per_weight(""));
    EXPECT_FALSE(format_bytes_per_weight("u4+"));
    EXPECT_FALSE(format_bytes_per_weight("q4_0"));
}

}  // namespace
}  // namespace hone::cost
