// Whole-run simulation on records small enough to follow by hand.
#include "cost/step_model.h"

#include <gtest/gtest.h>

#include <cmath>

#include "cost/fake_record.h"
#include "cost/kernel_curve.h"
#include "cost/predict.h"

namespace hone::cost {
namespace {

using measure::RunRecord;

// Two threads of the fake machine: 20 GB/s from memory, 200 GFLOP/s f32, 800 GOP/s int8.
constexpr double kMemory = 20;
constexpr double kF32 = 200;

measure::PlanNodeFacts linear_node(uint32_t index, const char* name, int layer, uint64_t rows,
                                   uint64_t columns, bool per_output = false) {
    measure::PlanNodeFacts node{index, name, "linear", "u4m/avx2", layer};
    node.shape.arithmetic = "int8";
    node.shape.rows = rows;
    node.shape.columns = columns;
    node.shape.weight_bytes = rows * columns * 320 / 512;
    node.shape.per_output = per_output;
    return node;
}

measure::PlanNodeFacts attend_node(uint32_t index, int layer) {
    measure::PlanNodeFacts node{index, "blk.attend", "attend", "avx2", layer};
    node.shape.arithmetic = "f32";
    node.shape.heads = 8;
    node.shape.kv_heads = 2;
    node.shape.head_dim = 64;
    node.shape.kv_element_bytes = 2;
    return node;
}

// `calls` calls of a step of that shape at an efficiency, with 1000 ns at the barrier.
void add_calls(RunRecord& record, const measure::PlanNodeFacts& node, const char* slice,
               const StepShape& shape, uint64_t calls, double efficiency) {
    const Work work = node_work(*desc_of(node), shape);
    measure::OperatorSample sample;
    sample.node = node.index;
    sample.slice = slice;
    sample.calls = calls;
    sample.tokens = calls * shape.tokens;
    sample.bytes = work.bytes * static_cast<double>(calls);
    sample.flops = work.flops * static_cast<double>(calls);
    sample.compute_ns = sample.compute_mean_ns =
        *sample_light(record, sample).bound_ns() / efficiency;
    sample.barrier_ns = 1000.0 * static_cast<double>(calls);
    record.operators.push_back(sample);
}

StepShape token_at(uint64_t position) {
    StepShape shape;
    shape.add_slice(position, 1);
    shape.outputs = 1;
    return shape;
}

// Two layers of a linear and attention, and a head; prompts of 64 tokens, 9 output tokens.
RunRecord small_run(bool large_head = false) {
    RunRecord record = fake_record({});
    record.operators.clear();
    record.requests.clear();
    record.nodes = {linear_node(0, "blk.0.up", 0, 4096, 4096), attend_node(1, 0),
                    linear_node(2, "blk.1.up", 1, 4096, 4096), attend_node(3, 1),
                    linear_node(4, "head", -1, 32768, 4096, true)};
    if (large_head) {
        record.nodes[4].variant = "s8/avx2";
        record.nodes[4].shape.weight_bytes = uint64_t{32768} * 4096 * 544 / 512;
    }
    StepShape prompt;
    prompt.add_slice(0, 64);
    prompt.outputs = 1;
    for (const auto& node : record.nodes) {
        // The head has one row in both, so it runs alike in both.
        add_calls(record, node, "prefill", prompt, 10, node.layer < 0 ? 0.8 : 0.5);
        add_calls(record, node, "decode", token_at(68), 80, 0.8);
    }
    for (int i = 0; i < 10; ++i) {
        measure::RequestSample request;
        request.phase = "warm";
        request.prompt_tokens = 64;
        request.output_tokens = 9;
        record.requests.push_back(request);
    }
    return record;
}

double decode_ratio(const RunRecord& record, WhatIfKind kind, const char* setting) {
    const auto result = simulate(record, {kind, "", setting});
    EXPECT_TRUE(result.value) << result.reason.id;
    return result.value ? result.value->decode->value : -1;
}

TEST(StepModel, ReproducesTheStepsOfTheRun) {
    const RunRecord record = small_run();
    Note reason;
    const auto model = StepModel::of(record, {}, reason);
    ASSERT_TRUE(model) << reason.id;
    const auto step = model->step(token_at(68), {});
    ASSERT_TRUE(step);
    double expected = 0;
    for (const auto& sample : record.operators) {
        if (sample.slice == "decode") expected += sample_wall_ns(sample) / 80;
    }
    EXPECT_NEAR(step->ns, expected, expected * 1e-6);
    EXPECT_EQ(step->tier, Provenance::measured);
}

TEST(StepModel, RefusesWithoutSamplesShapesOrCeilings) {
    const auto reason_of = [](auto change) {
        RunRecord record = small_run();
        change(record);
        return simulate(record, {WhatIfKind::depth, "", "512"}).reason.id;
    };
    EXPECT_EQ(reason_of([](RunRecord& r) { r.operators.clear(); }), "no_operator_samples");
    EXPECT_EQ(reason_of([](RunRecord& r) { r.nodes[0].shape = {}; }), "no_node_shapes");
    EXPECT_EQ(reason_of([](RunRecord& r) { r.machine.bandwidth.clear(); }), "no_ceilings");
    EXPECT_EQ(reason_of([](RunRecord& r) {
                  r.requests.clear();
                  r.context.prompt_tokens = r.context.output_tokens = 0;
              }),
              "no_request_stages");
}

TEST(SimulateRun, RemovedLayersAreAmdahl) {
    const RunRecord record = small_run();
    double all = 0;
    double layers = 0;
    for (const auto& sample : record.operators) {
        if (sample.slice != "decode") continue;
        all += sample_wall_ns(sample);
        if (record.nodes[sample.node].layer >= 0) layers += sample_wall_ns(sample);
    }
    // One of two layers gone: half of what the layers take.
    EXPECT_NEAR(decode_ratio(record, WhatIfKind::remove_layers, "1"), 1 - 0.5 * layers / all, 2e-3);
    EXPECT_EQ(simulate(record, {WhatIfKind::remove_layers, "", "2"}).reason.id, "no_such_setting");
}

// Of the time of decode, what the head computes.
double head_share(const RunRecord& record) {
    double all = 0;
    double head = 0;
    for (const auto& sample : record.operators) {
        if (sample.slice != "decode") continue;
        all += sample_wall_ns(sample);
        if (sample.node == 4) head += sample.compute_ns;
    }
    return head / all;
}

TEST(SimulateRun, ATrimmedHeadSavesItsShare) {
    const RunRecord record = small_run();
    EXPECT_NEAR(decode_ratio(record, WhatIfKind::trim_head, "0.25"), 1 - 0.75 * head_share(record),
                2e-3);
    for (const char* setting : {"0", "1", "1.5", "-0.5", "half", "nan"}) {
        EXPECT_FALSE(simulate(record, {WhatIfKind::trim_head, "", setting}).value) << setting;
    }
}

TEST(SimulateRun, AScreenedHeadTakesTwoThirdsWhereItIsLarge) {
    const RunRecord record = small_run(true);
    // 352 bytes for 544, and a few rows.
    EXPECT_NEAR(decode_ratio(record, WhatIfKind::trim_head, "screened"),
                1 - 0.333 * head_share(record), 0.01);
    EXPECT_EQ(simulate(small_run(), {WhatIfKind::trim_head, "", "screened"}).reason.id,
              "nothing_to_change");
}

TEST(SimulateRun, DepthGrowsByTheBytesOfTheCache) {
    const RunRecord record = small_run();
    Note reason;
    const auto model = StepModel::of(record, {}, reason);
    ASSERT_TRUE(model);
    const double near = model->step(token_at(1000), {})->ns;
    const double far = model->step(token_at(2000), {})->ns;
    // Two layers; 1000 positions more of 2 heads x 64 x (K and V) x 2 bytes at 80 % of 20 GB/s,
    // against 8 heads x (4 x 64 + 5) FLOP at 200 G/s: memory is the nearer roof.
    const double memory = 1000.0 * 2 * 64 * 2 * 2 / kMemory;
    const double compute = 1000.0 * 8 * (4 * 64 + 5) / kF32;
    ASSERT_GT(memory, compute);
    EXPECT_NEAR(far - near, 2 * memory / 0.8, 1);
    const double shallow = decode_ratio(record, WhatIfKind::depth, "512");
    const double deep = decode_ratio(record, WhatIfKind::depth, "2048");
    EXPECT_GT(shallow, 1);
    EXPECT_GT(deep, shallow);
    // No prompt was asked about.
    EXPECT_FALSE(simulate(record, {WhatIfKind::depth, "", "512"}).value->prefill);
}

TEST(SimulateRun, BatchSharesTheWeights) {
    RunRecord record = small_run();
    const double two = decode_ratio(record, WhatIfKind::batch, "2");
    const double eight = decode_ratio(record, WhatIfKind::batch, "8");
    // Weights are read once for all, so steps grow by less than the batch.
    EXPECT_GT(two, 1);
    EXPECT_LT(two, 2);
    EXPECT_GT(eight, two);
    EXPECT_LT(eight, 8);
    EXPECT_EQ(simulate(record, {WhatIfKind::batch, "", "8"}).value->batch, 8);
    // An experiment is better than any simulation.
    record.experiments.push_back(to_experiment(
        Sweep{"batch_sweep", "", "1", {{"1", {}, samples(100)}, {"2", {}, samples(150)}}}));
    const auto measured = simulate(record, {WhatIfKind::batch, "", "2"});
    EXPECT_NEAR(measured.value->decode->value, 1.5, 1e-9);
    EXPECT_EQ(measured.value->tier, Provenance::measured);
}

TEST(SimulateRun, APrefixInTheCacheSavesItsTokens) {
    const RunRecord record = small_run();
    const auto half = simulate(record, {WhatIfKind::prefix_reuse, "", "32"});
    ASSERT_TRUE(half.value);
    EXPECT_LT(half.value->prefill->value, 0.8);
    EXPECT_NEAR(half.value->decode->value, 1, 1e-9);
    // More than the prompt: its last token is still computed.
    const auto all = simulate(record, {WhatIfKind::prefix_reuse, "", "100000"});
    ASSERT_TRUE(all.value);
    EXPECT_GT(all.value->prefill->value, 0);
    EXPECT_LT(all.value->prefill->value, half.value->prefill->value);
}

TEST(SimulateRun, SmallerStepsReadTheWeightsMoreOften) {
    const RunRecord record = small_run();
    const auto pieces = simulate(record, {WhatIfKind::step_tokens, "", "8"});
    ASSERT_TRUE(pieces.value);
    // A linear waits for memory at 8 rows: 10.5 MB / 20 GB/s = 524 us at the mean utilization of
    // 63 %, eight times, against 2 x 16.8 M x 64 / 800 G/s = 2684 us at 50 %; and 8 x 2 x 1 us more
    // at barriers.
    EXPECT_NEAR(pieces.value->prefill->value, 1.17, 0.1);
    EXPECT_NEAR(pieces.value->decode->value, 1, 1e-9);
    // Larger than the prompt changes nothing.
    EXPECT_EQ(simulate(record, {WhatIfKind::step_tokens, "", "4096"}).reason.id,
              "nothing_to_change");
}

TEST(SimulateRun, PaddingCostsWhatItsTokensCost) {
    const RunRecord record = small_run();
    const auto result = simulate(record, {WhatIfKind::remove_padding, "", "0.5"});
    ASSERT_TRUE(result.value);
    EXPECT_LT(result.value->prefill->value, 1);
    EXPECT_GT(result.value->prefill->value, 0.4);
}

TEST(SimulateRun, AHalvedCacheHelpsAttentionOnly) {
    RunRecord record = small_run();
    for (auto& request : record.requests) request.prompt_tokens = 2048;
    const auto smaller = simulate(record, {WhatIfKind::kv_dtype, "", "q8"});
    ASSERT_TRUE(smaller.value);
    EXPECT_LT(smaller.value->decode->value, 1);
    EXPECT_GT(smaller.value->decode->value, 0.9);
    EXPECT_EQ(smaller.value->tier, Provenance::cross_format);
    const auto smallest = simulate(record, {WhatIfKind::kv_dtype, "", "q4"});
    ASSERT_TRUE(smallest.value);
    EXPECT_LT(smallest.value->decode->value, smaller.value->decode->value);
    EXPECT_GT(smallest.value->decode->value, 0.9);
    EXPECT_DOUBLE_EQ(*kv_value_bytes(record, "q8"), 68.0 / 64);
    EXPECT_DOUBLE_EQ(*kv_value_bytes(record, "q4"), 36.0 / 64);
    EXPECT_GT(simulate(record, {WhatIfKind::kv_dtype, "", "f32"}).value->decode->value, 1);
    EXPECT_EQ(simulate(record, {WhatIfKind::kv_dtype, "", "f16"}).reason.id, "nothing_to_change");
    EXPECT_EQ(simulate(record, {WhatIfKind::kv_dtype, "", "q3"}).reason.id, "no_such_setting");
}

TEST(SimulateRun, FasterMemoryIsNeverSlower) {
    double last = 0;
    for (const double scale : {0.5, 1.0, 2.0, 4.0}) {
        RunRecord record = small_run();
        Note reason;
        const auto learned = StepModel::of(record, {}, reason);
        ASSERT_TRUE(learned);
        // The same utilization on a machine with other memory: the sum of speeds of light.
        machine::MachineProfile machine = record.machine;
        for (auto& point : machine.bandwidth) point.gb_per_s *= scale;
        double light = 0;
        for (const auto& node : record.nodes) {
            RoofQuery query;
            query.arithmetic = desc_of(node)->arithmetic;
            query.threads = 2;
            query.isa = "avx2";
            query.working_set_bytes = streamed_bytes(record);
            light +=
                *light_time(node_work(*desc_of(node), token_at(68)), query, machine).bound_ns();
        }
        if (last > 0) {
            EXPECT_LE(light, last);
        }
        EXPECT_GT(light, 0);
        last = light;
    }
}

// Points of the profile for which the kernel takes `ns` for each multiply-add.
void add_points(RunRecord& record, const char* format, const char* isa, int threads, double ns) {
    for (const uint32_t m : {1u, 64u}) {
        record.machine.gemms.push_back(
            {format, "int8", isa, 2048, 1024, m, threads, ns * m * 2048 * 1024, 1});
    }
}

TEST(SimulateRun, KernelsOfAnotherLevelAndThreadCountComeFromTheirPoints) {
    RunRecord record = small_run();
    EXPECT_EQ(simulate(record, {WhatIfKind::variant, "linear", "portable"}).reason.id,
              "no_experiment");
    add_points(record, "u4m", "avx2", 2, 0.01);
    add_points(record, "u4m", "portable", 2, 0.03);
    add_points(record, "u4m", "avx2", 1, 0.02);
    double all = 0;
    double linear = 0;
    for (const auto& sample : record.operators) {
        if (sample.slice != "decode") continue;
        all += sample_wall_ns(sample);
        if (record.nodes[sample.node].kind == "linear") linear += sample.compute_ns;
    }
    const auto slower = simulate(record, {WhatIfKind::variant, "linear", "portable"});
    ASSERT_TRUE(slower.value) << slower.reason.id;
    EXPECT_NEAR(slower.value->decode->value, 1 + 2 * linear / all, 5e-3);
    EXPECT_EQ(slower.value->tier, Provenance::measured_shape);
    EXPECT_TRUE(slower.value->decode->has_interval);
    EXPECT_LT(slower.value->decode->low, slower.value->decode->value);
    EXPECT_GT(slower.value->decode->low, 0);
    const auto one = simulate(record, {WhatIfKind::threads, "", "1"});
    ASSERT_TRUE(one.value) << one.reason.id;
    EXPECT_GT(one.value->decode->value, 1.8);
    EXPECT_LT(one.value->decode->value, 2.1);
    // More threads than CPUs is nothing that roofs can tell.
    EXPECT_EQ(simulate(record, {WhatIfKind::threads, "", "8"}).reason.id, "no_experiment");
}

TEST(SimulateRun, AnotherFormatTakesItsOwnKernel) {
    RunRecord record = small_run();
    add_points(record, "u4m", "avx2", 2, 0.02);
    add_points(record, "u4", "avx2", 2, 0.01);
    const auto result = simulate(record, {WhatIfKind::weight_format, "", "u4"});
    ASSERT_TRUE(result.value);
    EXPECT_NEAR(result.value->decode->value, 0.5, 0.02);
    EXPECT_EQ(result.value->tier, Provenance::measured_shape);
    EXPECT_EQ(simulate(record, {WhatIfKind::weight_format, "", "s8"}).reason.id,
              "nothing_to_change");
}

// Linears in half precision, 80 % of whichever roof is nearer, with points of integer kernels.
RunRecord half_precision_run() {
    RunRecord record = small_run();
    for (auto& node : record.nodes) {
        if (node.kind != "linear") continue;
        node.variant = "f16/avx2";
        node.shape.arithmetic = "f32";
        node.shape.weight_bytes = 2 * node.shape.rows * node.shape.columns;
    }
    for (auto& sample : record.operators) {
        const auto& node = record.nodes[sample.node];
        if (node.kind != "linear") continue;
        const double added = static_cast<double>(node.shape.rows * node.shape.columns) *
                             (2 - 320.0 / 512) * static_cast<double>(sample.calls);
        sample.bytes += added;
        sample.compute_ns = sample.compute_mean_ns = *sample_light(record, sample).bound_ns() / 0.8;
    }
    return record;
}

TEST(SimulateRun, FloatWeightsInAnIntegerFormatComputeInIntegers) {
    RunRecord record = half_precision_run();
    // Of integer kernels nothing is known here but the peak of their arithmetic.
    const auto borrowed = simulate(record, {WhatIfKind::weight_format, "", "s8"});
    ASSERT_TRUE(borrowed.value);
    EXPECT_EQ(borrowed.value->tier, Provenance::cross_format);
    EXPECT_LT(borrowed.value->prefill->value, 0.6);
    // Both at 80 % of their roofs: 200 GFLOP/s f32, 800 GOP/s int8, 20 GB/s.
    for (const uint32_t m : {1u, 64u}) {
        const double weights = 2048 * 1024;
        const auto point = [&](const char* format, const char* activations, double bytes,
                               double flops_per_ns) {
            const double ns =
                std::max(weights * bytes / kMemory, 2 * weights * m / flops_per_ns) / 0.8;
            record.machine.gemms.push_back({format, activations, "avx2", 2048, 1024, m, 2, ns, 1});
        };
        point("f16", "f32", 2, kF32);
        point("s8", "int8", 544.0 / 512, 4 * kF32);
    }
    const auto result = simulate(record, {WhatIfKind::weight_format, "", "s8"});
    ASSERT_TRUE(result.value) << result.reason.id;
    EXPECT_LT(result.value->prefill->value, 0.5) << "four times the arithmetic";
    EXPECT_GT(result.value->prefill->value, 0.2);
    EXPECT_LT(result.value->decode->value, 0.65) << "about half the bytes";
    EXPECT_GT(result.value->decode->value, 0.45);
    // With f32 activations only the bytes count, and a prompt gains little.
    record.passes.push_back({"quantize_activations", false, 0, 0});
    const auto floats = simulate(record, {WhatIfKind::weight_format, "", "s8"});
    ASSERT_TRUE(floats.value) << floats.reason.id;
    EXPECT_GT(floats.value->prefill->value, 0.75);
    EXPECT_LT(floats.value->decode->value, 0.65);
}

TEST(SimulateRun, FlushedDenormalsNeedTheExperiment) {
    RunRecord record = small_run();
    EXPECT_EQ(simulate(record, {WhatIfKind::flush_denormals, "", "on"}).reason.id, "no_experiment");
    FlushDenormals flush;
    flush.baseline = "off";
    flush.off = {"off", samples(200), samples(100)};
    flush.on = {"on", samples(100), samples(90)};
    record.experiments.push_back(to_experiment(flush));
    const auto result = simulate(record, {WhatIfKind::flush_denormals, "", "on"});
    ASSERT_TRUE(result.value) << result.reason.id;
    EXPECT_NEAR(result.value->prefill->value, 0.5, 1e-9);
    EXPECT_NEAR(result.value->decode->value, 0.9, 1e-9);
    EXPECT_FALSE(simulate(record, {WhatIfKind::flush_denormals, "", "maybe"}).value);
}

TEST(KernelCurve, IsInterpolatedInLogSpaceAndClamped) {
    machine::MachineProfile machine;
    machine.gemms = {{"u4", "int8", "avx2", 10, 10, 1, 2, 100.0 * 8, 1},
                     {"u4", "int8", "avx2", 10, 10, 16, 2, 1600.0 * 2, 1},
                     {"u6", "int8", "avx2", 10, 10, 1, 2, 100.0 * 4, 1}};
    const KernelQuery query{"u4", true, "avx2", 2};
    EXPECT_DOUBLE_EQ(kernel_time(machine, query, 1)->ns, 8);
    EXPECT_TRUE(kernel_time(machine, query, 1)->exact);
    EXPECT_NEAR(kernel_time(machine, query, 4)->ns, 4, 1e-12);
    EXPECT_FALSE(kernel_time(machine, query, 4)->exact);
    EXPECT_DOUBLE_EQ(kernel_time(machine, query, 1000)->ns, 2);
    EXPECT_DOUBLE_EQ(kernel_time(machine, {"u4+u6", true, "avx2", 2}, 1)->ns, 6);
    EXPECT_FALSE(kernel_time(machine, {"u4+s8", true, "avx2", 2}, 1));
    EXPECT_FALSE(kernel_time(machine, {"u4", false, "avx2", 2}, 1));
    EXPECT_FALSE(kernel_time(machine, {"u4", true, "avx2", 1}, 1));
    EXPECT_EQ(*best_kernel_level(machine, {"u4", true, "", 2}, "avx512"), "avx2");
    EXPECT_FALSE(best_kernel_level(machine, {"u4", true, "", 2}, "portable"));
    EXPECT_FALSE(best_kernel_level(machine, {"u4", true, "", 2}, "no such"));
}

}  // namespace
}  // namespace hone::cost
