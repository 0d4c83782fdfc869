#include "graph/node_runner.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/checked.h"
#include "graph/constant_ops.h"

namespace hone::graph {
namespace {

using kernels::QuantizedRows;

// Gate and up of one group: 4 tiles = 64 values per token; 64 tokens of them are 16 KiB, half of
// L1.
constexpr size_t kGroupTiles = 4;
constexpr size_t kGroupWidth = kGroupTiles * kernels::kTileRows;
constexpr size_t kGroupScratchFloats = 64 * kGroupWidth;

struct Range {
    size_t begin;
    size_t end;
};

Range split(size_t count, size_t grain, int thread, int threads) {
    const auto range = machine::split_range(static_cast<int64_t>(count),
                                            static_cast<int64_t>(grain), thread, threads);
    return {static_cast<size_t>(range.begin), static_cast<size_t>(range.end)};
}

QuantizedRows quantized(const StepContext& step, ValueId value, int thread) {
    const Value& v = step.plan->graph.values[value];
    return kernels::quantized_rows_at(step.memory(value, thread), step.rows(v), v.width());
}

// The rows of a per-row operator that this thread does.
Range row_range(const StepContext& step, uint32_t node, size_t rows, int thread) {
    if (step.binding->nodes[node].per_thread) return {0, rows};
    return split(rows, 1, thread, step.threads);
}

void run_embedding(const StepContext& step, const Node& node, int thread) {
    const uint64_t width = step.plan->graph.values[node.outputs[0]].width();
    auto* out = reinterpret_cast<float*>(step.memory(node.outputs[0], thread));
    const Range range = split(step.tokens(), 1, thread, step.threads);
    for (size_t t = range.begin; t < range.end; ++t) {
        step.weights->embedding_row(node.inputs[0], static_cast<size_t>(step.input->tokens[t]),
                                    out + t * padded_width(width));
    }
}

void run_rows(const StepContext& step, uint32_t index, int thread) {
    const Node& node = step.plan->nodes[index].node;
    const kernels::RowsVariant& k = *step.plan->rows;
    const Value& x_value = step.plan->graph.values[node.inputs[0]];
    const size_t width = x_value.width();
    const size_t stride = padded_width(width);
    const float* x = step.f32(node.inputs[0], thread);
    const Range range = row_range(step, index, step.rows(x_value), thread);
    if (node.kind == OpKind::quantize || node.kind == OpKind::rms_norm_quantize) {
        const QuantizedRows out = quantized(step, node.outputs[0], thread);
        for (size_t r = range.begin; r < range.end; ++r) {
            if (node.kind == OpKind::quantize) {
                k.quantize(x + r * stride, out, r);
            } else {
                k.rms_norm_quantize(x + r * stride, step.f32(node.inputs[1], thread),
                                    std::get<NormAttributes>(node.attributes).epsilon, out, r);
            }
        }
        return;
    }
    auto* out = reinterpret_cast<float*>(step.memory(node.outputs[0], thread));
    const float* second = step.f32(node.inputs[1], thread);
    for (size_t r = range.begin; r < range.end; ++r) {
        const size_t at = r * stride;
        if (node.kind == OpKind::rms_norm) {
            k.rms_norm(x + at, second, std::get<NormAttributes>(node.attributes).epsilon, width,
                       out + at);
        } else if (node.kind == OpKind::swiglu) {
            k.swiglu(x + at, second + at, width, out + at);
        } else {
            std::memcpy(out + at, x + at, width * sizeof(float));
            k.add(second + at, width, out + at);
        }
    }
}

void run_concat(const StepContext& step, const Node& node, int thread) {
    const Value& out_value = step.plan->graph.values[node.outputs[0]];
    auto* out = reinterpret_cast<float*>(step.memory(node.outputs[0], thread));
    const size_t out_stride = padded_width(out_value.width());
    const Range range = split(step.rows(out_value), 1, thread, step.threads);
    size_t column = 0;
    for (const ValueId input : node.inputs) {
        const size_t width = step.plan->graph.values[input].width();
        const float* x = step.f32(input, thread);
        for (size_t r = range.begin; r < range.end; ++r) {
            std::memcpy(out + r * out_stride + column, x + r * padded_width(width),
                        width * sizeof(float));
        }
        column += width;
    }
}

void run_select_rows(const StepContext& step, const Node& node, int thread) {
    const size_t stride = padded_width(step.plan->graph.values[node.outputs[0]].width());
    auto* out = reinterpret_cast<float*>(step.memory(node.outputs[0], thread));
    const float* x = step.f32(node.inputs[0], thread);
    const Range range = split(step.outputs(), 1, thread, step.threads);
    for (size_t r = range.begin; r < range.end; ++r) {
        std::memcpy(out + r * stride, x + step.input->output_rows[r] * stride,
                    stride * sizeof(float));
    }
}

// Unfolded constants: one thread computes them; the barrier after the node publishes the result.
void run_constant(const StepContext& step, const Node& node, int thread) {
    if (thread != 0) return;
    const Value& x_value = step.plan->graph.values[node.inputs[0]];
    const Value& out_value = step.plan->graph.values[node.outputs[0]];
    const size_t width = x_value.width();
    const float* x = step.f32(node.inputs[0], thread);
    auto* out = reinterpret_cast<float*>(step.memory(node.outputs[0], thread));
    if (node.kind == OpKind::scale) {
        scale_values({x, width}, std::get<ScaleAttributes>(node.attributes).factor, {out, width});
        return;
    }
    const uint32_t positions = std::get<RopeTableAttributes>(node.attributes).positions;
    HONE_CHECK_EQ(padded_width(out_value.width()), out_value.width());
    rope_table_values({x, width}, positions, {out, size_t{positions} * width * 2});
}

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

void run_linear(const StepContext& step, uint32_t index, int thread) {
    const PlanNode& planned = step.plan->nodes[index];
    const Node& node = planned.node;
    const auto& segments = step.weights->segments(index);
    QuantizedRows storage;
    kernels::LinearArgs args;
    bind_input(step, node.inputs[0], thread, storage, args);
    auto* out = reinterpret_cast<float*>(step.memory(node.outputs[0], thread));
    args.out_stride = padded_width(step.plan->graph.values[node.outputs[0]].width());
    const float* residual = node.inputs.size() == 3 ? step.f32(node.inputs[2], thread) : nullptr;
    args.accumulate = residual != nullptr;

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
            if (residual != nullptr && residual != out) {
                for (size_t c = 0; c < args.n_cols; ++c) {
                    std::memcpy(out + c * args.out_stride + column,
                                residual + c * args.out_stride + column, width * sizeof(float));
                }
            }
            args.out = out + column;
            run_tiles(step, segments[s], *planned.segments[s].variant, args,
                      {begin - first, end - first});
        }
        first += segments[s].tiles();
    }
}

