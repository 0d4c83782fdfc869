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

#include "base/result.h"
#include "graph/executor.h"
#include "graph/packed_weights.h"
#include "graph/plan.h"
#include "tensor/buffer.h"

namespace hone::graph {

// Where threads leave the chunks of a sequence whose attention they share (decode: one token and
// few KV heads would occupy few threads). A unit is one (slice, KV head); whoever finishes its last
// chunk merges all of them, in order. Sized for the largest plan node when the executor is made.
class SplitAttention {
  public:
    static base::Result<SplitAttention> create(const Plan& plan, int threads);

    uint32_t units_max() const { return static_cast<uint32_t>(chunks_done_.size()); }
    uint32_t chunks_max() const { return chunks_max_; }
    float* partial(uint32_t unit) const {
        return reinterpret_cast<float*>(memory_.data()) + unit * unit_floats_;
    }
    // Counts a finished chunk of `chunks`; true for the last one, which starts the count anew.
    bool finish_chunk(uint32_t unit, uint32_t chunks);

  private:
    uint32_t chunks_max_ = 0;
    size_t unit_floats_ = 0;
    mutable tensor::Buffer memory_;  // [units_max][chunks_max][queries][state]
    std::vector<std::atomic<uint32_t>> chunks_done_;
};

struct StepContext {
    const Plan* plan = nullptr;
    const PackedWeights* weights = nullptr;
    const Binding* binding = nullptr;
    const StepInput* input = nullptr;
    std::byte* workspace = nullptr;
    std::byte* scratch = nullptr;  // [threads][scratch_stride]
    size_t scratch_stride = 0;
    std::atomic<uint32_t>* tasks = nullptr;  // [nodes], zero at the start of a step
    SplitAttention* split_attention = nullptr;
    int threads = 1;
    bool screened = false;  // only logits within the input's margin are computed (graph/screen.h)
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
