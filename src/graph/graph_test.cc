#include "graph/graph.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "graph/graph_fixture.h"
#include "graph/passes.h"
#include "graph/plan.h"

namespace hone::graph {
namespace {

Graph fresh() {
    RandomWeights weights;
    return tiny_graph(TinyShape{}, weights, 1);
}

int count(const Graph& graph, OpKind kind) {
    return static_cast<int>(std::count_if(graph.nodes.begin(), graph.nodes.end(),
                                          [&](const Node& node) { return node.kind == kind; }));
}

TEST(Graph, VerifierAcceptsTheBuiltGraph) {
    EXPECT_TRUE(verify(fresh()));
}

TEST(Graph, VerifierNamesWhatIsBroken) {
    Graph late = fresh();
    std::swap(late.nodes[3], late.nodes[4]);
    Graph twice = fresh();
    twice.nodes[6].outputs = twice.nodes[5].outputs;
    Graph unknown = fresh();
    unknown.nodes[5].inputs[0] = 9999;
    Graph shape = fresh();
    shape.values[shape.nodes[5].outputs[0]].dims.back().factor += 1;
    Graph output = fresh();
    output.output = 9999;
    for (const Graph* graph : {&late, &twice, &unknown, &shape, &output}) {
        const auto status = verify(*graph);
        ASSERT_FALSE(status) << to_string(*graph);
        EXPECT_FALSE(status.error().message.empty());
    }
}

TEST(Graph, InferenceRefusesMismatchedWidths) {
    Graph graph = fresh();
    Node node;
    node.kind = OpKind::add;
    node.name = "bad_add";
    node.inputs = {graph.nodes[2].outputs[0], graph.output};
    const auto outputs = infer_outputs(graph, node);
    ASSERT_FALSE(outputs);
    EXPECT_NE(outputs.error().message.find("bad_add"), std::string::npos);
}

TEST(Passes, EachDoesItsRewriteOnce) {
    Graph graph = fresh();
    EXPECT_EQ(fold_constants(graph), 2);
    EXPECT_EQ(count(graph, OpKind::rope_table), 0);
    EXPECT_GT(last_position_logits(graph), 0);
    // The last layer's residual and attention output are selected, and nothing after them is.
    EXPECT_EQ(count(graph, OpKind::select_rows), 2);
    EXPECT_EQ(merge_qkv(graph), 2);
    EXPECT_EQ(count(graph, OpKind::concat), 0);
    EXPECT_EQ(merge_gate_up(graph), 2);
    EXPECT_EQ(fuse_residual(graph), 4);
    EXPECT_EQ(count(graph, OpKind::add), 0);
    EXPECT_EQ(quantize_activations(graph), 9);
    EXPECT_EQ(fuse_norm_quantize(graph), 5);
    EXPECT_EQ(fuse_gated_quantize(graph), 2);
    EXPECT_EQ(share_common(graph), 0);
    EXPECT_EQ(dead_code(graph), 0);
    EXPECT_TRUE(verify(graph)) << to_string(graph);
    for (const Pass& pass : passes()) EXPECT_EQ(pass.run(graph), 0) << pass.name;
}

TEST(Passes, SharingUnitesTheInputsOfUnmergedLinears) {
    Graph graph = fresh();
    quantize_activations(graph);
    EXPECT_EQ(share_common(graph), 2 * 3);  // k, v and up ask again for what q and gate have
    EXPECT_TRUE(verify(graph));
}

TEST(Passes, DeadCodeRemovesWhatNobodyReads) {
    Graph graph = fresh();
    const size_t nodes = graph.nodes.size();
    const ValueId x = graph.nodes[2].outputs[0];
    const ValueId y = graph.add_op(OpKind::add, "dead", -1, {x, x});
    graph.add_op(OpKind::add, "dead_too", -1, {y, y});
    EXPECT_EQ(dead_code(graph), 2);
    EXPECT_EQ(graph.nodes.size(), nodes);
}

TEST(Passes, UnknownNameIsAnError) {
    Graph graph = fresh();
    const base::SteadyClock clock;
    const std::vector<std::string> disabled = {"merge_qvk"};
    const auto runs = run_passes(graph, disabled, clock);
    ASSERT_FALSE(runs);
    EXPECT_NE(runs.error().message.find("merge_qkv"), std::string::npos);
}

class Planned : public testing::TestWithParam<bool> {};

// Values whose lives overlap never share memory, with all passes and with none.
TEST_P(Planned, NoTwoLiveValuesOverlap) {
    const base::SteadyClock clock;
    PrepareOptions options;
    options.isa = machine::detect_isa();
    options.threads = 2;
    options.tokens_max = 128;
    if (GetParam()) {
        for (const Pass& pass : passes()) options.disabled_passes.push_back(pass.name);
    }
    const auto plan = prepare(fresh(), options, clock);
    ASSERT_TRUE(plan) << plan.error().message;
    for (const Binding& binding : plan->bindings) {
        for (size_t n = 0; n < plan->nodes.size(); ++n) {
            const Node& node = plan->nodes[n].node;
            const ValueId out = node.outputs[0];
            for (const ValueId in : node.inputs) {
                if (binding.offset[in] == kNoOffset || binding.offset[out] == kNoOffset) continue;
                const size_t in_bytes =
                    value_bytes(plan->graph.values[in], binding.tokens_max, binding.outputs_max);
                const size_t out_bytes =
                    value_bytes(plan->graph.values[out], binding.tokens_max, binding.outputs_max);
                const bool apart = binding.offset[in] + in_bytes <= binding.offset[out] ||
                                   binding.offset[out] + out_bytes <= binding.offset[in];
                const bool in_place = binding.offset[in] == binding.offset[out] &&
                                      (node.kind == OpKind::rope_store ||
                                       (node.inputs.size() == 3 && in == node.inputs[2]));
                EXPECT_TRUE(apart || in_place) << node.name;
            }
            EXPECT_LE(binding.offset[out] == kNoOffset ? 0 : binding.offset[out], binding.bytes);
        }
    }
    // Small steps save the barriers of row operators; without fusions, larger ones save them too,
    // because each norm follows a sum of the same rows.
    if (GetParam()) {
        EXPECT_LE(plan->barriers(1), plan->barriers(128));
    } else {
        EXPECT_LT(plan->barriers(1), plan->barriers(128));
    }
    EXPECT_FALSE(to_string(*plan).empty());
}

INSTANTIATE_TEST_SUITE_P(PassesOnOff, Planned, testing::Bool());

TEST(Prepare, UnknownFamilyOrVariantIsAnError) {
    const base::SteadyClock clock;
    PrepareOptions options;
    options.isa = machine::detect_isa();
    options.variants = {{"lineer", "avx2"}};
    EXPECT_FALSE(prepare(fresh(), options, clock));
    options.variants = {{"linear", "avx1024"}};
    EXPECT_FALSE(prepare(fresh(), options, clock));
}

}  // namespace
}  // namespace hone::graph