// silu(gate) * up of scratch rows [n_cols][groups * 64], written as f32 or int8 blocks.
void store_swiglu(const StepContext& step, const Node& node, int thread, const float* scratch,
                  size_t stride, size_t first_col, size_t n_cols, Range groups) {
    const Value& out_value = step.plan->graph.values[node.outputs[0]];
    const kernels::RowsVariant& k = *step.plan->rows;
    const bool to_q8 = out_value.type == ElementType::q8;
    const QuantizedRows q8 = to_q8 ? quantized(step, node.outputs[0], thread) : QuantizedRows{};
    auto* f32 = reinterpret_cast<float*>(step.memory(node.outputs[0], thread));
    for (size_t c = 0; c < n_cols; ++c) {
        for (size_t g = groups.begin; g < groups.end; ++g) {
            const float* gate = scratch + c * stride + (g - groups.begin) * kGroupWidth;
            const float* up = gate + kGroupWidth / 2;
            const size_t column = g * kGroupWidth / 2;
            if (to_q8) {
                k.swiglu_quantize(gate, up, kGroupWidth / 2, q8, first_col + c, column);
            } else {
                k.swiglu(gate, up, kGroupWidth / 2,
                         f32 + (first_col + c) * padded_width(out_value.width()) + column);
            }
        }
    }
}

void run_linear_swiglu(const StepContext& step, uint32_t index, int thread) {
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
            store_swiglu(step, planned.node, thread, scratch, args.out_stride, c, args.n_cols,
                         {g, g_end});
        }
    }
}

kernels::KvView kv_view(const StepSlice& slice, const AttentionAttributes& a) {
    kernels::KvView view;
    view.layout.n_kv_heads = a.n_kv_heads;
    view.layout.head_dim = a.head_dim;
    view.layout.layers = a.group_layers;
    view.layout.window = a.window;
    view.layout.dtype = a.kv_dtype;
    view.pages = slice.pages[a.group];
    view.layer_in_group = a.layer_in_group;
    return view;
}

// Work on attention: tokens of a slice with one KV head, or, with `chunks` > 0, one chunk of the
// `chunks` that its one token sees.
struct AttentionTask {
    const StepSlice& slice;
    uint32_t token_begin;
    uint32_t token_end;
    uint32_t head;
    uint32_t unit;    // of a split task: counts (slice, head)
    uint32_t chunk;   // of a split task: from the first it sees
    uint32_t chunks;  // 0: not split
};

// The chunks of keys that the single token of a slice sees.
struct ChunkRange {
    uint32_t first;
    uint32_t count;
};
ChunkRange visible_chunks(const StepSlice& slice, const AttentionAttributes& a) {
    const uint32_t position = slice.first_position;
    const uint32_t begin = a.window != 0 && position + 1 > a.window ? position + 1 - a.window : 0;
    const uint32_t first = begin / kernels::kAttendChunk;
    return {first, position / kernels::kAttendChunk - first + 1};
}

