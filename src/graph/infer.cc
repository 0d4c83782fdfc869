#include <algorithm>

#include "graph/graph.h"

namespace hone::graph {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

Value f32_rows(Dim rows, uint64_t width) {
    Value value;
    value.dims = {rows, Dim{width, Symbol::one}};
    return value;
}

// Checks one input against a type and a rank; the message names node and position.
base::Status expect(const Graph& graph, const Node& node, size_t index, ElementType type) {
    if (index >= node.inputs.size()) {
        return fail(ErrorCode::invalid_argument, "{}: input {} is missing", node.name, index);
    }
    if (node.inputs[index] >= graph.values.size()) {
        return fail(ErrorCode::invalid_argument, "{}: input {} does not exist", node.name, index);
    }
    if (graph.values[node.inputs[index]].type != type) {
        return fail(ErrorCode::invalid_argument, "{}: input {} has the wrong type", node.name,
                    index);
    }
    return {};
}

base::Status expect_same_shape(const Graph& graph, const Node& node, size_t a, size_t b) {
    if (graph.values[node.inputs[a]].dims != graph.values[node.inputs[b]].dims) {
        return fail(ErrorCode::invalid_argument, "{}: inputs {} and {} differ in shape", node.name,
                    a, b);
    }
    return {};
}

bool is_weight(const Graph& graph, const Node& node, size_t index) {
    return node.inputs[index] < graph.values.size() &&
           graph.values[node.inputs[index]].type == ElementType::weight;
}

// Input `index` is a vector weight of that many values, over all of its parts.
base::Status expect_vector(const Graph& graph, const Node& node, size_t index, uint64_t width) {
    HONE_TRY_STATUS(expect(graph, node, index, ElementType::weight));
    uint64_t columns = 0;
    for (const WeightPart& part : graph.values[node.inputs[index]].parts) {
        if (part.rows != 1) {
            return fail(ErrorCode::invalid_argument, "{}: weight is no vector", node.name);
        }
        columns += part.columns;
    }
    if (columns != width) {
        return fail(ErrorCode::invalid_argument, "{}: a vector of {} values for rows of {}",
                    node.name, columns, width);
    }
    return {};
}

// Rows of a weight value over all of its parts; every part must have `columns` columns.
Result<uint64_t> weight_rows(const Node& node, const Value& weight, uint64_t columns) {
    uint64_t rows = 0;
    for (const WeightPart& part : weight.parts) {
        if (part.columns != columns) {
            return fail(ErrorCode::invalid_argument, "{}: {} has {} columns, the input has {}",
                        node.name, part.name, part.columns, columns);
        }
        rows += part.rows;
    }
    if (rows == 0) return fail(ErrorCode::invalid_argument, "{}: weight without parts", node.name);
    return rows;
}

Result<std::vector<Value>> infer_linear(const Graph& graph, const Node& node) {
    const Value& x = graph.values[node.inputs.at(0)];
    if (x.type != ElementType::f32 && x.type != ElementType::q8) {
        return fail(ErrorCode::invalid_argument, "{}: a linear takes f32 or q8 rows", node.name);
    }
    HONE_TRY_STATUS(expect(graph, node, 1, ElementType::weight));
    HONE_TRY(const uint64_t rows, weight_rows(node, graph.values[node.inputs[1]], x.width()));
    const bool gated = node.kind == OpKind::linear_gated;
    Value out = f32_rows(x.dims.front(), gated ? rows / 2 : rows);
    if (gated && (rows / 2) % 32 != 0) {
        return fail(ErrorCode::invalid_argument, "{}: width {} is not a multiple of 32", node.name,
                    rows / 2);
    }
    if (node.inputs.size() == 3 && is_weight(graph, node, 2)) {
        HONE_TRY_STATUS(expect_vector(graph, node, 2, out.width()));
    } else if (node.inputs.size() == 3) {
        HONE_TRY_STATUS(expect(graph, node, 2, ElementType::f32));
        if (graph.values[node.inputs[2]].dims != out.dims) {
            return fail(ErrorCode::invalid_argument, "{}: the residual differs in shape",
                        node.name);
        }
    }
    return std::vector<Value>{out};
}

Result<std::vector<Value>> infer_norm(const Graph& graph, const Node& node) {
    HONE_TRY_STATUS(expect(graph, node, 0, ElementType::f32));
    const Value& x = graph.values[node.inputs[0]];
    HONE_TRY_STATUS(expect_vector(graph, node, 1, x.width()));
    const bool layer = node.kind == OpKind::layer_norm || node.kind == OpKind::layer_norm_quantize;
    if (layer && node.inputs.size() > 2) {
        HONE_TRY_STATUS(expect_vector(graph, node, 2, x.width()));
    }
    if (node.kind == OpKind::rms_norm_add) {
        HONE_TRY_STATUS(expect(graph, node, 2, ElementType::f32));
        HONE_TRY_STATUS(expect_same_shape(graph, node, 0, 2));
    }
    Value out = f32_rows(x.dims.front(), x.width());
    if (node.kind == OpKind::rms_norm_quantize || node.kind == OpKind::layer_norm_quantize) {
        out.type = ElementType::q8;
    }
    return std::vector<Value>{out};
}

Result<std::vector<Value>> infer_attention(const Graph& graph, const Node& node) {
    HONE_TRY_STATUS(expect(graph, node, 0, ElementType::f32));
    const auto* a = std::get_if<AttentionAttributes>(&node.attributes);
    if (a == nullptr) return fail(ErrorCode::invalid_argument, "{}: no attributes", node.name);
    const Value& qkv = graph.values[node.inputs[0]];
    const uint64_t width = uint64_t{a->n_heads + 2 * a->n_kv_heads} * a->head_dim;
    if (qkv.width() != width) {
        return fail(ErrorCode::invalid_argument, "{}: qkv is {} wide, not {}", node.name,
                    qkv.width(), width);
    }
    Value kv;
    kv.type = ElementType::kv;
    HONE_TRY_STATUS(expect(graph, node, 1, ElementType::kv));
    if (!a->causal && a->window != 0) {
        return fail(ErrorCode::invalid_argument, "{}: a window without a direction", node.name);
    }
    if (node.kind == OpKind::rope_store) {
        size_t norms = 2;
        if (a->rope_style != kernels::RopeStyle::none) {
            HONE_TRY_STATUS(expect(graph, node, norms++, ElementType::f32));
        }
        if (node.inputs.size() > norms) {
            HONE_TRY_STATUS(expect_vector(graph, node, norms, a->head_dim));
            HONE_TRY_STATUS(expect_vector(graph, node, norms + 1, a->head_dim));
        }
        return std::vector<Value>{f32_rows(qkv.dims.front(), width), kv};
    }
    return std::vector<Value>{f32_rows(qkv.dims.front(), uint64_t{a->n_heads} * a->head_dim)};
}

Result<std::vector<Value>> infer_constant(const Graph& graph, const Node& node) {
    HONE_TRY_STATUS(expect(graph, node, 0, ElementType::f32));
    const Value& x = graph.values[node.inputs[0]];
    if (node.kind == OpKind::scale) {
        Value out;
        out.dims = x.dims;
        return std::vector<Value>{out};
    }
    const auto* table = std::get_if<RopeTableAttributes>(&node.attributes);
    if (table == nullptr) return fail(ErrorCode::invalid_argument, "{}: no attributes", node.name);
    return std::vector<Value>{f32_rows(Dim{table->positions, Symbol::one}, 2 * x.width())};
}

Result<std::vector<Value>> infer_rows(const Graph& graph, const Node& node) {
    HONE_TRY_STATUS(expect(graph, node, 0, ElementType::f32));
    Value out =
        f32_rows(graph.values[node.inputs[0]].dims.front(), graph.values[node.inputs[0]].width());
    if (node.kind == OpKind::quantize) {
        out.type = ElementType::q8;
        if (out.width() % 32 != 0) {
            return fail(ErrorCode::invalid_argument, "{}: width {} is not a multiple of 32",
                        node.name, out.width());
        }
    } else if (node.kind == OpKind::select_rows) {
        HONE_TRY_STATUS(expect(graph, node, 1, ElementType::i32));
        out.dims.front() = Dim{1, Symbol::outputs};
    } else if (node.kind == OpKind::concat) {
        out.dims.back().factor = 0;
        for (size_t i = 0; i < node.inputs.size(); ++i) {
            HONE_TRY_STATUS(expect(graph, node, i, ElementType::f32));
            out.dims.back().factor += graph.values[node.inputs[i]].width();
        }
    } else if (node.kind == OpKind::add && node.inputs.size() > 1 && is_weight(graph, node, 1)) {
        HONE_TRY_STATUS(expect_vector(graph, node, 1, out.width()));
    } else if (node.kind != OpKind::soft_cap && node.kind != OpKind::activate) {
        HONE_TRY_STATUS(expect(graph, node, 1, ElementType::f32));
        HONE_TRY_STATUS(expect_same_shape(graph, node, 0, 1));
    }
    return std::vector<Value>{out};
}

Result<std::vector<Value>> infer_experts(const Graph& graph, const Node& node) {
    const auto* experts = std::get_if<ExpertAttributes>(&node.attributes);
    if (experts == nullptr || experts->n_used == 0 || experts->n_used > experts->n_experts) {
        return fail(ErrorCode::invalid_argument, "{}: no experts to use", node.name);
    }
    const Value& x = graph.values[node.inputs[0]];
    if (node.kind == OpKind::route) {
        HONE_TRY_STATUS(expect(graph, node, 0, ElementType::f32));
        if (x.width() != experts->n_experts) {
            return fail(ErrorCode::invalid_argument, "{}: {} scores for {} experts", node.name,
                        x.width(), experts->n_experts);
        }
        Value routes;
        routes.type = ElementType::routes;
        routes.dims = {x.dims.front(), Dim{experts->n_used, Symbol::one},
                       Dim{experts->n_experts, Symbol::one}};
        return std::vector<Value>{routes};
    }
    Dim rows = x.dims.front();
    if (node.kind == OpKind::expert_linear) {
        HONE_TRY_STATUS(expect(graph, node, 1, ElementType::weight));
        HONE_TRY_STATUS(expect(graph, node, 2, ElementType::routes));
        HONE_TRY(const uint64_t all, weight_rows(node, graph.values[node.inputs[1]], x.width()));
        if (all % (16 * uint64_t{experts->n_experts}) != 0) {
            return fail(ErrorCode::invalid_argument,
                        "{}: {} rows are not {} experts of a multiple of 16 rows", node.name, all,
                        experts->n_experts);
        }
        return std::vector<Value>{f32_rows(rows, all / experts->n_experts)};
    }
    HONE_TRY_STATUS(expect(graph, node, 0, ElementType::f32));
    HONE_TRY_STATUS(expect(graph, node, 1, ElementType::routes));
    if (node.kind == OpKind::gather) {
        rows.factor *= experts->n_used;
    } else {
        rows.factor /= experts->n_used;
    }
    return std::vector<Value>{f32_rows(rows, x.width())};
}

}  // namespace

