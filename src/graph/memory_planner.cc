#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "base/checked.h"
#include "cost/speed_of_light.h"
#include "graph/plan.h"
#include "graph/routes.h"
#include "kernels/quantized_rows.h"
#include "tensor/buffer.h"

namespace hone::graph {
namespace {

// The rows of the result are split over the threads, and row r needs row r of the inputs alone.
bool takes_same_rows(OpKind kind) {
    return cost::done_by_every_thread(kind, 1) || kind == OpKind::add || kind == OpKind::gated ||
           kind == OpKind::activate || kind == OpKind::concat;
}

// Split over the threads by rows of the result; from wherever the inputs come.
bool makes_rows(OpKind kind) {
    return takes_same_rows(kind) || kind == OpKind::embedding || kind == OpKind::select_rows ||
           kind == OpKind::gather || kind == OpKind::combine;
}

struct Lifetime {
    int first = -1;  // phase; -1: the value has no workspace
    int last = -1;
};

// What a thread finds of a value that was made since the last barrier.
enum class Reach : uint8_t {
    everything,  // made before, or by every thread for itself
    own_rows,
    nothing,
};

Reach reach_of(const NodeBinding& binding, OpKind kind) {
    if (binding.per_thread) return Reach::everything;
    return makes_rows(kind) ? Reach::own_rows : Reach::nothing;
}

bool must_wait(const Graph& graph, const Node& node, bool per_thread,
               const std::vector<Reach>& reach) {
    const bool aligned = takes_same_rows(node.kind) && !per_thread;
    const Dim& rows = graph.values[node.outputs[0]].dims.front();
    return std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
        if (reach[id] == Reach::everything) return false;
        const bool same_rows = aligned && graph.values[id].dims.front() == rows;
        return reach[id] == Reach::nothing || !same_rows;
    });
}

// A barrier goes behind the node before the first one that needs what other threads made since the
// last barrier, and behind the last node.
std::vector<NodeBinding> place_barriers(const Graph& graph, const std::vector<PlanNode>& nodes,
                                        uint32_t tokens_max) {
    std::vector<NodeBinding> out(nodes.size());
    std::vector<Reach> reach(graph.values.size(), Reach::everything);
    for (size_t n = 0; n < nodes.size(); ++n) {
        const Node& node = nodes[n].node;
        out[n].per_thread = cost::done_by_every_thread(node.kind, tokens_max);
        out[n].barrier = n + 1 == nodes.size();
        if (must_wait(graph, node, out[n].per_thread, reach)) {
            out[n - 1].barrier = true;
            std::fill(reach.begin(), reach.end(), Reach::everything);
        }
        for (const ValueId id : node.outputs) reach[id] = reach_of(out[n], node.kind);
    }
    return out;
}

std::vector<Lifetime> lifetimes(const Graph& graph, const std::vector<PlanNode>& nodes,
                                const std::vector<NodeBinding>& bindings) {
    std::vector<Lifetime> lives(graph.values.size());
    int phase = 0;
    for (size_t n = 0; n < nodes.size(); ++n) {
        for (const ValueId id : nodes[n].node.outputs) lives[id] = {phase, phase};
        for (const ValueId id : nodes[n].node.inputs) {
            if (lives[id].first >= 0) lives[id].last = phase;
        }
        if (bindings[n].barrier) ++phase;
    }
    // The logits are read after the last phase.
    lives[graph.output].last = phase + 1;
    return lives;
}

// Another thread may still be at a node of the same phase that reads the value.
bool read_in_same_phase(const std::vector<PlanNode>& nodes,
                        const std::vector<NodeBinding>& bindings, size_t node, ValueId value) {
    for (size_t n = node; n-- > 0 && !bindings[n].barrier;) {
        const auto& inputs = nodes[n].node.inputs;
        if (std::find(inputs.begin(), inputs.end(), value) != inputs.end()) return true;
    }
    return false;
}

// The value whose memory each value takes over: a residual that this node reads for the last time,
// and the q rows that rope_store rotates in place.
std::vector<ValueId> aliases(const Graph& graph, const std::vector<PlanNode>& nodes,
                             const std::vector<NodeBinding>& bindings,
                             std::vector<Lifetime>& lives) {
    std::vector<ValueId> root(graph.values.size());
    std::iota(root.begin(), root.end(), 0);
    std::vector<size_t> last_reader(graph.values.size(), 0);
    for (size_t n = 0; n < nodes.size(); ++n) {
        for (const ValueId id : nodes[n].node.inputs) last_reader[id] = n;
    }
    for (size_t n = 0; n < nodes.size(); ++n) {
        const Node& node = nodes[n].node;
        ValueId source = 0;
        if (node.kind == OpKind::linear && node.inputs.size() == 3) {
            source = node.inputs[2];
        } else if (node.kind == OpKind::rope_store) {
            source = node.inputs[0];
        } else {
            continue;
        }
        const bool in_workspace = lives[source].first >= 0;
        if (!in_workspace || last_reader[source] != n || source == graph.output) continue;
        if (read_in_same_phase(nodes, bindings, n, source)) continue;
        root[node.outputs[0]] = root[source];
        Lifetime& life = lives[root[source]];
        life.last = std::max(life.last, lives[node.outputs[0]].last);
    }
    // Chains of aliases extend the root's life by everything that follows.
    for (size_t v = 0; v < root.size(); ++v) {
        if (root[v] != v) lives[root[v]].last = std::max(lives[root[v]].last, lives[v].last);
    }
    return root;
}