uint32_t token_tiles(const StepSlice& slice) {
    return (slice.n_tokens + kernels::kAttendTokensMax - 1) / kernels::kAttendTokensMax;
}

// Splitting pays where threads would have nothing to do; the result is the same either way.
bool splits_attention(const StepContext& step, const AttentionAttributes& a) {
    uint32_t tasks = 0;
    uint32_t chunks = 0;
    for (const StepSlice& slice : step.input->slices) {
        tasks += token_tiles(slice) * a.n_kv_heads;
        if (slice.n_tokens != 1) return false;
        chunks = std::max(chunks, visible_chunks(slice, a).count);
    }
    const SplitAttention& split = *step.split_attention;
    return step.threads > 1 && chunks > 1 && chunks <= split.chunks_max() &&
           tasks <= split.units_max();
}

// Attention work is cut into tasks and handed out by a counter, because a late tile of a long
// prompt costs many times an early one. Each task's result depends on itself alone.
template <class Task>
void for_each_attention_task(const StepContext& step, uint32_t index, const AttentionAttributes& a,
                             bool split, Task&& task) {
    constexpr uint32_t kTile = kernels::kAttendTokensMax;
    uint32_t next = step.tasks[index].fetch_add(1, std::memory_order_relaxed);
    uint32_t first = 0;
    uint32_t units = 0;
    for (const StepSlice& slice : step.input->slices) {
        const uint32_t chunks = split ? visible_chunks(slice, a).count : 0;
        const uint32_t parts = split ? chunks : token_tiles(slice);
        while (next < first + parts * a.n_kv_heads) {
            // Late tiles first: the long ones should not be what the others wait for.
            const uint32_t part = parts - 1 - (next - first) / a.n_kv_heads;
            const uint32_t head = (next - first) % a.n_kv_heads;
            const uint32_t begin = split ? 0 : part * kTile;
            task(AttentionTask{slice, begin, std::min(begin + kTile, slice.n_tokens), head,
                               units + head, part, chunks});
            next = step.tasks[index].fetch_add(1, std::memory_order_relaxed);
        }
        first += parts * a.n_kv_heads;
        units += a.n_kv_heads;
    }
}

void run_rope_store(const StepContext& step, uint32_t index, int thread) {
    const Node& node = step.plan->nodes[index].node;
    const auto& a = std::get<AttentionAttributes>(node.attributes);
    const size_t stride = padded_width(step.plan->graph.values[node.outputs[0]].width());
    auto* qkv = reinterpret_cast<float*>(step.memory(node.outputs[0], thread));
    const float* source = step.f32(node.inputs[0], thread);
    HONE_CHECK(source == qkv);  // the planner rotates in place: qkv has no other reader
    for_each_attention_task(step, index, a, false, [&](const AttentionTask& task) {
        kernels::RopeStoreArgs args;
        args.qkv = qkv + (task.slice.first_token + task.token_begin) * stride;
        args.qkv_stride = stride;
        args.n_heads = a.n_heads;
        args.n_tokens = task.token_end - task.token_begin;
        args.first_position = task.slice.first_position + task.token_begin;
        args.style = a.rope_style;
        args.rope_dims = a.rope_dims;
        args.cos_sin = step.f32(node.inputs[1], thread);
        args.kv = kv_view(task.slice, a);
        args.kv_head_begin = task.head;
        args.kv_head_end = task.head + 1;
        step.plan->attention->rope_and_store(args);
    });
}

void run_attend(const StepContext& step, uint32_t index, int thread) {
    const Node& node = step.plan->nodes[index].node;
    const auto& a = std::get<AttentionAttributes>(node.attributes);
    const Graph& graph = step.plan->graph;
    const size_t q_stride = padded_width(graph.values[node.inputs[0]].width());
    const size_t out_stride = padded_width(graph.values[node.outputs[0]].width());
    const float* q = step.f32(node.inputs[0], thread);
    auto* out = reinterpret_cast<float*>(step.memory(node.outputs[0], thread));
    const kernels::AttentionVariant& kernel = *step.plan->attention;
    const bool split = splits_attention(step, a);
    for_each_attention_task(step, index, a, split, [&](const AttentionTask& task) {
        kernels::AttendArgs args;
        args.q = q + task.slice.first_token * q_stride;
        args.q_stride = q_stride;
        args.n_heads = a.n_heads;
        args.n_tokens = task.slice.n_tokens;
        args.first_position = task.slice.first_position;
        args.scale = a.scale;
        args.kv = kv_view(task.slice, a);
        args.token_begin = task.token_begin;
        args.token_end = task.token_end;
        args.kv_head = task.head;
        args.out = out + task.slice.first_token * out_stride;
        args.out_stride = out_stride;
        args.scratch = step.scratch + static_cast<size_t>(thread) * step.scratch_stride;
        if (!split) return kernel.attend(args);
        float* partials = step.split_attention->partial(task.unit);
        args.partial = partials + task.chunk * (a.n_heads / a.n_kv_heads) *
                                      kernels::attend_state_floats(a.head_dim);
        args.chunk = visible_chunks(task.slice, a).first + task.chunk;
        kernel.attend(args);
        if (!step.split_attention->finish_chunk(task.unit, task.chunks)) return;
        args.partial = partials;
        kernel.merge(args);
    });
}

}  // namespace