Result<std::vector<Value>> infer_outputs(const Graph& graph, const Node& node) {
    if (node.inputs.empty()) {
        return fail(ErrorCode::invalid_argument, "{}: a node without inputs", node.name);
    }
    if (node.inputs[0] >= graph.values.size()) {
        return fail(ErrorCode::invalid_argument, "{}: input 0 does not exist", node.name);
    }
    Result<std::vector<Value>> outputs = std::vector<Value>{};
    switch (node.kind) {
        case OpKind::embedding: {
            HONE_TRY_STATUS(expect(graph, node, 0, ElementType::weight));
            HONE_TRY_STATUS(expect(graph, node, 1, ElementType::i32));
            outputs = std::vector<Value>{
                f32_rows(Dim{1, Symbol::tokens}, graph.values[node.inputs[0]].parts.at(0).columns)};
            break;
        }
        case OpKind::rms_norm:
        case OpKind::rms_norm_quantize:
        case OpKind::rms_norm_add:
        case OpKind::layer_norm:
        case OpKind::layer_norm_quantize:
            outputs = infer_norm(graph, node);
            break;
        case OpKind::linear:
        case OpKind::linear_screened:
        case OpKind::linear_gated:
            outputs = infer_linear(graph, node);
            break;
        case OpKind::route:
        case OpKind::gather:
        case OpKind::expert_linear:
        case OpKind::combine:
            outputs = infer_experts(graph, node);
            break;
        case OpKind::rope_store:
        case OpKind::attend:
            outputs = infer_attention(graph, node);
            break;
        case OpKind::rope_table:
        case OpKind::scale:
            outputs = infer_constant(graph, node);
            break;
        case OpKind::quantize:
        case OpKind::gated:
        case OpKind::activate:
        case OpKind::soft_cap:
        case OpKind::add:
        case OpKind::concat:
        case OpKind::select_rows:
            outputs = infer_rows(graph, node);
            break;
    }
    if (outputs) {
        for (Value& value : *outputs) value.name = node.name;
    }
    return outputs;
}

