#include "compress/decode_cost.h"

#include <gtest/gtest.h>

#include <numeric>

#include "base/clock.h"
#include "compress/compress_fixture.h"
#include "compress/input_statistics.h"
#include "cost/fake_record.h"

namespace hone::compress {
namespace {

using tensor::DType;

constexpr double kEfficiency = 0.8;

// A model of half floats on the machine of the cost room's tests: 20 GB/s from memory.
struct Bench {
    SynthModel model{
        {.n_layers = 2, .n_embd = 256, .n_ff = 512, .n_vocab = 4096, .type = DType::f16}};
    base::SteadyClock clock;
    std::unique_ptr<runtime::Session> session;
    measure::RunRecord record = cost::fake_record({});
    cost::StepShape step;
    SensitivityTable table;

    Bench() {
        auto load = calibration_load(64, 2);
        load.isa = machine::Isa::portable;
        auto opened = runtime::open_session(model.path(), load, clock);
        EXPECT_TRUE(opened);
        session = std::move(*opened);
        step.add_slice(8, 1);
        step.outputs = 1;
        record.isa = "portable";
        record.nodes = session->plan().facts();
        record.operators.clear();
        record.memory.weights_bytes = uint64_t{1} << 30;  // all of it from memory
        for (const measure::PlanNodeFacts& node : record.nodes) add_sample(node);
        for (const formats::GgufTensor& tensor : model.file().tensors()) {
            if (!is_quantizable(tensor)) continue;
            TensorSensitivity item{std::string(tensor.name), "", {}};
            item.types = {{DType::q4_0, 0, 0, 3}, {DType::q8_0, 0, 0, 2}, {DType::f16, 0, 0, 1}};
            table.tensors.push_back(item);
        }
    }

    void add_sample(const measure::PlanNodeFacts& node) {
        const cost::Work work = cost::node_work(*cost::desc_of(node), step);
        measure::OperatorSample sample;
        sample.node = node.index;
        sample.slice = "decode";
        sample.calls = sample.tokens = 1;
        sample.bytes = work.bytes;
        sample.flops = work.flops;
        record.operators.push_back(sample);
        const auto bound = cost::sample_light(record, sample).bound_ns();
        record.operators.back().compute_ns = bound.value_or(1) / kEfficiency;
    }
};

TEST(DecodeCost, PricesAreTimesOfTheTypesOwnBytes) {
    Bench bench;
    const auto cost = decode_cost(bench.session->plan(), bench.record, bench.table, bench.step);
    ASSERT_TRUE(cost) << cost.error().message;
    ASSERT_EQ(cost->items.size(), bench.table.tensors.size());
    double now_ps = 0;
    for (const AllocationItem& item : cost->items) {
        ASSERT_EQ(item.options.size(), 3u) << item.name;
        EXPECT_LE(item.options[0].price, item.options[1].price) << item.name;
        EXPECT_LE(item.options[1].price, item.options[2].price) << item.name;
        EXPECT_EQ(item.options[0].cost, 3);
        now_ps += static_cast<double>(item.options[2].price);
    }
    // Half floats are what the model has: their prices and the rest are the step of now.
    EXPECT_NEAR(cost->fixed_ns + now_ps * 1e-3, cost->step_ns, 1e-3 * cost->step_ns);
    EXPECT_GT(cost->fixed_ns, 0);
    EXPECT_LT(cost->fixed_ns, 0.5 * cost->step_ns);
}

TEST(DecodeCost, WithoutSamplesThereIsNoPrice) {
    Bench bench;
    bench.record.operators.clear();
    const auto cost = decode_cost(bench.session->plan(), bench.record, bench.table, bench.step);
    ASSERT_FALSE(cost);
    EXPECT_EQ(cost.error().code, base::ErrorCode::unsupported);
}

}  // namespace
}  // namespace hone::compress