base::Result<SplitAttention> SplitAttention::create(const Plan& plan, int threads) {
    SplitAttention split;
    split.chunks_max_ =
        static_cast<uint32_t>(base::ceil_div(plan.options.positions_max, kernels::kAttendChunk));
    if (threads < 2 || split.chunks_max_ < 2) return split;
    size_t chunk_floats = 0;
    for (const PlanNode& node : plan.nodes) {
        if (const auto* a = std::get_if<AttentionAttributes>(&node.node.attributes)) {
            chunk_floats = std::max(chunk_floats, a->n_heads / a->n_kv_heads *
                                                      kernels::attend_state_floats(a->head_dim));
        }
    }
    // More (slice, head) pairs than twice the threads keep them busy without splitting.
    const auto units = static_cast<size_t>(2 * threads);
    split.unit_floats_ = split.chunks_max_ * chunk_floats;
    HONE_TRY(split.memory_, tensor::Buffer::allocate(
                                std::max<size_t>(64, units * split.unit_floats_ * sizeof(float))));
    split.chunks_done_ = std::vector<std::atomic<uint32_t>>(units);
    return split;
}

bool SplitAttention::finish_chunk(uint32_t unit, uint32_t chunks) {
    std::atomic<uint32_t>& done = chunks_done_[unit];
    // Acquires what the others released with their counts: their partial states.
    if (done.fetch_add(1, std::memory_order_acq_rel) + 1 < chunks) return false;
    // The next node's chunks are counted after a barrier.
    done.store(0, std::memory_order_relaxed);
    return true;
}

size_t StepContext::rows(const Value& value) const {
    const Dim& dim = value.dims.front();
    if (dim.symbol == Symbol::tokens) return dim.factor * tokens();
    if (dim.symbol == Symbol::outputs) return dim.factor * outputs();
    return dim.factor;
}

std::byte* StepContext::memory(ValueId value, int thread) const {
    const size_t offset = binding->offset[value];
    HONE_DCHECK(offset != kNoOffset);
    return workspace + offset + binding->thread_stride[value] * static_cast<size_t>(thread);
}

const float* StepContext::f32(ValueId value, int thread) const {
    if (plan->graph.values[value].origin != ValueOrigin::node) return weights->vector(value);
    return reinterpret_cast<const float*>(memory(value, thread));
}

size_t node_scratch_bytes(const Plan& plan) {
    size_t bytes = kGroupScratchFloats * sizeof(float);
    for (const PlanNode& node : plan.nodes) {
        if (const auto* a = std::get_if<AttentionAttributes>(&node.node.attributes)) {
            bytes = std::max(
                bytes, kernels::attend_scratch_bytes(a->n_heads / a->n_kv_heads, a->head_dim));
        }
    }
    return (bytes + 63) / 64 * 64;
}

void run_node(const StepContext& step, uint32_t index, int thread) noexcept {
    const Node& node = step.plan->nodes[index].node;
    // In a step that wants no logits (all but the last slice of a long prompt) nodes that work on
    // output rows have none.
    const Dim& dim = step.plan->graph.values[node.outputs[0]].dims.front();
    if (dim.symbol == Symbol::outputs && step.outputs() == 0) return;
    switch (node.kind) {
        case OpKind::embedding:
            return run_embedding(step, node, thread);
        case OpKind::rms_norm:
        case OpKind::quantize:
        case OpKind::rms_norm_quantize:
        case OpKind::swiglu:
        case OpKind::add:
            return run_rows(step, index, thread);
        case OpKind::linear:
            return run_linear(step, index, thread);
        case OpKind::linear_swiglu:
            return run_linear_swiglu(step, index, thread);
        case OpKind::concat:
            return run_concat(step, node, thread);
        case OpKind::rope_store:
            return run_rope_store(step, index, thread);
        case OpKind::attend:
            return run_attend(step, index, thread);
        case OpKind::select_rows:
            return run_select_rows(step, node, thread);
        case OpKind::rope_table:
        case OpKind::scale:
            return run_constant(step, node, thread);
    }
}

}  // namespace hone::graph
