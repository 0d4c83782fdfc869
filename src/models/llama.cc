#include "models/llama.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "base/text.h"

namespace hone::models {
namespace {

using base::ErrorCode;
using base::fail;
using formats::GgufFile;
using graph::AttentionAttributes;
using graph::Dim;
using graph::ElementType;
using graph::Graph;
using graph::OpKind;
using graph::Symbol;
using graph::Value;
using graph::ValueId;
using graph::ValueOrigin;

constexpr uint64_t kLayersMax = 1024;
constexpr uint64_t kWidthMax = 1 << 20;
constexpr uint64_t kHeadsMax = 1024;
constexpr uint64_t kHeadDimMax = 256;
constexpr uint64_t kVocabMax = 4 << 20;
constexpr uint64_t kContextMax = 16 << 20;

base::Result<uint32_t> bounded(const GgufFile& file, const char* key, uint64_t low, uint64_t high) {
    HONE_TRY(const uint64_t value, file.get_u64(key));
    if (value < low || value > high) {
        return fail(ErrorCode::corrupt, "{}: {} is {}, outside [{}, {}]", file.name(), key, value,
                    low, high);
    }
    return static_cast<uint32_t>(value);
}

base::Result<uint32_t> bounded_or(const GgufFile& file, const char* key, uint64_t low,
                                  uint64_t high, uint64_t fallback) {
    if (file.find(key) == nullptr) return static_cast<uint32_t>(fallback);
    return bounded(file, key, low, high);
}

// Which layers see only a window. pattern n: every n-th layer (n - 1, 2n - 1, ...) sees everything.
std::vector<LayerGroup> layer_groups(uint32_t n_layers, uint32_t window, uint32_t pattern) {
    LayerGroup global;
    LayerGroup windowed;
    windowed.window = window;
    for (uint32_t layer = 0; layer < n_layers; ++layer) {
        const bool sees_all = window == 0 || (pattern > 0 && (layer + 1) % pattern == 0);
        (sees_all ? global : windowed).layers.push_back(layer);
    }
    std::vector<LayerGroup> groups;
    if (!global.layers.empty()) groups.push_back(std::move(global));
    if (!windowed.layers.empty()) groups.push_back(std::move(windowed));
    return groups;
}

base::Status read_rope(const GgufFile& file, ModelConfig& config) {
    HONE_TRY(config.rope_dims,
             bounded_or(file, "llama.rope.dimension_count", 2, config.head_dim, config.head_dim));
    HONE_TRY(const double base, file.get_f64_or("llama.rope.freq_base", 10000.0));
    HONE_TRY(const std::string_view scaling, file.get_string_or("llama.rope.scaling.type", "none"));
    if (scaling != "none" && scaling != "linear") {
        return fail(ErrorCode::unsupported, "{}: rope scaling '{}' is not supported", file.name(),
                    base::printable(scaling));
    }
    HONE_TRY(const double scale, file.get_f64_or("llama.rope.scaling.factor", 1.0));
    if (!(base > 0) || !std::isfinite(base) || !(scale > 0) || !std::isfinite(scale)) {
        return fail(ErrorCode::corrupt, "{}: rope base {} or scale {} is not positive", file.name(),
                    base, scale);
    }
    config.rope_base = static_cast<float>(base);
    config.rope_scale = scaling == "linear" ? static_cast<float>(scale) : 1.0f;
    if (config.rope_dims % 2 != 0) {
        return fail(ErrorCode::corrupt, "{}: odd rope dimension count", file.name());
    }
    return {};
}

base::Status read_heads(const GgufFile& file, ModelConfig& config) {
    HONE_TRY(config.n_heads, bounded(file, "llama.attention.head_count", 1, kHeadsMax));
    HONE_TRY(config.n_kv_heads,
             bounded_or(file, "llama.attention.head_count_kv", 1, config.n_heads, config.n_heads));
    if (config.n_heads % config.n_kv_heads != 0) {
        return fail(ErrorCode::corrupt, "{}: {} heads do not divide into {} KV heads", file.name(),
                    config.n_heads, config.n_kv_heads);
    }
    HONE_TRY(config.head_dim, bounded_or(file, "llama.attention.key_length", 1, kWidthMax,
                                         config.n_embd / config.n_heads));
    HONE_TRY(const uint32_t value_length,
             bounded_or(file, "llama.attention.value_length", 1, kWidthMax, config.head_dim));
    if (value_length != config.head_dim || config.head_dim % 16 != 0 ||
        config.head_dim > kHeadDimMax) {
        return fail(ErrorCode::unsupported,
                    "{}: head dims {} (key) and {} (value); equal multiples of 16 up to {} work",
                    file.name(), config.head_dim, value_length, kHeadDimMax);
    }
    return {};
}

struct Expected {
    std::string name;
    uint64_t columns;
    uint64_t rows;
};

std::vector<Expected> layer_tensors(const ModelConfig& c, uint32_t layer) {
    const std::string p = fmt::format("blk.{}.", layer);
    const uint64_t q = uint64_t{c.n_heads} * c.head_dim;
    const uint64_t kv = uint64_t{c.n_kv_heads} * c.head_dim;
    return {{p + "attn_norm.weight", c.n_embd, 1},     {p + "attn_q.weight", c.n_embd, q},
            {p + "attn_k.weight", c.n_embd, kv},       {p + "attn_v.weight", c.n_embd, kv},
            {p + "attn_output.weight", q, c.n_embd},   {p + "ffn_norm.weight", c.n_embd, 1},
            {p + "ffn_gate.weight", c.n_embd, c.n_ff}, {p + "ffn_up.weight", c.n_embd, c.n_ff},
            {p + "ffn_down.weight", c.n_ff, c.n_embd}};
}

base::Status check_tensor(const GgufFile& file, const Expected& expected) {
    const formats::GgufTensor* tensor = file.find_tensor(expected.name);
    if (tensor == nullptr) {
        return fail(ErrorCode::corrupt, "{}: tensor '{}' is missing", file.name(), expected.name);
    }
    HONE_TRY(const tensor::TensorView view, file.tensor(expected.name));
    if (view.columns() != expected.columns || view.rows() != expected.rows) {
        return fail(ErrorCode::corrupt, "{}: tensor '{}' is {} x {}, expected {} x {}", file.name(),
                    expected.name, view.rows(), view.columns(), expected.rows, expected.columns);
    }
    return {};
}

class LlamaBuilder {
  public:
    LlamaBuilder(const GgufFile& file, const ModelConfig& config) : file_(file), c_(config) {}

