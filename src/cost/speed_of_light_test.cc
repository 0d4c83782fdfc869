#include "cost/speed_of_light.h"

#include <gtest/gtest.h>

#include "cost/fake_record.h"

namespace hone::cost {
namespace {

TEST(Variant, NamesAreTakenApart) {
    EXPECT_EQ(parse_variant("u4m/avx512vnni").format, "u4m");
    EXPECT_EQ(parse_variant("u4m/avx512vnni").isa, "avx512vnni");
    EXPECT_EQ(parse_variant("avx2").format, "");
    EXPECT_EQ(parse_variant("avx2").isa, "avx2");
    EXPECT_EQ(parse_variant("u4m+u6/avx2").format, "u4m+u6");
    EXPECT_TRUE(parse_variant("u4/f32/avx2").f32_activations);
    EXPECT_EQ(parse_variant("").isa, "");
    EXPECT_EQ(variant_arithmetic(parse_variant("u4m+u6/avx2")), Arithmetic::int8);
    EXPECT_EQ(variant_arithmetic(parse_variant("u4/f32/avx2")), Arithmetic::f32);
    EXPECT_EQ(variant_arithmetic(parse_variant("bf16/avx2")), Arithmetic::f32);
}

TEST(LightTime, IsWorkOverRoof) {
    Work work;
    work.flops = 8e6;
    work.bytes = 40e3;
    const auto int8 =
        light_time(work, {Arithmetic::int8, "u4", "avx2", 2, 64u << 20}, fake_machine());
    EXPECT_DOUBLE_EQ(*int8.compute_ns, 8e6 / 800);
    EXPECT_DOUBLE_EQ(*int8.memory_ns, 40e3 / 20);
    EXPECT_DOUBLE_EQ(*int8.bound_ns(), 10000);
    EXPECT_FALSE(int8.memory_side());
    // An f32 kernel on the same weights: own roof lower, best roof the same.
    const auto f32 =
        light_time(work, {Arithmetic::f32, "u4", "avx2", 2, 64u << 20}, fake_machine());
    EXPECT_DOUBLE_EQ(*f32.compute_ns, 8e6 / 200);
    EXPECT_DOUBLE_EQ(*f32.compute_best_ns, 8e6 / 800);
    // From a cache the memory roof is higher.
    const auto hot = light_time(work, {Arithmetic::int8, "u4", "avx2", 2, 1000}, fake_machine());
    EXPECT_DOUBLE_EQ(*hot.memory_ns, 40e3 / 100);
}

TEST(LightTime, LevelsThatAreNoneCountAsTheBaseline) {
    Work work;
    work.flops = 1e6;
    const auto plain = light_time(work, {Arithmetic::f32, "", "reference", 1, 1}, fake_machine());
    EXPECT_DOUBLE_EQ(*plain.compute_ns, 1e6 / 25);
}

TEST(LightTime, MissingRoofsAreAbsentNotZero) {
    Work work;
    work.flops = 1;
    work.bytes = 1;
    const auto none = light_time(work, {}, machine::MachineProfile{});
    EXPECT_FALSE(none.compute_ns);
    EXPECT_FALSE(none.memory_ns);
    EXPECT_FALSE(none.bound_ns());
    // That thread count was not measured.
    EXPECT_FALSE(light_time(work, {Arithmetic::f32, "", "", 7, 1}, fake_machine()).bound_ns());
    // No work needs no roof.
    EXPECT_EQ(light_time(Work{}, {}, machine::MachineProfile{}).bound_ns(), 0.0);
}

TEST(LightTime, SumKeepsTheNearerRoofOfEachPart) {
    LightTime sum{10, 10, 1, {}, {}};
    sum += LightTime{1, 1, 10, {}, {}};
    EXPECT_DOUBLE_EQ(*sum.compute_ns, 11);
    EXPECT_DOUBLE_EQ(*sum.bound_ns(), 20);
    EXPECT_DOUBLE_EQ(*sum.bound_best_ns(), 20);
    sum += LightTime{};
    EXPECT_FALSE(sum.bound_ns());
}

TEST(LightStep, SumsTheNodes) {
    NodeDesc node;
    node.kind = OpKind::linear;
    node.arithmetic = Arithmetic::int8;
    node.rows = 1000;
    node.columns = 1024;
    node.weight_bytes = 640'000;
    node.format = "u4m";
    StepShape step;
    step.add_slice(0, 1);
    const std::vector<NodeDesc> nodes = {node, node};
    const auto two = light_step_ns(nodes, step, fake_machine(), 2, 64u << 20);
    const auto one = light_step_ns({nodes.data(), 1}, step, fake_machine(), 2, 64u << 20);
    ASSERT_TRUE(two && one);
    EXPECT_DOUBLE_EQ(*two, 2 * *one);
    EXPECT_GT(*one, 640'000 / 20.0);
    EXPECT_FALSE(light_step_ns(nodes, step, machine::MachineProfile{}, 2, 1));
}

TEST(SampleLight, KnowsWhatStreamsAndWhatStaysInCache) {
    const measure::RunRecord record = fake_record();
    for (const auto& sample : record.operators) {
        const auto light = sample_light(record, sample);
        ASSERT_TRUE(light.bound_ns());
        const auto* node = node_of(record, sample.node);
        // Norms stay in a cache; those of a single token are done by every thread, as fast as one.
        const bool decode = sample.slice == "decode";
        const double bandwidth = node->kind != "rms_norm_quantize" ? 20 : decode ? 50 : 100;
        if (node->kind == "linear" || node->kind == "rms_norm_quantize") {
            EXPECT_DOUBLE_EQ(*light.memory_ns, sample.bytes / bandwidth) << node->name;
        }
    }
    measure::RunRecord unquantized = record;
    unquantized.passes.push_back({"quantize_activations", false, 0, 0});
    EXPECT_GT(*sample_light(unquantized, record.operators[4]).compute_ns,
              3 * *sample_light(record, record.operators[4]).compute_ns);
    measure::OperatorSample stranger;
    stranger.node = 99;
    stranger.calls = 1;
    EXPECT_FALSE(sample_light(record, stranger).bound_ns());
}

TEST(SpeedOfLight, WhatEveryThreadDoesIsNoFasterWithMoreThreads) {
    EXPECT_TRUE(done_by_every_thread(OpKind::rms_norm_quantize, 1));
    EXPECT_FALSE(done_by_every_thread(OpKind::rms_norm_quantize, 64));
    EXPECT_FALSE(done_by_every_thread(OpKind::linear, 1));
    measure::RunRecord record = fake_record();
    measure::OperatorSample sample;
    sample.node = 1;  // a norm
    sample.calls = sample.tokens = 1;
    sample.flops = 1e6;
    const double both = *sample_light(record, sample).compute_ns;
    record.context.threads = 1;
    EXPECT_DOUBLE_EQ(*sample_light(record, sample).compute_ns, both);
}

}  // namespace
}  // namespace hone::cost
