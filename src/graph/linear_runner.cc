#include <algorithm>
#include <cstring>

#include "graph/node_parts.h"

namespace hone::graph {
namespace {

using kernels::QuantizedRows;

// Gate and up of one group: 4 tiles = 64 values per token; 64 tokens of them are 16 KiB, half of
// L1.
constexpr size_t kGroupTiles = 4;
constexpr size_t kGroupWidth = kGroupTiles * kernels::kTileRows;
constexpr size_t kGroupScratchFloats = 64 * kGroupWidth;

// The activations of a linear as kernels take them.
void bind_input(const StepContext& step, ValueId x, int thread, QuantizedRows& storage,
                kernels::LinearArgs& args) {
    const Value& value = step.plan->graph.values[x];
    args.columns = value.width();
    args.n_cols = step.rows(value);
    if (value.type == ElementType::q8) {
        storage = quantized(step, x, thread);
        args.quantized = &storage;
    } else {
        args.rows = step.f32(x, thread);
        args.rows_stride = padded_width(value.width());
    }
}

// Tiles [begin, end) of one matrix; in hot mode always the same first few, as many visits.
void run_tiles(const StepContext& step, const kernels::PackedMatrix& matrix,
               const kernels::LinearVariant& variant, kernels::LinearArgs args, Range tiles) {
    args.tile_bytes = matrix.tile_bytes;
    size_t batch = tiles.end - tiles.begin;
    if (step.hot_bytes_max > 0) {
        batch = std::clamp<size_t>(step.hot_bytes_max / matrix.tile_bytes, 1, batch);
    }
    float* const out = args.out;
    for (size_t t = tiles.begin; t < tiles.end; t += batch) {
        args.n_tiles = std::min(batch, tiles.end - t);
        args.tiles = matrix.tile(step.hot_bytes_max > 0 ? tiles.begin : t);
        args.out = out + (t - tiles.begin) * kernels::kTileRows;
        variant.fn(args);
    }
}

// activation(gate) * up of scratch rows [n_cols][groups * 64], written as f32 or int8 blocks.
void store_gated(const StepContext& step, const Node& node, int thread, const float* scratch,
                 size_t stride, size_t first_col, size_t n_cols, Range groups) {
    const Value& out_value = step.plan->graph.values[node.outputs[0]];
    const kernels::RowsVariant& k = *step.plan->rows;
    const bool to_q8 = out_value.type == ElementType::q8;
    const auto activation = std::get<ActivationAttributes>(node.attributes).activation;
    const QuantizedRows q8 = to_q8 ? quantized(step, node.outputs[0], thread) : QuantizedRows{};
    auto* f32 = reinterpret_cast<float*>(step.memory(node.outputs[0], thread));
    for (size_t c = 0; c < n_cols; ++c) {
        for (size_t g = groups.begin; g < groups.end; ++g) {
            const float* gate = scratch + c * stride + (g - groups.begin) * kGroupWidth;
            const float* up = gate + kGroupWidth / 2;
            const size_t column = g * kGroupWidth / 2;
            if (to_q8) {
                k.gated_quantize(activation, gate, up, kGroupWidth / 2, q8, first_col + c, column);
            } else {
                k.gated(activation, gate, up, kGroupWidth / 2,
                        f32 + (first_col + c) * padded_width(out_value.width()) + column);
            }
        }
    }
}

}  // namespace

size_t gated_scratch_floats() {
    return kGroupScratchFloats;
}

void run_linear(const StepContext& step, uint32_t index, int thread) {
    const PlanNode& planned = step.plan->nodes[index];
    const Node& node = planned.node;
    const auto& segments = step.weights->segments(index);
    QuantizedRows storage;
    kernels::LinearArgs args;
    bind_input(step, node.inputs[0], thread, storage, args);
    auto* out = reinterpret_cast<float*>(step.memory(node.outputs[0], thread));
    args.out_stride = padded_width(step.plan->graph.values[node.outputs[0]].width());
    // What the sums start from: a residual, or a bias that is the same for every row.
    const float* start = node.inputs.size() == 3 ? step.f32(node.inputs[2], thread) : nullptr;
    const bool bias =
        start != nullptr && step.plan->graph.values[node.inputs[2]].origin == ValueOrigin::weight;
    const size_t start_stride = bias ? 0 : args.out_stride;
    args.accumulate = start != nullptr;

    size_t total = 0;
    for (const auto& matrix : segments) total += matrix.tiles();
    const Range mine = split(total, 1, thread, step.threads);
    size_t first = 0;
    for (size_t s = 0; s < segments.size(); ++s) {
        const size_t begin = std::max(mine.begin, first);
        const size_t end = std::min(mine.end, first + segments[s].tiles());
        if (begin < end) {
            const size_t column = begin * kernels::kTileRows;
            const size_t width = (end - begin) * kernels::kTileRows;
            if (start != nullptr && start != out) {
                for (size_t c = 0; c < args.n_cols; ++c) {
                    std::memcpy(out + c * args.out_stride + column,
                                start + c * start_stride + column, width * sizeof(float));
                }
            }
            args.out = out + column;
            run_tiles(step, segments[s], *planned.segments[s].variant, args,
                      {begin - first, end - first});
        }
        first += segments[s].tiles();
    }
}

void run_linear_tiles(const StepContext& step, uint32_t index, int thread, Range tiles,
                      float* out) {
    const PlanNode& planned = step.plan->nodes[index];
    QuantizedRows storage;
    kernels::LinearArgs args;
    bind_input(step, planned.node.inputs[0], thread, storage, args);
    args.out = out;
    args.out_stride = padded_width(step.plan->graph.values[planned.node.outputs[0]].width());
    run_tiles(step, step.weights->segments(index)[0], *planned.segments[0].variant, args, tiles);
}

void run_expert_linear(const StepContext& step, uint32_t index, int thread) {
    const PlanNode& planned = step.plan->nodes[index];
    const Node& node = planned.node;
    const Graph& graph = step.plan->graph;
    const kernels::PackedMatrix& matrix = step.weights->segments(index)[0];
    const Routes routes = routes_of(step, node.inputs[2], thread);
    QuantizedRows storage;
    kernels::LinearArgs args;
    bind_input(step, node.inputs[0], thread, storage, args);
    const float* rows = args.rows;
    auto* out = reinterpret_cast<float*>(step.memory(node.outputs[0], thread));
    args.out_stride = padded_width(graph.values[node.outputs[0]].width());
    const size_t tiles = matrix.tiles() / routes.n_experts;
    const Range mine = split(tiles, 1, thread, step.threads);
    if (mine.begin >= mine.end) return;
    for (size_t expert = 0; expert < routes.n_experts; ++expert) {
        const size_t first = routes.first_slot[expert];
        args.n_cols = routes.first_slot[expert + 1] - first;
        if (args.n_cols == 0) continue;
        args.first_row = first;
        if (rows != nullptr) args.rows = rows + first * args.rows_stride;
        args.out = out + first * args.out_stride + mine.begin * kernels::kTileRows;
        run_tiles(step, matrix, *planned.segments[0].variant, args,
                  {expert * tiles + mine.begin, expert * tiles + mine.end});
    }
}

void run_linear_gated(const StepContext& step, uint32_t index, int thread) {
    const PlanNode& planned = step.plan->nodes[index];
    const kernels::PackedMatrix& matrix = step.weights->segments(index)[0];
    QuantizedRows storage;
    kernels::LinearArgs args;
    bind_input(step, planned.node.inputs[0], thread, storage, args);
    const size_t n_cols = args.n_cols;
    const float* rows = args.rows;
    auto* scratch =
        reinterpret_cast<float*>(step.scratch + static_cast<size_t>(thread) * step.scratch_stride);
    const Range mine = split(matrix.tiles() / kGroupTiles, 1, thread, step.threads);
    const size_t cols_max = std::min<size_t>(n_cols, kGroupScratchFloats / kGroupWidth);
    const size_t groups_max = kGroupScratchFloats / (cols_max * kGroupWidth);
    for (size_t g = mine.begin; g < mine.end; g += groups_max) {
        const size_t g_end = std::min(g + groups_max, mine.end);
        args.out = scratch;
        args.out_stride = (g_end - g) * kGroupWidth;
        for (size_t c = 0; c < n_cols; c += cols_max) {
            args.n_cols = std::min(cols_max, n_cols - c);
            args.first_row = c;
            if (rows != nullptr) args.rows = rows + c * args.rows_stride;
            run_tiles(step, matrix, *planned.segments[0].variant, args,
                      {g * kGroupTiles, g_end * kGroupTiles});
            store_gated(step, planned.node, thread, scratch, args.out_stride, c, args.n_cols,
                        {g, g_end});
        }
    }
}

}  // namespace hone::graph