    Graph build(uint32_t context) {
        const ValueId tokens =
            input("tokens", ElementType::i32, ValueOrigin::input_tokens, Symbol::tokens);
        const ValueId rows =
            input("output_rows", ElementType::i32, ValueOrigin::input_output_rows, Symbol::outputs);
        const ValueId table = rope_table(context);
        ValueId x = graph_.add_op(OpKind::embedding, "token_embd", -1,
                                  {weight("token_embd.weight"), tokens});
        for (uint32_t g = 0; g < c_.groups.size(); ++g) group_of_layers(g);
        for (uint32_t layer = 0; layer < c_.n_layers; ++layer) x = block(layer, x, table);
        x = norm("output_norm", -1, x);
        const std::string head = c_.tied_embeddings ? "token_embd.weight" : "output.weight";
        x = graph_.add_op(OpKind::linear, "output", -1, {x, weight(head)});
        graph_.output = graph_.add_op(OpKind::select_rows, "output.selected", -1, {x, rows});
        return std::move(graph_);
    }

  private:
    ValueId input(const char* name, ElementType type, ValueOrigin origin, Symbol symbol) {
        Value value;
        value.name = name;
        value.type = type;
        value.origin = origin;
        value.dims = {Dim{1, symbol}};
        return graph_.add_value(std::move(value));
    }

    ValueId weight(const std::string& name) {
        const tensor::TensorView view = *file_.tensor(name);
        Value value;
        value.name = name;
        value.type = ElementType::weight;
        value.origin = ValueOrigin::weight;
        value.parts = {{name, view.dtype, view.rows(), view.columns()}};
        return graph_.add_value(std::move(value));
    }

