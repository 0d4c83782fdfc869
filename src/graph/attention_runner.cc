#include <algorithm>

#include "base/check.h"
#include "base/checked.h"
#include "graph/node_parts.h"

namespace hone::graph {
namespace {

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

}  // namespace

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
        size_t next = 2;
        if (a.rope_style != kernels::RopeStyle::none) {
            args.cos_sin = step.f32(node.inputs[next++], thread);
        }
        if (node.inputs.size() > next) {
            args.q_norm = step.f32(node.inputs[next], thread);
            args.k_norm = step.f32(node.inputs[next + 1], thread);
            args.norm_epsilon = a.norm_epsilon;
        }
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
        args.soft_cap = a.soft_cap;
        args.causal = a.causal;
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

}  // namespace hone::graph
