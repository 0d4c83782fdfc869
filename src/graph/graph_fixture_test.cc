#include "graph/graph_fixture.h"

#include <cmath>

namespace hone::graph {
namespace {

class TinyBuilder {
  public:
    TinyBuilder(const TinyShape& s, RandomWeights& weights, uint64_t seed)
        : s_(s), weights_(weights), random_(seed) {}

    Graph build() {
        Value tokens;
        tokens.name = "tokens";
        tokens.type = ElementType::i32;
        tokens.origin = ValueOrigin::input_tokens;
        tokens.dims = {Dim{1, Symbol::tokens}};
        Value rows = tokens;
        rows.name = "rows";
        rows.origin = ValueOrigin::input_output_rows;
        rows.dims = {Dim{1, Symbol::outputs}};
        const ValueId tokens_id = g_.add_value(tokens);
        const ValueId rows_id = g_.add_value(rows);
        Value frequencies;
        frequencies.name = "frequencies";
        frequencies.origin = ValueOrigin::constant;
        frequencies.dims = {Dim{1, Symbol::one}, Dim{s_.head_dim / 2, Symbol::one}};
        std::vector<float> data(s_.head_dim / 2);
        for (size_t i = 0; i < data.size(); ++i) {
            data[i] = static_cast<float>(std::pow(10000.0, -2.0 * double(i) / s_.head_dim));
        }
        frequencies.data = std::make_shared<const std::vector<float>>(data);
        const ValueId scaled = g_.add_op(OpKind::scale, "scale", -1, {g_.add_value(frequencies)},
                                         ScaleAttributes{1.0f});
        const ValueId table =
            g_.add_op(OpKind::rope_table, "table", -1, {scaled}, RopeTableAttributes{s_.context});
        ValueId x = g_.add_op(OpKind::embedding, "embd", -1,
                              {weight("embd", s_.n_vocab, s_.n_embd), tokens_id});
        for (uint32_t l = 0; l < s_.n_layers; ++l) x = block(l, x, table);
        x = g_.add_op(OpKind::rms_norm, "out_norm", -1, {x, weight("out_norm", 1, s_.n_embd)},
                      NormAttributes{1e-5f});
        x = g_.add_op(OpKind::linear, "head", -1, {x, embedding_});
        g_.output = g_.add_op(OpKind::select_rows, "selected", -1, {x, rows_id});
        return std::move(g_);
    }

  private:
    ValueId weight(const std::string& name, uint64_t rows, uint64_t columns) {
        const auto dtype = rows == 1 ? tensor::DType::f32 : s_.dtype;
        weights_.add(name, dtype, rows, columns, random_);
        Value value;
        value.name = name;
        value.type = ElementType::weight;
        value.origin = ValueOrigin::weight;
        value.parts = {{name, dtype, rows, columns}};
        const ValueId id = g_.add_value(value);
        if (name == "embd") embedding_ = id;
        return id;
    }

    ValueId block(uint32_t layer, ValueId x, ValueId table) {
        const std::string p = std::to_string(layer) + ".";
        const int l = static_cast<int>(layer);
        const uint64_t kv_width = uint64_t{s_.n_kv_heads} * s_.head_dim;
        const uint64_t q_width = uint64_t{s_.n_heads} * s_.head_dim;
        const auto linear = [&](const char* name, ValueId in, uint64_t rows, uint64_t columns) {
            return g_.add_op(OpKind::linear, p + name, l, {in, weight(p + name, rows, columns)});
        };
        const auto norm = [&](const char* name, ValueId in) {
            return g_.add_op(OpKind::rms_norm, p + name, l, {in, weight(p + name, 1, s_.n_embd)},
                             NormAttributes{1e-5f});
        };
        const ValueId h = norm("norm1", x);
        const ValueId qkv =
            g_.add_op(OpKind::concat, p + "qkv", l,
                      {linear("q", h, q_width, s_.n_embd), linear("k", h, kv_width, s_.n_embd),
                       linear("v", h, kv_width, s_.n_embd)});
        Value cache;
        cache.name = p + "kv";
        cache.type = ElementType::kv;
        cache.origin = ValueOrigin::input_kv;
        AttentionAttributes a;
        a.n_heads = s_.n_heads;
        a.n_kv_heads = s_.n_kv_heads;
        a.head_dim = s_.head_dim;
        a.rope_dims = s_.head_dim;
        a.scale = 1.0f / std::sqrt(static_cast<float>(s_.head_dim));
        a.group_layers = s_.n_layers;
        a.layer_in_group = layer;
        const auto stored =
            g_.add_node(OpKind::rope_store, p + "rope", l, {qkv, g_.add_value(cache), table}, a);
        const ValueId attended =
            g_.add_op(OpKind::attend, p + "attend", l, {stored[0], stored[1]}, a);
        x = g_.add_op(OpKind::add, p + "add1", l, {x, linear("o", attended, s_.n_embd, q_width)});
        const ValueId f = norm("norm2", x);
        const ValueId product =
            g_.add_op(OpKind::gated, p + "gated", l,
                      {linear("gate", f, s_.n_ff, s_.n_embd), linear("up", f, s_.n_ff, s_.n_embd)},
                      ActivationAttributes{});
        return g_.add_op(OpKind::add, p + "add2", l,
                         {x, linear("down", product, s_.n_embd, s_.n_ff)});
    }

    const TinyShape& s_;
    RandomWeights& weights_;
    base::Random random_;
    Graph g_;
    ValueId embedding_ = 0;
};

}  // namespace

Graph tiny_graph(const TinyShape& shape, RandomWeights& weights, uint64_t seed) {
    return TinyBuilder(shape, weights, seed).build();
}

}  // namespace hone::graph
