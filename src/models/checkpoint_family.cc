#include "models/checkpoint_family.h"

#include <cmath>
#include <cstring>
#include <numbers>

#include "base/text.h"
#include "models/hyperparameters.h"

namespace hone::models {
namespace {

using base::ErrorCode;
using base::fail;
using base::Status;
using formats::AssembledTensor;
using formats::GgufWriter;

struct TensorName {
    std::string_view stored;
    std::string_view name;
};

// Without "bert." before them, as a model with a head has.
constexpr TensorName kBertGlobals[] = {
    {"embeddings.word_embeddings.weight", "token_embd.weight"},
    {"embeddings.position_embeddings.weight", "position_embd.weight"},
    {"embeddings.token_type_embeddings.weight", "token_types.weight"},
    {"embeddings.LayerNorm", "token_embd_norm"},
};
constexpr TensorName kBertLayer[] = {
    {"attention.self.query", "attn_q"},
    {"attention.self.key", "attn_k"},
    {"attention.self.value", "attn_v"},
    {"attention.output.dense", "attn_output"},
    {"attention.output.LayerNorm", "attn_output_norm"},
    {"intermediate.dense", "ffn_up"},
    {"output.dense", "ffn_down"},
    {"output.LayerNorm", "layer_output_norm"},
};
constexpr TensorName kDecoderGlobals[] = {
    {"model.embed_tokens.weight", "token_embd.weight"},
    {"model.norm.weight", "output_norm.weight"},
    {"lm_head.weight", "output.weight"},
};
constexpr TensorName kDecoderLayer[] = {
    {"input_layernorm", "attn_norm"},    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},      {"self_attn.v_proj", "attn_v"},
    {"self_attn.q_norm", "attn_q_norm"}, {"self_attn.k_norm", "attn_k_norm"},
    {"self_attn.o_proj", "attn_output"}, {"post_attention_layernorm", "ffn_norm"},
    {"mlp.gate_proj", "ffn_gate"},       {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"},
};

std::string_view find_name(std::span<const TensorName> names, std::string_view stored) {
    for (const TensorName& known : names) {
        if (known.stored == stored) return known.name;
    }
    return {};
}

// "<module>.weight" or "<module>.bias" by the module's name; early checkpoints call them gamma and
// beta.
std::optional<std::string> module_name(std::span<const TensorName> names, std::string_view stored) {
    const size_t dot = stored.rfind('.');
    if (dot == std::string_view::npos) return std::nullopt;
    std::string_view kind = stored.substr(dot + 1);
    if (kind == "gamma") kind = "weight";
    if (kind == "beta") kind = "bias";
    const std::string_view name = find_name(names, stored.substr(0, dot));
    if (name.empty() || (kind != "weight" && kind != "bias")) return std::nullopt;
    return fmt::format("{}.{}", name, kind);
}

// The same behind "<prefix><number>.", as "blk.<number>.<name>".
std::optional<std::string> layer_name(std::string_view prefix, std::span<const TensorName> names,
                                      std::string_view stored) {
    if (!stored.starts_with(prefix)) return std::nullopt;
    stored.remove_prefix(prefix.size());
    const size_t digits = stored.find_first_not_of("0123456789");
    if (digits == 0 || digits > 4 || digits == std::string_view::npos || stored[digits] != '.') {
        return std::nullopt;
    }
    const auto name = module_name(names, stored.substr(digits + 1));
    if (!name) return std::nullopt;
    return fmt::format("blk.{}.{}", stored.substr(0, digits), *name);
}

std::optional<TensorPlace> place_bert(const CheckpointJson&, std::string_view stored) {
    if (stored.starts_with("bert.")) stored.remove_prefix(5);
    // Of the head that guesses masked words, and what is computed from the first token alone.
    if (stored == "embeddings.position_ids" || stored.starts_with("pooler.dense.") ||
        stored.starts_with("cls.")) {
        return TensorPlace();
    }
    if (const auto name = find_name(kBertGlobals, stored); !name.empty()) {
        return TensorPlace{std::string(name)};
    }
    auto name = module_name(kBertGlobals, stored);
    if (!name) name = layer_name("encoder.layer.", kBertLayer, stored);
    return name ? std::optional(TensorPlace{std::move(*name)}) : std::nullopt;
}

std::optional<TensorPlace> place_decoder(const CheckpointJson& config, std::string_view stored) {
    if (stored == "lm_head.weight" &&
        config.get_bool_or("tie_word_embeddings", false).value_or(false)) {
        return TensorPlace();
    }
    // Computed, and kept by early versions.
    if (stored.ends_with(".rotary_emb.inv_freq")) return TensorPlace();
    if (const auto name = find_name(kDecoderGlobals, stored); !name.empty()) {
        return TensorPlace{std::string(name)};
    }
    auto name = layer_name("model.layers.", kDecoderLayer, stored);
    return name ? std::optional(TensorPlace{std::move(*name)}) : std::nullopt;
}

// GGUF's architecture llama rotates adjacent pairs, these checkpoints the halves of a head.
std::optional<TensorPlace> place_llama(const CheckpointJson& config, std::string_view stored) {
    auto place = place_decoder(config, stored);
    if (!place) return place;
    const bool q = place->name.find(".attn_q.") != std::string::npos;
    if (!q && place->name.find(".attn_k.") == std::string::npos) return place;
    const uint32_t heads = config.get_u32("num_attention_heads").value_or(0);
    place->pair_heads = q ? heads : config.get_u32_or("num_key_value_heads", heads).value_or(0);
    return place;
}

// A number under the architecture's prefix, from a field that must be there.
Status add_number(const CheckpointFamily& family, const char* key, const CheckpointJson& config,
                  const char* field, GgufWriter& out) {
    HONE_TRY(const uint32_t value, config.get_u32(field));
    out.add_u32(fmt::format("{}.{}", family.architecture, key), value);
    return {};
}

Status write_shape(const CheckpointFamily& family, const CheckpointJson& config, GgufWriter& out) {
    constexpr std::pair<const char*, const char*> kNumbers[] = {
        {"context_length", "max_position_embeddings"},   {"embedding_length", "hidden_size"},
        {"feed_forward_length", "intermediate_size"},    {"block_count", "num_hidden_layers"},
        {"attention.head_count", "num_attention_heads"},
    };
    for (const auto& [key, field] : kNumbers) {
        HONE_TRY_STATUS(add_number(family, key, config, field, out));
    }
    return {};
}

Status write_bert(const CheckpointFamily& family, const CheckpointJson& config, GgufWriter& out) {
    HONE_TRY_STATUS(config.expect("hidden_act", "gelu"));
    HONE_TRY_STATUS(config.expect("position_embedding_type", "absolute"));
    HONE_TRY_STATUS(config.expect_flag("is_decoder", false));
    HONE_TRY_STATUS(write_shape(family, config, out));
    HONE_TRY(const float epsilon, config.get_f32_or("layer_norm_eps", 1e-12f));
    out.add_f32("bert.attention.layer_norm_epsilon", epsilon);
    HONE_TRY(const uint32_t token_types, config.get_u32_or("type_vocab_size", 2));
    out.add_bool("bert.attention.causal", false);
    // Hone goes by the tensor; llama.cpp wants the key.
    out.add_u32("tokenizer.ggml.token_type_count", token_types);
    return {};
}

// Rotation: transformers 5 keeps its settings in rope_parameters, earlier ones in two fields.
Status write_rope(const CheckpointFamily& family, const CheckpointJson& config, GgufWriter& out) {
    const CheckpointJson scaling =
        config.child(config.has("rope_parameters") ? "rope_parameters" : "rope_scaling");
    HONE_TRY(float base, config.get_f32_or("rope_theta", 10000.0f));
    HONE_TRY(base, scaling.get_f32_or("rope_theta", base));
    out.add_f32(fmt::format("{}.rope.freq_base", family.architecture), base);
    const char* type = scaling.has("rope_type") ? "rope_type" : "type";
    HONE_TRY_STATUS(scaling.expect(type, "default linear llama3"));
    HONE_TRY(const std::string name, scaling.get_string_or(type, "default"));
    if (name != "linear") return {};
    HONE_TRY(const float factor, scaling.get_f32_or("factor", 1.0f));
    out.add_string(fmt::format("{}.rope.scaling.type", family.architecture), name);
    out.add_f32(fmt::format("{}.rope.scaling.factor", family.architecture), factor);
    return {};
}

base::Result<uint32_t> head_dim(const CheckpointJson& config) {
    HONE_TRY(const uint32_t width, config.get_u32("hidden_size"));
    HONE_TRY(const uint32_t heads, config.get_u32("num_attention_heads"));
    return config.get_u32_or("head_dim", heads > 0 ? width / heads : 0);
}

Status write_decoder(const CheckpointFamily& family, const CheckpointJson& config,
                     GgufWriter& out) {
    HONE_TRY_STATUS(config.expect("hidden_act", "silu"));
    HONE_TRY_STATUS(config.expect_flag("use_sliding_window", false));
    HONE_TRY_STATUS(write_shape(family, config, out));
    const std::string prefix = std::string(family.architecture) + ".";
    HONE_TRY(const uint32_t heads, config.get_u32("num_attention_heads"));
    HONE_TRY(const uint32_t kv_heads, config.get_u32_or("num_key_value_heads", heads));
    HONE_TRY(const uint32_t dim, head_dim(config));
    HONE_TRY(const float epsilon, config.get_f32_or("rms_norm_eps", 1e-6f));
    out.add_u32(prefix + "attention.head_count_kv", kv_heads);
    out.add_u32(prefix + "attention.key_length", dim);
    out.add_u32(prefix + "attention.value_length", dim);
    out.add_u32(prefix + "rope.dimension_count", dim);
    out.add_f32(prefix + "attention.layer_norm_rms_epsilon", epsilon);
    // Others name a window that they do not use.
    if (std::string_view(family.model_type) == "mistral" && config.has("sliding_window")) {
        HONE_TRY_STATUS(
            add_number(family, "attention.sliding_window", config, "sliding_window", out));
    }
    return write_rope(family, config, out);
}

Status add_nothing(const CheckpointJson&, std::vector<AssembledTensor>&) {
    return {};
}

// What Llama 3 divides its frequencies by: 1 for waves that the original context holds often,
// `factor` for those that it holds too rarely, and a mix between (Llama 3.1's published code).
Status add_llama3_factors(const CheckpointJson& config, std::vector<AssembledTensor>& out) {
    const CheckpointJson scaling =
        config.child(config.has("rope_parameters") ? "rope_parameters" : "rope_scaling");
    if (!scaling.is(scaling.has("rope_type") ? "rope_type" : "type", "llama3")) return {};
    HONE_TRY(const float factor, scaling.get_f32_or("factor", 8.0f));
    HONE_TRY(const float low, scaling.get_f32_or("low_freq_factor", 1.0f));
    HONE_TRY(const float high, scaling.get_f32_or("high_freq_factor", 4.0f));
    HONE_TRY(const uint32_t original, scaling.get_u32("original_max_position_embeddings"));
    HONE_TRY(float base, config.get_f32_or("rope_theta", 10000.0f));
    HONE_TRY(base, scaling.get_f32_or("rope_theta", base));
    HONE_TRY(const uint32_t dim, head_dim(config));
    if (!(factor > 0) || !(low > 0) || !(high > low) || original == 0 || !(base > 0) ||
        dim > kHeadDimMax) {
        return fail(ErrorCode::corrupt, "{}: its numbers make no rotation", scaling.where());
    }
    std::vector<float> factors(dim / 2);
    for (size_t i = 0; i < factors.size(); ++i) {
        const double turn = std::pow(double{base}, 2.0 * static_cast<double>(i) / dim);
        const double waves = original / (2 * std::numbers::pi * turn);  // in the original context
        const double mix = std::min(1.0, std::max(0.0, (waves - low) / (high - low)));
        factors[i] = static_cast<float>(1.0 / ((1.0 - mix) / factor + mix));
    }
    AssembledTensor tensor{.name = "rope_freqs.weight"};
    tensor.own.resize(factors.size() * sizeof(float));
    std::memcpy(tensor.own.data(), factors.data(), tensor.own.size());
    tensor.own_dims = {factors.size()};
    out.push_back(std::move(tensor));
    return {};
}

constexpr CheckpointFamily kFamilies[] = {
    {"bert", "bert", true, write_bert, place_bert, add_nothing},
    {"llama", "llama", false, write_decoder, place_llama, add_llama3_factors},
    {"mistral", "llama", false, write_decoder, place_llama, add_nothing},
    {"qwen2", "qwen2", false, write_decoder, place_decoder, add_nothing},
    {"qwen3", "qwen3", false, write_decoder, place_decoder, add_nothing},
};

}  // namespace

std::string checkpoint_families() {
    std::string names;
    for (const CheckpointFamily& family : kFamilies) {
        names += (names.empty() ? "" : ", ") + std::string(family.model_type);
    }
    return names;
}

base::Result<const CheckpointFamily*> find_checkpoint_family(const CheckpointJson& config) {
    const auto type = config.get_string("model_type");
    if (!type) return tl::unexpected(type.error());
    for (const CheckpointFamily& family : kFamilies) {
        if (*type == family.model_type) return &family;
    }
    return fail(ErrorCode::unsupported,
                "{}: model_type '{}' is not supported in a directory; supported: {}",
                config.where(), base::printable(*type), checkpoint_families());
}

}  // namespace hone::models