struct Placed {
    size_t begin;
    size_t end;
    Lifetime life;
};

size_t place(std::vector<Placed>& placed, size_t bytes, Lifetime life) {
    std::vector<std::pair<size_t, size_t>> taken;
    for (const Placed& other : placed) {
        if (other.life.last < life.first || life.last < other.life.first) continue;
        taken.emplace_back(other.begin, other.end);
    }
    std::sort(taken.begin(), taken.end());
    size_t best = SIZE_MAX;
    size_t best_gap = SIZE_MAX;
    size_t cursor = 0;
    for (const auto& [begin, end] : taken) {
        if (begin >= cursor && begin - cursor >= bytes && begin - cursor < best_gap) {
            best = cursor;
            best_gap = begin - cursor;
        }
        cursor = std::max(cursor, end);
    }
    if (best == SIZE_MAX) best = cursor;
    placed.push_back({best, best + bytes, life});
    return best;
}

}  // namespace

bool uses_rows_kernels(OpKind kind) {
    return cost::done_by_every_thread(kind, 1) || kind == OpKind::add || kind == OpKind::gated ||
           kind == OpKind::activate || kind == OpKind::soft_cap;
}

size_t value_bytes(const Value& value, uint32_t tokens, uint32_t outputs) {
    if (value.origin != ValueOrigin::node || value.dims.empty()) return 0;
    const Dim& rows_dim = value.dims.front();
    size_t rows = rows_dim.factor;
    if (rows_dim.symbol == Symbol::tokens) rows *= tokens;
    if (rows_dim.symbol == Symbol::outputs) rows *= outputs;
    if (value.type == ElementType::q8) return kernels::quantized_rows_bytes(rows, value.width());
    if (value.type == ElementType::routes) {
        const size_t bytes = routes_bytes(rows, value.width(), value.dims[1].factor);
        return base::round_up(bytes, tensor::kBufferAlignmentBytes);
    }
    if (value.type != ElementType::f32) return 0;
    const size_t width = value.dims.size() < 2 ? 1 : padded_width(value.width());
    return base::round_up(
        (value.dims.size() < 2 ? padded_width(rows) : rows) * width * sizeof(float),
        tensor::kBufferAlignmentBytes);
}

Binding plan_memory(const Graph& graph, const std::vector<PlanNode>& nodes, uint32_t tokens_max,
                    uint32_t outputs_max, int threads) {
    Binding binding;
    binding.tokens_max = tokens_max;
    binding.outputs_max = std::min(outputs_max, tokens_max);
    binding.nodes = place_barriers(graph, nodes, tokens_max);
    binding.offset.assign(graph.values.size(), kNoOffset);
    binding.thread_stride.assign(graph.values.size(), 0);
    for (size_t n = 0; n < nodes.size(); ++n) {
        if (!binding.nodes[n].per_thread) continue;
        const ValueId out = nodes[n].node.outputs[0];
        binding.thread_stride[out] =
            value_bytes(graph.values[out], tokens_max, binding.outputs_max);
    }
    std::vector<Lifetime> lives = lifetimes(graph, nodes, binding.nodes);
    const std::vector<ValueId> root = aliases(graph, nodes, binding.nodes, lives);

    std::vector<std::pair<size_t, ValueId>> by_size;
    for (ValueId v = 0; v < graph.values.size(); ++v) {
        size_t bytes = value_bytes(graph.values[v], tokens_max, binding.outputs_max);
        if (lives[v].first < 0 || root[v] != v || bytes == 0) continue;
        if (binding.thread_stride[v] > 0) bytes *= static_cast<size_t>(threads);
        by_size.emplace_back(bytes, v);
    }
    std::sort(by_size.begin(), by_size.end(), [](const auto& a, const auto& b) {
        return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
    std::vector<Placed> placed;
    for (const auto& [bytes, v] : by_size) {
        binding.offset[v] = place(placed, bytes, lives[v]);
        binding.bytes = std::max(binding.bytes, binding.offset[v] + bytes);
    }
    for (ValueId v = 0; v < graph.values.size(); ++v) {
        if (root[v] != v) binding.offset[v] = binding.offset[root[v]];
    }
    return binding;
}

}  // namespace hone::graph
