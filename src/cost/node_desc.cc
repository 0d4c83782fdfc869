#include "cost/node_desc.h"

#include <algorithm>

#include "cost/speed_of_light.h"

namespace hone::cost {
namespace {

// Bytes of one activation row of `n` values in the int8 block format: codes, scale, sums per block.
double quantized_row_bytes(double n) {
    return n + n / 32 * 8 + n / 16 * 2;
}

Work linear_work(const NodeDesc& node, double m) {
    const double rows = static_cast<double>(node.rows);
    const double columns = static_cast<double>(node.columns);
    const bool int8 = node.arithmetic == Arithmetic::int8;
    const double in = int8 ? quantized_row_bytes(columns) : columns * 4;
    const double out = node.kind == OpKind::linear_gated ? rows / 2 : rows;
    Work work;
    work.weight_bytes = static_cast<double>(node.weight_bytes);
    work.bytes = work.weight_bytes + m * (in + out * 4);
    work.flops = 2 * m * rows * columns;
    work.arithmetic = node.arithmetic;
    return work;
}

Work attend_work(const NodeDesc& node, const StepShape& step) {
    double pairs = static_cast<double>(step.attended_pairs);
    double positions = static_cast<double>(step.positions_read);
    if (node.window > 0) {
        pairs = std::min(pairs, static_cast<double>(step.tokens) * node.window);
        positions = std::min(positions, static_cast<double>(step.tokens + node.window));
    }
    const double head = node.head_dim;
    Work work;
    // Scores and weighted values: 2 FLOP each per dim; softmax about 5 per pair.
    work.flops = pairs * node.n_heads * (4 * head + 5);
    work.bytes = positions * node.n_kv_heads * head * 2 * node.kv_element_bytes +
                 static_cast<double>(step.tokens) * node.n_heads * head * 8;
    work.arithmetic = Arithmetic::f32;
    return work;
}

const char* arithmetic_name(Arithmetic arithmetic) {
    switch (arithmetic) {
        case Arithmetic::none:
            return "none";
        case Arithmetic::f32:
            return "f32";
        case Arithmetic::int8:
            return "int8";
    }
    return "none";
}

}  // namespace

const char* op_kind_name(OpKind kind) {
    switch (kind) {
        case OpKind::embedding:
            return "embedding";
        case OpKind::rms_norm:
            return "rms_norm";
        case OpKind::quantize:
            return "quantize";
        case OpKind::rms_norm_quantize:
            return "rms_norm_quantize";
        case OpKind::rms_norm_add:
            return "rms_norm_add";
        case OpKind::layer_norm:
            return "layer_norm";
        case OpKind::layer_norm_quantize:
            return "layer_norm_quantize";
        case OpKind::linear:
            return "linear";
        case OpKind::linear_screened:
            return "linear_screened";
        case OpKind::linear_gated:
            return "linear_gated";
        case OpKind::gated:
            return "gated";
        case OpKind::activate:
            return "activate";
        case OpKind::soft_cap:
            return "soft_cap";
        case OpKind::route:
            return "route";
        case OpKind::gather:
            return "gather";
        case OpKind::expert_linear:
            return "expert_linear";
        case OpKind::combine:
            return "combine";
        case OpKind::add:
            return "add";
        case OpKind::concat:
            return "concat";
        case OpKind::rope_store:
            return "rope_store";
        case OpKind::attend:
            return "attend";
        case OpKind::select_rows:
            return "select_rows";
        case OpKind::rope_table:
            return "rope_table";
        case OpKind::scale:
            return "scale";
    }
    return "unknown";
}

std::optional<OpKind> op_kind_of(std::string_view name) {
    for (size_t kind = 0; kind < kOpKindCount; ++kind) {
        if (name == op_kind_name(static_cast<OpKind>(kind))) return static_cast<OpKind>(kind);
    }
    return std::nullopt;
}

void StepShape::add_slice(uint64_t first_position, uint64_t n_tokens) {
    tokens += n_tokens;
    // Token i of the slice sees first_position + i + 1 positions.
    attended_pairs += n_tokens * first_position + n_tokens * (n_tokens + 1) / 2;
    positions_read += first_position + n_tokens;
}

namespace {

// Norms, activations and quantization: m rows of n values.
Work row_work(OpKind kind, double m, double n) {
    Work work;
    work.arithmetic = Arithmetic::f32;
    const auto set = [&](double bytes_per_row, double bytes, double flops_per_value) {
        work.bytes = m * bytes_per_row + bytes;
        work.flops = m * n * flops_per_value;
        return work;
    };
    const double to_q8 = n * 4 + quantized_row_bytes(n);
    switch (kind) {
        case OpKind::rms_norm:
            return set(n * 8, n * 4, 4);
        case OpKind::quantize:
            return set(to_q8, 0, 3);
        case OpKind::rms_norm_quantize:
            return set(to_q8, n * 4, 7);
        case OpKind::rms_norm_add:
            return set(n * 12, n * 4, 5);
        case OpKind::layer_norm:
            return set(n * 8, n * 8, 7);
        case OpKind::layer_norm_quantize:
            return set(to_q8, n * 8, 10);
        case OpKind::gated:
            return set(n * 12, 0, 12);
        case OpKind::activate:
        case OpKind::soft_cap:
            return set(n * 8, 0, 12);
        case OpKind::add:
            return set(n * 12, 0, 1);
        default:
            return work;
    }
}

}  // namespace

bool is_linear(OpKind kind) {
    return kind == OpKind::linear || kind == OpKind::linear_gated || kind == OpKind::expert_linear;
}

Work node_work(const NodeDesc& node, const StepShape& step) {
    const double m = static_cast<double>(node.per_output ? step.outputs : step.tokens);
    const double n = static_cast<double>(node.rows);
    const double columns = static_cast<double>(node.columns);
    Work work;
    work.arithmetic = Arithmetic::f32;
    switch (node.kind) {
        case OpKind::linear:
        case OpKind::linear_gated:
        case OpKind::expert_linear:
            return linear_work(node, m);
        case OpKind::attend:
            return attend_work(node, step);
        case OpKind::embedding:
            work.bytes = m * n * 4 + m * static_cast<double>(node.weight_bytes);
            work.weight_bytes = m * static_cast<double>(node.weight_bytes);
            work.flops = m * n;
            return work;
        case OpKind::rope_store:
            // q, k, v are read, q is written back, k and v go to the cache.
            work.bytes =
                m * node.head_dim *
                (8.0 * node.n_heads + (8.0 + 2.0 * node.kv_element_bytes) * node.n_kv_heads);
            work.flops = m * node.head_dim * 3.0 * (node.n_heads + node.n_kv_heads);
            return work;
        case OpKind::route:
            // A softmax and a selection over the experts' scores; what it writes is as small.
            work.bytes = m * columns * 4;
            work.flops = m * columns * 12;
            return work;
        case OpKind::combine:
            // `columns` counts the values of all experts of a row.
            work.bytes = m * (columns + n) * 4;
            work.flops = m * columns * 2;
            return work;
        case OpKind::linear_screened:
            // Scores are read and rows written. Which rows of the matrix are read beside that is
            // the text's, and they are few.
            work.bytes = m * n * 8;
            work.flops = m * n * 3;
            return work;
        case OpKind::gather:
        case OpKind::concat:
        case OpKind::select_rows:
            work.bytes = m * n * 8;
            work.arithmetic = Arithmetic::none;
            return work;
        case OpKind::rope_table:
        case OpKind::scale:
            // Does not depend on the step: rows x columns values of constant arithmetic.
            work.bytes = n * columns * 4;
            work.flops = n * columns * 20;
            return work;
        default:
            return row_work(node.kind, m, n);
    }
}

measure::NodeShape shape_of(const NodeDesc& node) {
    measure::NodeShape shape;
    shape.arithmetic = arithmetic_name(node.arithmetic);
    shape.rows = node.rows;
    shape.columns = node.columns;
    shape.weight_bytes = node.weight_bytes;
    shape.per_output = node.per_output;
    shape.per_thread = node.per_thread;
    shape.heads = node.n_heads;
    shape.kv_heads = node.n_kv_heads;
    shape.head_dim = node.head_dim;
    shape.kv_element_bytes = node.kv_element_bytes;
    shape.window = node.window;
    return shape;
}

std::optional<NodeDesc> desc_of(const measure::PlanNodeFacts& facts) {
    NodeDesc node;
    const auto kind = op_kind_of(facts.kind);
    if (!kind) return std::nullopt;
    node.kind = *kind;
    bool known = false;
    for (const Arithmetic arithmetic : {Arithmetic::none, Arithmetic::f32, Arithmetic::int8}) {
        if (facts.shape.arithmetic != arithmetic_name(arithmetic)) continue;
        node.arithmetic = arithmetic;
        known = true;
    }
    if (!known) return std::nullopt;
    const measure::NodeShape& shape = facts.shape;
    node.rows = shape.rows;
    node.columns = shape.columns;
    node.weight_bytes = shape.weight_bytes;
    node.format = parse_variant(facts.variant).format;
    node.per_output = shape.per_output;
    node.per_thread = shape.per_thread;
    node.n_heads = shape.heads;
    node.n_kv_heads = shape.kv_heads;
    node.head_dim = shape.head_dim;
    node.kv_element_bytes = shape.kv_element_bytes;
    node.window = shape.window;
    node.layer = facts.layer;
    return node;
}

}  // namespace hone::cost