    ValueId norm(const std::string& name, int layer, ValueId x) {
        return graph_.add_op(OpKind::rms_norm, name, layer, {x, weight(name + ".weight")},
                             graph::NormAttributes{c_.rms_epsilon});
    }

    // Frequencies base^(-2i / dims), divided by the file's per-frequency factors and by the scale.
    ValueId rope_table(uint32_t context) {
        std::vector<float> frequencies(c_.rope_dims / 2);
        const auto factors = file_.tensor("rope_freqs.weight");
        for (size_t i = 0; i < frequencies.size(); ++i) {
            frequencies[i] = static_cast<float>(
                std::pow(double{c_.rope_base}, -2.0 * static_cast<double>(i) / c_.rope_dims));
            if (factors) frequencies[i] /= reinterpret_cast<const float*>(factors->data)[i];
        }
        Value value;
        value.name = "rope_frequencies";
        value.origin = ValueOrigin::constant;
        value.dims = {Dim{1, Symbol::one}, Dim{frequencies.size(), Symbol::one}};
        value.data = std::make_shared<const std::vector<float>>(std::move(frequencies));
        const ValueId scaled =
            graph_.add_op(OpKind::scale, "rope_scale", -1, {graph_.add_value(std::move(value))},
                          graph::ScaleAttributes{1.0f / c_.rope_scale});
        return graph_.add_op(OpKind::rope_table, "rope_table", -1, {scaled},
                             graph::RopeTableAttributes{context});
    }

    void group_of_layers(uint32_t g) {
        const LayerGroup& group = c_.groups[g];
        for (uint32_t i = 0; i < group.layers.size(); ++i) {
            AttentionAttributes a;
            a.n_heads = c_.n_heads;
            a.n_kv_heads = c_.n_kv_heads;
            a.head_dim = c_.head_dim;
            a.rope_dims = c_.rope_dims;
            a.rope_style = kernels::RopeStyle::adjacent;
            a.scale = 1.0f / std::sqrt(static_cast<float>(c_.head_dim));
            a.window = group.window;
            a.group = g;
            a.group_layers = static_cast<uint32_t>(group.layers.size());
            a.layer_in_group = i;
            attention_[group.layers[i]] = a;
        }
    }

    ValueId block(uint32_t layer, ValueId x, ValueId table) {
        const std::string p = fmt::format("blk.{}.", layer);
        const int l = static_cast<int>(layer);
        const auto linear = [&](const char* name, ValueId in) {
            return graph_.add_op(OpKind::linear, p + name, l, {in, weight(p + name + ".weight")});
        };
        const ValueId h = norm(p + "attn_norm", l, x);
        const ValueId qkv =
            graph_.add_op(OpKind::concat, p + "attn_qkv", l,
                          {linear("attn_q", h), linear("attn_k", h), linear("attn_v", h)});
        Value cache;
        cache.name = p + "kv";
        cache.type = ElementType::kv;
        cache.origin = ValueOrigin::input_kv;
        const ValueId kv = graph_.add_value(std::move(cache));
        const AttentionAttributes& a = attention_.at(layer);
        const auto stored = graph_.add_node(OpKind::rope_store, p + "rope", l, {qkv, table, kv}, a);
        const ValueId attended =
            graph_.add_op(OpKind::attend, p + "attend", l, {stored[0], stored[1]}, a);
        x = graph_.add_op(OpKind::add, p + "attn_residual", l,
                          {x, linear("attn_output", attended)});
        const ValueId f = norm(p + "ffn_norm", l, x);
        const ValueId product = graph_.add_op(OpKind::swiglu, p + "ffn_gate_up", l,
                                              {linear("ffn_gate", f), linear("ffn_up", f)});
        return graph_.add_op(OpKind::add, p + "ffn_residual", l, {x, linear("ffn_down", product)});
    }

