#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "graph/constant_ops.h"
#include "graph/node_parts.h"

namespace hone::graph {
namespace {

using kernels::QuantizedRows;

// The rows of a per-row operator that this thread does.
Range row_range(const StepContext& step, uint32_t node, size_t rows, int thread) {
    if (step.binding->nodes[node].per_thread) return {0, rows};
    return split(rows, 1, thread, step.threads);
}

// The position of a step's token in its sequence.
size_t position_of(const StepContext& step, size_t token) {
    const auto& slices = step.input->slices;
    const auto after = std::upper_bound(
        slices.begin(), slices.end(), token,
        [](size_t wanted, const StepSlice& slice) { return wanted < slice.first_token; });
    const StepSlice& slice = *(after - 1);
    return slice.first_position + (token - slice.first_token);
}

void run_embedding(const StepContext& step, const Node& node, int thread) {
    const uint64_t width = step.plan->graph.values[node.outputs[0]].width();
    auto* out = reinterpret_cast<float*>(step.memory(node.outputs[0], thread));
    const auto* scale = std::get_if<ScaleAttributes>(&node.attributes);
    const bool positions =
        step.plan->graph.values[node.inputs[1]].origin == ValueOrigin::input_positions;
    const Range range = split(step.tokens(), 1, thread, step.threads);
    for (size_t t = range.begin; t < range.end; ++t) {
        float* row = out + t * padded_width(width);
        const size_t index =
            positions ? position_of(step, t) : static_cast<size_t>(step.input->tokens[t]);
        step.weights->embedding_row(node.inputs[0], index, row);
        if (scale != nullptr) scale_values({row, width}, scale->factor, {row, width});
    }
}

// Row `row` of a quantizing operator.
void quantize_row(const StepContext& step, const Node& node, const float* x,
                  const QuantizedRows& out, size_t row, int thread) {
    const kernels::RowsVariant& k = *step.plan->rows;
    if (node.kind == OpKind::quantize) return k.quantize(x, out, row);
    const float* weight = step.f32(node.inputs[1], thread);
    const float epsilon = std::get<NormAttributes>(node.attributes).epsilon;
    if (node.kind == OpKind::rms_norm_quantize) {
        return k.rms_norm_quantize(x, weight, epsilon, out, row);
    }
    const float* bias = node.inputs.size() > 2 ? step.f32(node.inputs[2], thread) : nullptr;
    k.layer_norm_quantize(x, weight, bias, epsilon, out, row);
}

// One row of an operator with f32 output; `second` and `third` are the same row of further inputs,
// or a vector.
void f32_row(const StepContext& step, const Node& node, size_t width, const float* x,
             const float* second, const float* third, float* out) {
    const kernels::RowsVariant& k = *step.plan->rows;
    if (const auto* attributes = std::get_if<ActivationAttributes>(&node.attributes)) {
        const kernels::Activation activation = attributes->activation;
        if (node.kind == OpKind::activate) return k.activate(activation, x, width, out);
        return k.gated(activation, x, second, width, out);
    }
    if (node.kind == OpKind::add) {
        std::memcpy(out, x, width * sizeof(float));
        return k.add(second, width, out);
    }
    const float epsilon = std::get<NormAttributes>(node.attributes).epsilon;
    if (node.kind == OpKind::rms_norm) return k.rms_norm(x, second, epsilon, width, out);
    if (node.kind == OpKind::layer_norm) {
        return k.layer_norm(x, second, third, epsilon, width, out);
    }
    k.rms_norm_add(x, second, epsilon, third, width, out);
}

void run_rows(const StepContext& step, uint32_t index, int thread) {
    const Node& node = step.plan->nodes[index].node;
    const Graph& graph = step.plan->graph;
    const Value& x_value = graph.values[node.inputs[0]];
    const size_t width = x_value.width();
    const size_t stride = padded_width(width);
    const float* x = step.f32(node.inputs[0], thread);
    const Range range = row_range(step, index, step.rows(x_value), thread);
    if (graph.values[node.outputs[0]].type == ElementType::q8) {
        const QuantizedRows out = quantized(step, node.outputs[0], thread);
        for (size_t r = range.begin; r < range.end; ++r) {
            quantize_row(step, node, x + r * stride, out, r, thread);
        }
        return;
    }
    // Vectors are the same for every row.
    const float* others[2] = {nullptr, nullptr};
    size_t strides[2] = {0, 0};
    for (size_t i = 0; i + 1 < node.inputs.size(); ++i) {
        others[i] = step.f32(node.inputs[i + 1], thread);
        strides[i] = graph.values[node.inputs[i + 1]].type == ElementType::weight ? 0 : stride;
    }
    auto* out = reinterpret_cast<float*>(step.memory(node.outputs[0], thread));
    for (size_t r = range.begin; r < range.end; ++r) {
        f32_row(step, node, width, x + r * stride, others[0] + r * strides[0],
                others[1] + r * strides[1], out + r * stride);
    }
}

// Rows of logits are few and wide: the threads share their columns.
void run_soft_cap(const StepContext& step, const Node& node, int thread) {
    const Value& value = step.plan->graph.values[node.outputs[0]];
    const size_t stride = padded_width(value.width());
    const float* x = step.f32(node.inputs[0], thread);
    auto* out = reinterpret_cast<float*>(step.memory(node.outputs[0], thread));
    const float cap = std::get<ScaleAttributes>(node.attributes).factor;
    const Range columns = split(value.width(), kernels::kTileRows, thread, step.threads);
    for (size_t r = 0; r < step.rows(value); ++r) {
        const size_t at = r * stride + columns.begin;
        step.plan->rows->soft_cap(x + at, cap, columns.end - columns.begin, out + at);
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

// One thread chooses for all rows: it is the work of microseconds, and slots are counted over all.
void run_route(const StepContext& step, const Node& node, int thread) {
    if (thread != 0) return;
    const Value& scores = step.plan->graph.values[node.inputs[0]];
    route_rows(step.f32(node.inputs[0], thread), padded_width(scores.width()), step.rows(scores),
               routes_of(step, node.outputs[0], thread));
}

void run_gather(const StepContext& step, const Node& node, int thread) {
    const size_t stride = padded_width(step.plan->graph.values[node.outputs[0]].width());
    const Routes routes = routes_of(step, node.inputs[1], thread);
    const float* x = step.f32(node.inputs[0], thread);
    auto* out = reinterpret_cast<float*>(step.memory(node.outputs[0], thread));
    const Range range = split(routes.slots(), 1, thread, step.threads);
    for (size_t slot = range.begin; slot < range.end; ++slot) {
        std::memcpy(out + slot * stride, x + routes.row_of[slot] * stride, stride * sizeof(float));
    }
}

// out[r] = sum over the row's experts of weight * x[slot], in the order of the choice.
void run_combine(const StepContext& step, const Node& node, int thread) {
    const Value& out_value = step.plan->graph.values[node.outputs[0]];
    const size_t width = out_value.width();
    const size_t stride = padded_width(width);
    const Routes routes = routes_of(step, node.inputs[1], thread);
    const float* x = step.f32(node.inputs[0], thread);
    auto* out = reinterpret_cast<float*>(step.memory(node.outputs[0], thread));
    const Range range = split(step.rows(out_value), 1, thread, step.threads);
    for (size_t r = range.begin; r < range.end; ++r) {
        float* sum = out + r * stride;
        std::fill(sum, sum + width, 0.0f);
        for (size_t j = 0; j < routes.n_used; ++j) {
            const size_t at = r * routes.n_used + j;
            const float* part = x + routes.slot_of[at] * stride;
            const float weight = routes.weight[at];
            for (size_t i = 0; i < width; ++i) sum[i] += weight * part[i];
        }
    }
}

// Unfolded constants: one thread computes them; the barrier after the node publishes the result.
void run_constant(const StepContext& step, const Node& node, int thread) {
    if (thread != 0) return;
    const Value& x_value = step.plan->graph.values[node.inputs[0]];
    const size_t width = x_value.width();
    const float* x = step.f32(node.inputs[0], thread);
    auto* out = reinterpret_cast<float*>(step.memory(node.outputs[0], thread));
    if (node.kind == OpKind::scale) {
        scale_values({x, width}, std::get<ScaleAttributes>(node.attributes).factor, {out, width});
        return;
    }
    const auto& table = std::get<RopeTableAttributes>(node.attributes);
    // Its readers know the table as dense rows, without the padding of other values.
    rope_table_values({x, width}, table.positions, table.magnitude,
                      {out, size_t{table.positions} * width * 2});
}

}  // namespace

Range split(size_t count, size_t grain, int thread, int threads) {
    const auto range = machine::split_range(static_cast<int64_t>(count),
                                            static_cast<int64_t>(grain), thread, threads);
    return {static_cast<size_t>(range.begin), static_cast<size_t>(range.end)};
}

QuantizedRows quantized(const StepContext& step, ValueId value, int thread) {
    const Value& v = step.plan->graph.values[value];
    return kernels::quantized_rows_at(step.memory(value, thread), step.rows(v), v.width());
}

Routes routes_of(const StepContext& step, ValueId value, int thread) {
    const Value& v = step.plan->graph.values[value];
    return routes_at(step.memory(value, thread), step.rows(v), v.width(), v.dims[1].factor);
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
    size_t bytes = gated_scratch_floats() * sizeof(float);
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
        case OpKind::rms_norm_add:
        case OpKind::layer_norm:
        case OpKind::layer_norm_quantize:
        case OpKind::gated:
        case OpKind::activate:
        case OpKind::add:
            return run_rows(step, index, thread);
        case OpKind::linear:
            if (std::holds_alternative<ScreenAttributes>(node.attributes) && !step.screened) {
                return;
            }
            return run_linear(step, index, thread);
        case OpKind::linear_screened:
            return run_linear_screened(step, index, thread);
        case OpKind::linear_gated:
            return run_linear_gated(step, index, thread);
        case OpKind::expert_linear:
            return run_expert_linear(step, index, thread);
        case OpKind::route:
            return run_route(step, node, thread);
        case OpKind::gather:
            return run_gather(step, node, thread);
        case OpKind::combine:
            return run_combine(step, node, thread);
        case OpKind::soft_cap:
            return run_soft_cap(step, node, thread);
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
