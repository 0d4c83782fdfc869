#include "cost/node_desc.h"

#include <gtest/gtest.h>

#include <set>

namespace hone::cost {
namespace {

NodeDesc linear(uint64_t rows, uint64_t columns, uint64_t weight_bytes) {
    NodeDesc node;
    node.kind = OpKind::linear;
    node.arithmetic = Arithmetic::int8;
    node.rows = rows;
    node.columns = columns;
    node.weight_bytes = weight_bytes;
    return node;
}

TEST(OpKind, NamesAreDistinct) {
    std::set<std::string> names;
    for (int i = 0; i <= static_cast<int>(OpKind::scale); ++i) {
        names.insert(op_kind_name(static_cast<OpKind>(i)));
    }
    EXPECT_EQ(names.size(), static_cast<size_t>(OpKind::scale) + 1);
    EXPECT_EQ(names.count("unknown"), 0u);
}

TEST(StepShape, CountsScorePairsAndPositions) {
    StepShape step;
    step.add_slice(0, 3);   // sees 1 + 2 + 3
    step.add_slice(10, 1);  // sees 11
    EXPECT_EQ(step.tokens, 4u);
    EXPECT_EQ(step.attended_pairs, 17u);
    EXPECT_EQ(step.positions_read, 14u);
}

TEST(NodeWork, LinearIsTwoFlopsPerWeightAndToken) {
    StepShape step;
    step.add_slice(0, 8);
    const Work work = node_work(linear(100, 64, 4000), step);
    EXPECT_DOUBLE_EQ(work.flops, 2.0 * 8 * 100 * 64);
    EXPECT_DOUBLE_EQ(work.weight_bytes, 4000);
    EXPECT_EQ(work.arithmetic, Arithmetic::int8);
    // Weights once, whatever the number of tokens.
    StepShape twice;
    twice.add_slice(0, 16);
    const Work more = node_work(linear(100, 64, 4000), twice);
    EXPECT_DOUBLE_EQ(more.bytes - 4000, 2 * (work.bytes - 4000));
}

TEST(NodeWork, HeadCountsOutputsOnly) {
    NodeDesc head = linear(1000, 64, 40000);
    head.per_output = true;
    StepShape step;
    step.add_slice(0, 64);
    step.outputs = 1;
    EXPECT_DOUBLE_EQ(node_work(head, step).flops, 2.0 * 1000 * 64);
}

TEST(NodeWork, WindowLimitsAttention) {
    NodeDesc node;
    node.kind = OpKind::attend;
    node.n_heads = 4;
    node.n_kv_heads = 2;
    node.head_dim = 8;
    StepShape step;
    step.add_slice(999, 1);
    const Work global = node_work(node, step);
    EXPECT_DOUBLE_EQ(global.flops, 1000.0 * 4 * (4 * 8 + 5));
    node.window = 100;
    const Work windowed = node_work(node, step);
    EXPECT_DOUBLE_EQ(windowed.flops, 100.0 * 4 * (4 * 8 + 5));
    EXPECT_LT(windowed.bytes, global.bytes);
}

TEST(NodeWork, EveryKindCountsSomeBytesForATokenExceptNothing) {
    StepShape step;
    step.add_slice(0, 1);
    step.outputs = 1;
    for (int i = 0; i <= static_cast<int>(OpKind::add); ++i) {
        NodeDesc node = linear(64, 64, 2048);
        node.kind = static_cast<OpKind>(i);
        EXPECT_GT(node_work(node, step).bytes, 0) << op_kind_name(node.kind);
    }
    // An empty step asks for nothing but the weights of a linear.
    NodeDesc add = linear(64, 64, 0);
    add.kind = OpKind::add;
    EXPECT_EQ(node_work(add, StepShape{}).bytes, 0);
}

}  // namespace
}  // namespace hone::cost