    const GgufFile& file_;
    const ModelConfig& c_;
    Graph graph_;
    std::map<uint32_t, AttentionAttributes> attention_;
};

}  // namespace

base::Result<ModelConfig> read_llama_config(const GgufFile& file) {
    ModelConfig config;
    config.architecture = "llama";
    HONE_TRY(const std::string_view name, file.get_string_or("general.name", ""));
    config.name = base::printable(name);
    HONE_TRY(config.n_layers, bounded(file, "llama.block_count", 1, kLayersMax));
    HONE_TRY(config.n_embd, bounded(file, "llama.embedding_length", 1, kWidthMax));
    HONE_TRY(config.n_ff, bounded(file, "llama.feed_forward_length", 1, kWidthMax));
    HONE_TRY(config.context_max, bounded(file, "llama.context_length", 1, kContextMax));
    HONE_TRY_STATUS(read_heads(file, config));
    HONE_TRY_STATUS(read_rope(file, config));
    HONE_TRY(const double epsilon, file.get_f64("llama.attention.layer_norm_rms_epsilon"));
    if (!(epsilon >= 0 && epsilon < 1)) {
        return fail(ErrorCode::corrupt, "{}: rms epsilon {} is outside [0, 1)", file.name(),
                    epsilon);
    }
    config.rms_epsilon = static_cast<float>(epsilon);
    HONE_TRY(const uint64_t experts, file.get_u64_or("llama.expert_count", 0));
    if (experts > 0) {
        return fail(ErrorCode::unsupported, "{}: mixtures of experts are not supported",
                    file.name());
    }
    HONE_TRY(const uint32_t window,
             bounded_or(file, "llama.attention.sliding_window", 0, kContextMax, 0));
    HONE_TRY(const uint32_t pattern,
             bounded_or(file, "llama.attention.sliding_window_pattern", 0, kLayersMax, 0));
    config.groups = layer_groups(config.n_layers, window, pattern);
    const formats::GgufTensor* embedding = file.find_tensor("token_embd.weight");
    if (embedding == nullptr) {
        return fail(ErrorCode::corrupt, "{}: tensor 'token_embd.weight' is missing", file.name());
    }
    if (embedding->dims[1] > kVocabMax) {
        return fail(ErrorCode::corrupt, "{}: {} tokens is over the limit of {}", file.name(),
                    embedding->dims[1], kVocabMax);
    }
    config.n_vocab = static_cast<uint32_t>(embedding->dims[1]);
    config.tied_embeddings = file.find_tensor("output.weight") == nullptr;
    return config;
}

base::Status check_llama_tensors(const GgufFile& file, const ModelConfig& config) {
    size_t known = 2;
    HONE_TRY_STATUS(check_tensor(file, {"token_embd.weight", config.n_embd, config.n_vocab}));
    HONE_TRY_STATUS(check_tensor(file, {"output_norm.weight", config.n_embd, 1}));
    if (!config.tied_embeddings) {
        ++known;
        HONE_TRY_STATUS(check_tensor(file, {"output.weight", config.n_embd, config.n_vocab}));
    }
    if (file.find_tensor("rope_freqs.weight") != nullptr) {
        ++known;
        HONE_TRY_STATUS(check_tensor(file, {"rope_freqs.weight", config.rope_dims / 2, 1}));
        if (file.tensor("rope_freqs.weight")->dtype != tensor::DType::f32) {
            return fail(ErrorCode::unsupported, "{}: rope_freqs.weight is not F32", file.name());
        }
    }
    for (uint32_t layer = 0; layer < config.n_layers; ++layer) {
        for (const Expected& expected : layer_tensors(config, layer)) {
            ++known;
            HONE_TRY_STATUS(check_tensor(file, expected));
        }
    }
    // A tensor that the formulas do not use (a bias, an adapter) would silently change the model.
    if (known != file.tensors().size()) {
        return fail(
            ErrorCode::unsupported,
            "{}: {} tensors, but a plain llama of this shape has {}: biases or adapters are "
            "not supported",
            file.name(), file.tensors().size(), known);
    }
    return {};
}

Graph build_llama_graph(const GgufFile& file, const ModelConfig& config, uint32_t context) {
    return LlamaBuilder(file, config).build(context);
}

}  // namespace hone::models
