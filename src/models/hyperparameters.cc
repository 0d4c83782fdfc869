#include "models/hyperparameters.h"

#include <cmath>

#include "base/text.h"

namespace hone::models {

using base::ErrorCode;
using base::fail;
using formats::GgufFile;

base::Result<uint32_t> Hyperparameters::bounded(std::string_view name, uint64_t low,
                                                uint64_t high) const {
    HONE_TRY(const uint64_t value, file_.get_u64(key(name)));
    if (value < low || value > high) {
        return fail(ErrorCode::corrupt, "{}: {} is {}, outside [{}, {}]", file_.name(), key(name),
                    value, low, high);
    }
    return static_cast<uint32_t>(value);
}

base::Result<uint32_t> Hyperparameters::bounded_or(std::string_view name, uint64_t low,
                                                   uint64_t high, uint64_t fallback) const {
    if (!has(name)) return static_cast<uint32_t>(fallback);
    return bounded(name, low, high);
}

base::Result<float> Hyperparameters::positive_or(std::string_view name, double fallback) const {
    HONE_TRY(const double value, file_.get_f64_or(key(name), fallback));
    if (!(value > 0) || !std::isfinite(value)) {
        return fail(ErrorCode::corrupt, "{}: {} is {}, not a positive number", file_.name(),
                    key(name), value);
    }
    return static_cast<float>(value);
}

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

namespace {

base::Status read_heads(const Hyperparameters& keys, ModelConfig& config) {
    const std::string& name = keys.file().name();
    HONE_TRY(config.n_heads, keys.bounded("attention.head_count", 1, kHeadsMax));
    HONE_TRY(config.n_kv_heads,
             keys.bounded_or("attention.head_count_kv", 1, config.n_heads, config.n_heads));
    if (config.n_heads % config.n_kv_heads != 0) {
        return fail(ErrorCode::corrupt, "{}: {} heads do not divide into {} KV heads", name,
                    config.n_heads, config.n_kv_heads);
    }
    HONE_TRY(config.head_dim,
             keys.bounded_or("attention.key_length", 1, kWidthMax, config.n_embd / config.n_heads));
    HONE_TRY(const uint32_t value_length,
             keys.bounded_or("attention.value_length", 1, kWidthMax, config.head_dim));
    if (value_length != config.head_dim || config.head_dim % 16 != 0 || config.head_dim == 0 ||
        config.head_dim > kHeadDimMax) {
        return fail(ErrorCode::unsupported,
                    "{}: head dims {} (key) and {} (value); equal multiples of 16 up to {} work",
                    name, config.head_dim, value_length, kHeadDimMax);
    }
    config.attention_scale = 1.0f / std::sqrt(static_cast<float>(config.head_dim));
    return {};
}

base::Result<RopeScaling> read_yarn(const Hyperparameters& keys) {
    RopeScaling yarn{.kind = RopeScaling::Kind::yarn};
    // A mix other than the paper's, and the models whose magnitude goes by another rule.
    for (const char* name : {"rope.scaling.yarn_ext_factor", "rope.scaling.yarn_log_multiplier"}) {
        if (!keys.has(name)) continue;
        return fail(ErrorCode::unsupported, "{}: {} is not supported", keys.file().name(),
                    keys.key(name));
    }
    HONE_TRY(yarn.factor, keys.positive_or("rope.scaling.factor", 1.0));
    HONE_TRY(yarn.original_context,
             keys.bounded("rope.scaling.original_context_length", 1, kContextMax));
    HONE_TRY(yarn.beta_fast, keys.positive_or("rope.scaling.yarn_beta_fast", 32.0));
    HONE_TRY(yarn.beta_slow, keys.positive_or("rope.scaling.yarn_beta_slow", 1.0));
    HONE_TRY(const float attention, keys.positive_or("rope.scaling.attn_factor", 1.0));
    HONE_TRY(const float yarn_attention, keys.positive_or("rope.scaling.yarn_attn_factor", 1.0));
    const float growth = yarn.factor > 1.0f ? 1.0f + 0.1f * std::log(yarn.factor) : 1.0f;
    yarn.magnitude = growth * attention * yarn_attention;
    return yarn;
}

base::Result<RopeScaling> read_rope_scaling(const Hyperparameters& keys) {
    const GgufFile& file = keys.file();
    HONE_TRY(const std::string_view name,
             file.get_string_or(keys.key("rope.scaling.type"), "none"));
    // Files that have the factors often do not say so.
    if (name == "longrope" || file.find_tensor("rope_factors_long.weight") != nullptr) {
        RopeScaling scaling{.kind = RopeScaling::Kind::longrope};
        HONE_TRY(scaling.original_context,
                 keys.bounded("rope.scaling.original_context_length", 1, kContextMax));
        HONE_TRY(scaling.magnitude, keys.positive_or("rope.scaling.attn_factor", 1.0));
        return scaling;
    }
    if (name == "none") return RopeScaling();
    if (name == "yarn") return read_yarn(keys);
    if (name != "linear") {
        return fail(ErrorCode::unsupported,
                    "{}: rope scaling '{}' is not supported; none, linear, yarn, longrope and "
                    "factors per frequency (rope_freqs.weight) are",
                    file.name(), base::printable(name));
    }
    RopeScaling scaling{.kind = RopeScaling::Kind::linear};
    HONE_TRY(scaling.factor, keys.positive_or("rope.scaling.factor", 1.0));
    return scaling;
}

base::Status read_rope(const Hyperparameters& keys, const ConfigRules& rules, ModelConfig& config) {
    const GgufFile& file = keys.file();
    HONE_TRY(config.rope_dims,
             keys.bounded_or("rope.dimension_count", 2, config.head_dim, config.head_dim));
    if (config.rope_dims % 2 != 0) {
        return fail(ErrorCode::corrupt, "{}: odd rope dimension count", file.name());
    }
    HONE_TRY(config.rope_base, keys.positive_or("rope.freq_base", 10000.0));
    const float windowed =
        rules.rope_base_windowed > 0 ? rules.rope_base_windowed : config.rope_base;
    HONE_TRY(config.rope_base_windowed, keys.positive_or("rope.freq_base_swa", double{windowed}));
    HONE_TRY(config.rope_scaling, read_rope_scaling(keys));
    config.rope_factors = file.find_tensor("rope_freqs.weight") != nullptr;
    return {};
}

base::Status read_vocabulary_size(const GgufFile& file, ModelConfig& config) {
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
    return {};
}

}  // namespace

base::Result<ModelConfig> read_config(const GgufFile& file, const ConfigRules& rules) {
    const Hyperparameters keys(file, rules.architecture);
    ModelConfig config;
    config.architecture = rules.architecture;
    HONE_TRY(const std::string_view name, file.get_string_or("general.name", ""));
    config.name = base::printable(name);
    HONE_TRY(config.n_layers, keys.bounded("block_count", 1, kLayersMax));
    HONE_TRY(config.n_embd, keys.bounded("embedding_length", 1, kWidthMax));
    HONE_TRY(config.n_ff, keys.bounded("feed_forward_length", 1, kWidthMax));
    HONE_TRY(config.context_max, keys.bounded("context_length", 1, kContextMax));
    HONE_TRY_STATUS(read_heads(keys, config));
    if (config.n_layers == rules.layers_scaled_by_width) {
        config.attention_scale =
            1.0f / std::sqrt(static_cast<float>(config.n_embd / config.n_heads));
    }
    config.rope_style = rules.rope_style;
    if (config.rope_style != kernels::RopeStyle::none) {
        HONE_TRY_STATUS(read_rope(keys, rules, config));
    }
    HONE_TRY(const double epsilon, file.get_f64(keys.key(rules.epsilon_key)));
    if (!(epsilon >= 0 && epsilon < 1)) {
        return fail(ErrorCode::corrupt, "{}: norm epsilon {} is outside [0, 1)", file.name(),
                    epsilon);
    }
    config.norm_epsilon = static_cast<float>(epsilon);
    HONE_TRY(const uint32_t window,
             keys.bounded_or("attention.sliding_window", 0, kContextMax, rules.window));
    HONE_TRY(const uint32_t pattern, keys.bounded_or("attention.sliding_window_pattern", 0,
                                                     kLayersMax, rules.window_pattern));
    config.groups = layer_groups(config.n_layers, window, pattern);
    config.qkv_bias = file.find_tensor("blk.0.attn_q.bias") != nullptr;
    HONE_TRY_STATUS(read_vocabulary_size(file, config));
    return config;
}

}  // namespace hone::models
