// What experiments on single operators share: which nodes, a step of the wanted kind to run them
// on, and a load-only walk over their packed weights.
//
// Not an executor: nodes are timed by Executor::time_node, this only knows which and with what.
// Thread rule: one thread; the readers use the executor's team.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "graph/executor.h"
#include "kernels/ceiling/ceiling.h"
#include "probe/experiment_bench.h"
#include "probe/stepper.h"

namespace hone::probe {

// In plan order. `with_weights`: only those that read a matrix.
std::vector<uint32_t> nodes_of_kind(const graph::Plan& plan, const std::string& kind,
                                    bool with_weights);

// Clears the stepper and leaves its last step as one of that slice: "prefill" of the bench's depth
// (at most one step's tokens), or "decode" of one token after it. The stepper needs depth + 1
// positions. invalid_argument for another slice.
base::Status prepare_slice(const ExperimentBench& bench, Stepper& stepper,
                           const std::string& slice);

// Reads the packed weights of nodes with loads and a sum, split over the team as evenly as the
// linears split their tiles.
class WeightReader {
  public:
    // unsupported when the level has no such loop. The executor is borrowed.
    static base::Result<WeightReader> create(graph::Executor& executor,
                                             const std::vector<uint32_t>& nodes);
    // The same of all nodes of the executor's plan.
    static base::Result<WeightReader> of_plan(graph::Executor& executor);

    size_t nodes() const { return spans_.size(); }
    // Of all nodes together, each once.
    uint64_t bytes() const { return bytes_; }
    // Wall ns of reading one node's weights, with the barrier that follows a node.
    double read_node_ns(size_t index, const base::Clock& clock);
    // One reading of all of them, repeated until it is long against a barrier and the clock; 0: the
    // clock did not move.
    double read_gb_per_s(const base::Clock& clock);

  private:
    WeightReader(graph::Executor& executor, const kernels::CeilingVariant& variant)
        : executor_(&executor), variant_(&variant) {}
    uint64_t read_part(size_t index, int thread) const;
    double read_all_ns(const base::Clock& clock);

    graph::Executor* executor_;
    const kernels::CeilingVariant* variant_;
    std::vector<std::vector<std::span<const std::byte>>> spans_;  // per node
    std::vector<uint64_t> sums_;  // per thread, a line apart: the loops must not vanish
    uint64_t bytes_ = 0;
    int passes_ = 0;  // of a reading; 0: not yet known
};

}  // namespace hone::probe