namespace {

base::Status verify_outputs(const Graph& graph, const Node& node) {
    HONE_TRY(const std::vector<Value> inferred, infer_outputs(graph, node));
    if (inferred.size() != node.outputs.size()) {
        return fail(ErrorCode::invalid_argument, "{}: {} outputs, expected {}", node.name,
                    node.outputs.size(), inferred.size());
    }
    for (size_t i = 0; i < inferred.size(); ++i) {
        const Value& stated = graph.values[node.outputs[i]];
        const bool fused_quantize =
            node.kind == OpKind::linear_gated && stated.type == ElementType::q8;
        if (stated.dims != inferred[i].dims ||
            (stated.type != inferred[i].type && !fused_quantize)) {
            return fail(ErrorCode::invalid_argument, "{}: output {} differs from its inference",
                        node.name, i);
        }
    }
    return {};
}

}  // namespace

base::Status verify(const Graph& graph) {
    std::vector<bool> defined(graph.values.size(), false);
    for (size_t v = 0; v < graph.values.size(); ++v) {
        defined[v] = graph.values[v].origin != ValueOrigin::node;
    }
    for (const Node& node : graph.nodes) {
        for (const ValueId id : node.inputs) {
            if (id >= graph.values.size() || !defined[id]) {
                return fail(ErrorCode::invalid_argument, "{}: uses %{} before it is made",
                            node.name, id);
            }
        }
        for (const ValueId id : node.outputs) {
            if (id >= graph.values.size() || defined[id]) {
                return fail(ErrorCode::invalid_argument, "{}: %{} is made twice", node.name, id);
            }
            defined[id] = true;
        }
        HONE_TRY_STATUS(verify_outputs(graph, node));
    }
    if (graph.output >= graph.values.size() || !defined[graph.output]) {
        return fail(ErrorCode::invalid_argument, "the graph's output is never made");
    }
    return {};
}

}  // namespace hone::graph
