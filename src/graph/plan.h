// A Plan: the optimized graph with everything decided that does not depend on a step's size, and
// the Bindings that do: memory offsets and barriers per class of step sizes. A printable value.
//
// Made once at load by prepare(); the executor only follows it. Memory: values live from the phase
// that makes them to the phase of their last reader, where a phase is the time between two
// barriers; values whose phases overlap get disjoint ranges (greedy by size, best fit; Pisarchyk
// and Lee 2020). A barrier stands only where a node reads what another thread made in the same
// phase: operators that take the same rows one after the other need none between them. In a small
// step, per-row operators are done by every thread into a copy of its own, which saves their
// barrier altogether.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "cost/node_desc.h"
#include "graph/graph.h"
#include "kernels/attention/attention.h"
#include "kernels/linear/linear.h"
#include "kernels/rows/rows.h"
#include "machine/isa.h"
#include "measure/record.h"

namespace hone::graph {

struct PrepareOptions {
    machine::Isa isa = machine::Isa::portable;
    int threads = 1;
    uint32_t tokens_max = 256;  // of one step
    uint32_t outputs_max = 16;  // rows of logits of one step
    // Attention of a sequence that is no longer than this may be split over threads.
    uint32_t positions_max = 0;
    kernels::KvDtype kv_dtype = kernels::KvDtype::f16;
    std::vector<std::string> disabled_passes;
    bool screen_head = false;  // graph/screen.h
    // FAMILY=NAME: families linear, rows, attention.
    std::vector<std::pair<std::string, std::string>> variants;
};

// A linear's weights: one segment per part (or one for an interleaved pair).
struct PlanSegment {
    kernels::PackFormat format = kernels::PackFormat::f32;
    const kernels::LinearVariant* variant = nullptr;
    uint64_t rows = 0;
    std::vector<WeightPart> parts;
};

struct PlanNode {
    Node node;
    cost::NodeDesc desc;
    std::string variant;                // "u4m/avx512vnni", "avx512", ...
    std::vector<PlanSegment> segments;  // linear, linear_gated
};

constexpr size_t kNoOffset = SIZE_MAX;

struct NodeBinding {
    bool per_thread = false;  // every thread does all rows into its own copy
    bool barrier = true;      // all threads meet after this node
};

// Decisions for steps of at most `tokens_max` tokens.
struct Binding {
    uint32_t tokens_max = 0;
    uint32_t outputs_max = 0;
    std::vector<NodeBinding> nodes;
    std::vector<size_t> offset;         // per value, kNoOffset when it has no workspace
    std::vector<size_t> thread_stride;  // per value: bytes between the threads' copies, 0 = shared
    size_t bytes = 0;
};

struct Plan {
    Graph graph;
    PrepareOptions options;
    std::vector<PlanNode> nodes;
    std::vector<measure::PassRun> passes;
    const kernels::RowsVariant* rows = nullptr;
    const kernels::AttentionVariant* attention = nullptr;
    std::vector<Binding> bindings;  // ascending tokens_max
    uint32_t vocab = 0;             // width of an output row: logits, or an encoder's values
    uint32_t tokens_end = 0;        // token ids are below

    const Binding& binding_for(uint32_t tokens) const;
    // Barriers one step of that size passes.
    int barriers(uint32_t tokens) const;
    std::vector<measure::PlanNodeFacts> facts() const;
};

// Runs the passes, selects variants, plans memory. invalid_argument for unknown passes, families,
// variants; unsupported when a format has no kernel.
base::Result<Plan> prepare(Graph graph, const PrepareOptions& options, const base::Clock& clock);

// Row stride in elements of an f32 value: linear kernels write whole 16-row tiles.
constexpr uint64_t padded_width(uint64_t width) {
    return (width + 15) / 16 * 16;
}
// Nodes that the rows family of kernels computes.
bool uses_rows_kernels(OpKind kind);
// Workspace bytes of a value in a step of that size; 0 for weights, constants, inputs and KV.
size_t value_bytes(const Value& value, uint32_t tokens, uint32_t outputs);

Binding plan_memory(const Graph& graph, const std::vector<PlanNode>& nodes, uint32_t tokens_max,
                    uint32_t outputs_max, int threads);

std::string to_string(const Plan& plan);

}  // namespace hone::graph
