#include "models/transformer.h"

namespace hone::models {
namespace {

using graph::AttentionAttributes;
using graph::Dim;
using graph::ElementType;
using graph::OpKind;
using graph::Symbol;
using graph::Value;
using graph::ValueId;
using graph::ValueOrigin;

std::string full_name(int layer, const std::string& name) {
    return layer < 0 ? name : tensor_name(static_cast<uint32_t>(layer), name.c_str());
}

}  // namespace

std::string tensor_name(uint32_t layer, const char* name) {
    return fmt::format("blk.{}.{}", layer, name);
}

std::vector<ExpectedTensor> global_tensors(const ModelConfig& c) {
    std::vector<ExpectedTensor> out = {{"token_embd.weight", c.n_embd, c.n_vocab},
                                       {"output_norm.weight", c.n_embd}};
    if (!c.tied_embeddings) out.push_back({"output.weight", c.n_embd, c.n_vocab});
    if (c.rope_factors) out.push_back({"rope_freqs.weight", c.rope_dims / 2});
    if (c.rope_scaling.kind == RopeScaling::Kind::longrope) {
        out.push_back({"rope_factors_long.weight", c.rope_dims / 2});
        out.push_back({"rope_factors_short.weight", c.rope_dims / 2});
    }
    return out;
}

void add_attention_tensors(const ModelConfig& c, uint32_t layer, std::vector<ExpectedTensor>& out) {
    const auto add = [&](const char* name, uint64_t columns, uint64_t rows = 1) {
        out.push_back({tensor_name(layer, name), columns, rows});
    };
    // An encoder normalizes behind its sums.
    if (c.causal) add("attn_norm.weight", c.n_embd);
    add("attn_q.weight", c.n_embd, c.q_width());
    add("attn_k.weight", c.n_embd, c.kv_width());
    add("attn_v.weight", c.n_embd, c.kv_width());
    if (c.qkv_bias) {
        add("attn_q.bias", c.q_width());
        add("attn_k.bias", c.kv_width());
        add("attn_v.bias", c.kv_width());
    }
    if (c.head_norms) {
        add("attn_q_norm.weight", c.head_dim);
        add("attn_k_norm.weight", c.head_dim);
    }
    add("attn_output.weight", c.q_width(), c.n_embd);
    if (c.linear_bias) add("attn_output.bias", c.n_embd);
}

void add_gated_ffn_tensors(const ModelConfig& c, uint32_t layer, std::vector<ExpectedTensor>& out) {
    if (!c.parallel_residual) out.push_back({tensor_name(layer, "ffn_norm.weight"), c.n_embd});
    out.push_back({tensor_name(layer, "ffn_gate.weight"), c.n_embd, c.n_ff});
    out.push_back({tensor_name(layer, "ffn_up.weight"), c.n_embd, c.n_ff});
    out.push_back({tensor_name(layer, "ffn_down.weight"), c.n_ff, c.n_embd});
}

Transformer::Transformer(const formats::GgufFile& file, const ModelConfig& config, uint32_t context)
    : file_(file), c_(config), context_(context) {
    tokens_ = input("tokens", ElementType::i32, ValueOrigin::input_tokens, Symbol::tokens);
    output_rows_ =
        input("output_rows", ElementType::i32, ValueOrigin::input_output_rows, Symbol::outputs);
    if (c_.rope_style != kernels::RopeStyle::none) add_rope_tables();
    for (uint32_t g = 0; g < c_.groups.size(); ++g) add_attention_attributes(g);
}

ValueId Transformer::input(const char* name, ElementType type, ValueOrigin origin, Symbol symbol) {
    Value value;
    value.name = name;
    value.type = type;
    value.origin = origin;
    value.dims = {Dim{1, symbol}};
    return graph_.add_value(std::move(value));
}

ValueId Transformer::weight(const std::string& name) {
    const tensor::TensorView view = *file_.tensor(name);
    Value value;
    value.name = name;
    value.type = ElementType::weight;
    value.origin = ValueOrigin::weight;
    value.parts = {{name, view.dtype, view.rows(), view.columns()}};
    return graph_.add_value(std::move(value));
}

ValueId Transformer::vectors(const std::string& name, const std::vector<std::string>& parts) {
    Value value;
    value.name = name;
    value.type = ElementType::weight;
    value.origin = ValueOrigin::weight;
    for (const std::string& part : parts) {
        const tensor::TensorView view = *file_.tensor(part);
        value.parts.push_back({part, view.dtype, 1, view.columns()});
    }
    return graph_.add_value(std::move(value));
}

// What the file divides each frequency by; of LongRoPE the set for this context.
std::span<const float> Transformer::rope_factors() const {
    const char* name = nullptr;
    if (c_.rope_factors) name = "rope_freqs.weight";
    if (c_.rope_scaling.kind == RopeScaling::Kind::longrope) {
        const bool longer = context_ > c_.rope_scaling.original_context;
        name = longer ? "rope_factors_long.weight" : "rope_factors_short.weight";
    }
    if (name == nullptr) return {};
    const tensor::TensorView view = *file_.tensor(name);
    return {reinterpret_cast<const float*>(view.data), view.columns()};
}

ValueId Transformer::rope_table(const std::string& name, float base, const RopeScaling& scaling) {
    Value value;
    value.name = name + "_frequencies";
    value.origin = ValueOrigin::constant;
    value.dims = {Dim{1, Symbol::one}, Dim{c_.rope_dims / 2, Symbol::one}};
    value.data = std::make_shared<const std::vector<float>>(
        rope_frequencies(c_.rope_dims, base, scaling, rope_factors()));
    const float shrink = scaling.kind == RopeScaling::Kind::linear ? 1.0f / scaling.factor : 1.0f;
    const ValueId scaled =
        graph_.add_op(OpKind::scale, name + "_scale", -1, {graph_.add_value(std::move(value))},
                      graph::ScaleAttributes{shrink});
    return graph_.add_op(OpKind::rope_table, name + "_table", -1, {scaled},
                         graph::RopeTableAttributes{context_, scaling.magnitude});
}

// Windowed layers may rotate by a base of their own; one table serves all that rotate alike.
void Transformer::add_rope_tables() {
    const bool apart = c_.rope_base_windowed != c_.rope_base;
    for (const LayerGroup& group : c_.groups) {
        const bool local = apart && group.window > 0;
        if (!rope_tables_.empty() && !apart) {
            rope_tables_.push_back(rope_tables_.front());
        } else {
            rope_tables_.push_back(rope_table(local ? "rope_windowed" : "rope",
                                              local ? c_.rope_base_windowed : c_.rope_base,
                                              local ? RopeScaling() : c_.rope_scaling));
        }
    }
}

void Transformer::add_attention_attributes(uint32_t g) {
    const LayerGroup& group = c_.groups[g];
    for (uint32_t i = 0; i < group.layers.size(); ++i) {
        AttentionAttributes a;
        a.n_heads = c_.n_heads;
        a.n_kv_heads = c_.n_kv_heads;
        a.head_dim = c_.head_dim;
        a.rope_dims = c_.rope_dims;
        a.rope_style = c_.rope_style;
        a.scale = c_.attention_scale;
        a.soft_cap = c_.attention_soft_cap;
        a.norm_epsilon = c_.norm_epsilon;
        a.causal = c_.causal;
        a.window = group.window;
        a.group = g;
        a.group_layers = c_.kv_layers(group);
        a.layer_in_group = c_.causal ? i : 0;
        attention_[static_cast<int>(group.layers[i])] = a;
    }
}

ValueId Transformer::embedding(float scale) {
    graph::Attributes attributes;
    if (scale != 1.0f) attributes = graph::ScaleAttributes{scale};
    return graph_.add_op(OpKind::embedding, "token_embd", -1,
                         {weight("token_embd.weight"), tokens_}, attributes);
}

ValueId Transformer::position_embedding() {
    const ValueId positions =
        input("positions", ElementType::i32, ValueOrigin::input_positions, Symbol::tokens);
    return graph_.add_op(OpKind::embedding, "position_embd", -1,
                         {weight("position_embd.weight"), positions});
}

ValueId Transformer::add_first_row(const std::string& name, ValueId x) {
    const ValueId row = weight(name + ".weight");
    graph_.values[row].parts[0].rows = 1;
    return graph_.add_op(OpKind::add, name, -1, {x, row});
}

ValueId Transformer::rms_norm(const std::string& name, int layer, ValueId x) {
    const std::string full = full_name(layer, name);
    return graph_.add_op(OpKind::rms_norm, full, layer, {x, weight(full + ".weight")},
                         graph::NormAttributes{c_.norm_epsilon});
}

ValueId Transformer::layer_norm(const std::string& name, int layer, ValueId x) {
    const std::string full = full_name(layer, name);
    return graph_.add_op(OpKind::layer_norm, full, layer,
                         {x, weight(full + ".weight"), weight(full + ".bias")},
                         graph::NormAttributes{c_.norm_epsilon});
}

ValueId Transformer::linear(const std::string& name, int layer, ValueId x) {
    const std::string full = full_name(layer, name);
    return graph_.add_op(OpKind::linear, full, layer, {x, weight(full + ".weight")});
}

ValueId Transformer::projection(const std::string& name, int layer, ValueId x) {
    const ValueId product = linear(name, layer, x);
    if (!c_.linear_bias) return product;
    return add(name + "_bias", layer, product, weight(full_name(layer, name) + ".bias"));
}

ValueId Transformer::add(const std::string& name, int layer, ValueId a, ValueId b) {
    return graph_.add_op(OpKind::add, full_name(layer, name), layer, {a, b});
}

ValueId Transformer::qkv(int layer, ValueId h) {
    const ValueId product = graph_.add_op(
        OpKind::concat, full_name(layer, "attn_qkv"), layer,
        {linear("attn_q", layer, h), linear("attn_k", layer, h), linear("attn_v", layer, h)});
    if (!c_.qkv_bias) return product;
    const ValueId bias = vectors(full_name(layer, "attn_qkv.bias"),
                                 {full_name(layer, "attn_q.bias"), full_name(layer, "attn_k.bias"),
                                  full_name(layer, "attn_v.bias")});
    return add("attn_qkv_bias", layer, product, bias);
}

ValueId Transformer::attention(int layer, ValueId qkv) {
    const AttentionAttributes& a = attention_.at(layer);
    Value cache;
    cache.name = full_name(layer, "kv");
    cache.type = ElementType::kv;
    cache.origin = ValueOrigin::input_kv;
    std::vector<ValueId> inputs = {qkv, graph_.add_value(std::move(cache))};
    if (c_.rope_style != kernels::RopeStyle::none) inputs.push_back(rope_tables_[a.group]);
    if (c_.head_norms) {
        inputs.push_back(weight(full_name(layer, "attn_q_norm.weight")));
        inputs.push_back(weight(full_name(layer, "attn_k_norm.weight")));
    }
    const auto stored =
        graph_.add_node(OpKind::rope_store, full_name(layer, "rope"), layer, inputs, a);
    const ValueId attended =
        graph_.add_op(OpKind::attend, full_name(layer, "attend"), layer, {stored[0], stored[1]}, a);
    return projection("attn_output", layer, attended);
}

ValueId Transformer::ffn(int layer, ValueId x, kernels::Activation activation) {
    const ValueId active =
        graph_.add_op(OpKind::activate, full_name(layer, "ffn_activate"), layer,
                      {projection("ffn_up", layer, x)}, graph::ActivationAttributes{activation});
    return projection("ffn_down", layer, active);
}

ValueId Transformer::gated_ffn(int layer, ValueId x, kernels::Activation activation) {
    const ValueId gate = linear("ffn_gate", layer, x);
    return gated_down(layer, gate, linear("ffn_up", layer, x), activation);
}

ValueId Transformer::gated_down(int layer, ValueId gate, ValueId up,
                                kernels::Activation activation) {
    const ValueId product = graph_.add_op(OpKind::gated, full_name(layer, "ffn_gate_up"), layer,
                                          {gate, up}, graph::ActivationAttributes{activation});
    return linear("ffn_down", layer, product);
}

ValueId Transformer::linear_rows(const std::string& name, int layer, const std::string& stored,
                                 uint64_t first, uint64_t count, ValueId x) {
    const std::string full = full_name(layer, name);
    const ValueId rows = weight(full_name(layer, stored) + ".weight");
    Value& value = graph_.values[rows];
    value.name = full + ".weight";
    value.parts[0].first_row = first;
    value.parts[0].rows = count;
    return graph_.add_op(OpKind::linear, full, layer, {x, rows});
}

ValueId Transformer::fused_gated_ffn(int layer, ValueId x, kernels::Activation activation) {
    const ValueId gate = linear_rows("ffn_gate", layer, "ffn_up", 0, c_.n_ff, x);
    const ValueId up = linear_rows("ffn_up", layer, "ffn_up", c_.n_ff, c_.n_ff, x);
    return gated_down(layer, gate, up, activation);
}

ValueId Transformer::expert_ffn(int layer, ValueId x, kernels::Activation activation) {
    const graph::ExpertAttributes experts{c_.n_experts, c_.n_experts_used};
    const auto op = [&](OpKind kind, const char* name, std::vector<ValueId> inputs) {
        return graph_.add_op(kind, full_name(layer, name), layer, std::move(inputs), experts);
    };
    const ValueId routes = op(OpKind::route, "ffn_route", {linear("ffn_gate_inp", layer, x)});
    const ValueId rows = op(OpKind::gather, "ffn_gather", {x, routes});
    const auto expert_linear = [&](const char* name, ValueId in) {
        return op(OpKind::expert_linear, name,
                  {in, weight(full_name(layer, name) + ".weight"), routes});
    };
    const ValueId product =
        graph_.add_op(OpKind::gated, full_name(layer, "ffn_gate_up_exps"), layer,
                      {expert_linear("ffn_gate_exps", rows), expert_linear("ffn_up_exps", rows)},
                      graph::ActivationAttributes{activation});
    return op(OpKind::combine, "ffn_combine", {expert_linear("ffn_down_exps", product), routes});
}

graph::Graph Transformer::finish(ValueId normed) {
    const std::string head = c_.tied_embeddings ? "token_embd.weight" : "output.weight";
    ValueId logits = graph_.add_op(OpKind::linear, "output", -1, {normed, weight(head)});
    if (c_.logit_soft_cap > 0) {
        logits = graph_.add_op(OpKind::soft_cap, "output_soft_cap", -1, {logits},
                               graph::ScaleAttributes{c_.logit_soft_cap});
    }
    graph_.output =
        graph_.add_op(OpKind::select_rows, "output.selected", -1, {logits, output_rows_});
    return std::move(graph_);
}

graph::Graph Transformer::finish_encoder(ValueId x) {
    graph_.output = graph_.add_op(OpKind::select_rows, "output.selected", -1, {x, output_rows_});
    return std::move(graph_);
}

}  // namespace hone::models
