// Runs one node of a plan on one thread of the team: the leaf functions of the executor.
//
// A StepContext is what all nodes of a step share; it is made once per step by the executor.
// Functions here decide which part of the work belongs to `thread` and call kernels; they allocate
// nothing.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "graph/executor.h"
#include "graph/packed_weights.h"
#include "graph/plan.h"

namespace hone::graph {

struct StepContext {
    const Plan* plan = nullptr;
    const PackedWeights* weights = nullptr;
    const Binding* binding = nullptr;
    const StepInput* input = nullptr;
    std::byte* workspace = nullptr;
    std::byte* scratch = nullptr;  // [threads][scratch_stride]
    size_t scratch_stride = 0;
    std::atomic<uint32_t>* tasks = nullptr;  // [nodes], zero at the start of a step
    int threads = 1;
    size_t hot_bytes_max = 0;  // > 0: linears reuse their first tiles (time_node)

    uint32_t tokens() const { return static_cast<uint32_t>(input->tokens.size()); }
    uint32_t outputs() const { return static_cast<uint32_t>(input->output_rows.size()); }
    // Rows of a value in this step.
    size_t rows(const Value& value) const;
    // The memory of an f32 or q8 value as `thread` sees it.
    std::byte* memory(ValueId value, int thread) const;
    const float* f32(ValueId value, int thread) const;  // also vectors and constants
};

// Bytes of scratch one thread needs for any node of the plan.
size_t node_scratch_bytes(const Plan& plan);

void run_node(const StepContext& step, uint32_t node, int thread) noexcept;

}  // namespace hone::graph
