// Runs a Plan on a thread team: the flat loop that every token goes through.
//
// Executor = Plan + packed weights + workspace + team. It owns no KV and knows no sequences: a step
// is a ragged batch of slices, each with page tables per layer group (kernels/kv_view.h). No
// allocation, no lock and no log in run(). Thread rule: one run() at a time; the team is borrowed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cost/node_desc.h"
#include "graph/graph.h"
#include "graph/packed_store.h"
#include "graph/plan.h"
#include "graph/weight_source.h"
#include "kernels/kv_view.h"
#include "machine/thread_team.h"
#include "measure/step_timer.h"

namespace hone::graph {

// A run of new tokens of one sequence. `pages[g]` is the page table of layer group g; all pages for
// positions < first_position + n_tokens (inside the window) are present.
struct StepSlice {
    uint32_t first_token = 0;  // index into StepInput::tokens
    uint32_t n_tokens = 0;
    uint32_t first_position = 0;  // position of the first token in its sequence
    std::span<std::byte* const* const> pages;
};

struct StepInput {
    std::span<const int32_t> tokens;        // <= Executor::tokens_max(), each < Plan::tokens_end
    std::span<const StepSlice> slices;      // cover tokens in order
    std::span<const uint32_t> output_rows;  // indices into tokens whose logits are wanted
    // Of one output row only, and without effect unless the plan screens its head: logits that are
    // further below the largest may come out as -inf. Absent: all are wanted.
    std::optional<float> logits_margin = std::nullopt;
};

// Bytes by purpose, for the memory partition of reports.
struct ExecutorMemory {
    uint64_t weights_bytes = 0;  // packed and constant
    uint64_t workspace_bytes = 0;
    bool weights_mapped = false;  // they lie in a file of the store, whose pages others may share
};

// Extra work after every node, for experiments that make an operator slower. Called on every thread
// between the node's work and its barrier, so a timer counts it as the node's; must not throw.
struct NodeHook {
    void (*after)(void* context, uint32_t node, int thread) = nullptr;
    void* context = nullptr;
};

// What a linear multiplies in a step: [n_rows][width], rows `stride` floats apart.
struct LinearInput {
    const float* rows = nullptr;
    size_t n_rows = 0;
    size_t width = 0;
    size_t stride = 0;
};

class Executor {
  public:
    // Selects nothing and plans nothing: packs what the plan names (or takes it from the store) and
    // allocates the workspace.
    static base::Result<std::unique_ptr<Executor>> create(Plan plan, const WeightSource& weights,
                                                          machine::ThreadTeam& team,
                                                          const WeightMemory& memory = {});
    ~Executor();

    // Returns logits [output_rows.size()][vocab], valid until the next run. A wrong StepInput is a
    // bug of the caller (HONE_CHECK). With a timer every node is stamped (measure/step_timer.h).
    std::span<const float> run(const StepInput& input, measure::StepTimer* timer = nullptr,
                               NodeHook hook = {});

    const Plan& plan() const;
    uint32_t tokens_max() const;
    uint32_t outputs_max() const;
    uint32_t vocab() const;
    ExecutorMemory memory() const;
    machine::ThreadTeam& team();
    // The packed weights that a node reads, in its order; none for a node without a linear's.
    std::vector<std::span<const std::byte>> packed_weights(uint32_t node) const;

    // For a NodeHook, of the node it is told and as its thread sees it: the input of a linear, for
    // statistics of activations. Nothing for other nodes and for quantized activations.
    std::optional<LinearInput> linear_input(uint32_t node, int thread) const;

    // Runs one node alone on the buffers of the last step, `repeats` times, with its barrier; the
    // experiments of the probe room (hot copy, dispatch) are made of it. Returns total ns by
    // `clock`. With `hot_bytes_max` > 0 a linear node loops over its first tiles of at most that
    // many bytes instead of all of them, the same number of tile visits: the same arithmetic from a
    // cache.
    double time_node(uint32_t node, const StepInput& input, int repeats, size_t hot_bytes_max,
                     const base::Clock& clock);

  private:
    struct State;
    explicit Executor(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace hone::graph
