#include "models/bert.h"

#include "models/hyperparameters.h"
#include "models/transformer.h"

namespace hone::models {
namespace {

using base::ErrorCode;
using base::fail;
using graph::ValueId;

// By the numbers of the files.
base::Result<Pooling> read_pooling(const Hyperparameters& keys) {
    constexpr Pooling kByNumber[] = {Pooling::none, Pooling::mean, Pooling::cls, Pooling::last};
    constexpr uint64_t kRank = 4;
    if (!keys.has("pooling_type")) return Pooling::mean;
    HONE_TRY(const uint32_t number, keys.bounded("pooling_type", 0, kRank));
    if (number == kRank) {
        return fail(ErrorCode::unsupported,
                    "{}: a model that ranks pairs of texts is not supported", keys.file().name());
    }
    return kByNumber[number];
}

}  // namespace

base::Result<ModelConfig> read_bert_config(const formats::GgufFile& file) {
    HONE_TRY(ModelConfig config,
             read_config(file, {.architecture = "bert",
                                .rope_style = kernels::RopeStyle::none,
                                .epsilon_key = "attention.layer_norm_epsilon"}));
    const Hyperparameters keys(file, "bert");
    HONE_TRY(const bool causal, file.get_bool_or(keys.key("attention.causal"), false));
    if (causal || config.groups.size() != 1 || config.groups[0].window != 0) {
        return fail(ErrorCode::unsupported,
                    "{}: a bert whose tokens do not all see each other is not supported",
                    file.name());
    }
    config.causal = false;
    config.linear_bias = true;
    config.qkv_bias = true;
    const formats::GgufTensor* types = file.find_tensor("token_types.weight");
    if (types != nullptr) config.n_token_types = static_cast<uint32_t>(types->dims[1]);
    HONE_TRY(config.pooling, read_pooling(keys));
    return config;
}

std::vector<ExpectedTensor> bert_tensors(const ModelConfig& c) {
    std::vector<ExpectedTensor> out = {{"token_embd.weight", c.n_embd, c.n_vocab},
                                       {"position_embd.weight", c.n_embd, c.context_max},
                                       {"token_embd_norm.weight", c.n_embd},
                                       {"token_embd_norm.bias", c.n_embd}};
    if (c.n_token_types > 0) {
        out.push_back({"token_types.weight", c.n_embd, c.n_token_types});
    }
    for (uint32_t layer = 0; layer < c.n_layers; ++layer) {
        const auto add = [&](const char* name, uint64_t columns, uint64_t rows = 1) {
            out.push_back({tensor_name(layer, name), columns, rows});
        };
        add_attention_tensors(c, layer, out);
        add("attn_output_norm.weight", c.n_embd);
        add("attn_output_norm.bias", c.n_embd);
        add("ffn_up.weight", c.n_embd, c.n_ff);
        add("ffn_up.bias", c.n_ff);
        add("ffn_down.weight", c.n_ff, c.n_embd);
        add("ffn_down.bias", c.n_embd);
        add("layer_output_norm.weight", c.n_embd);
        add("layer_output_norm.bias", c.n_embd);
    }
    return out;
}

graph::Graph build_bert_graph(const formats::GgufFile& file, const ModelConfig& config,
                              uint32_t context) {
    Transformer t(file, config, context);
    ValueId x = t.add("position_sum", -1, t.embedding(), t.position_embedding());
    if (config.n_token_types > 0) x = t.add_first_row("token_types", x);
    x = t.layer_norm("token_embd_norm", -1, x);
    for (const int layer : config.layers_in_use()) {
        const ValueId a = t.attention(layer, t.qkv(layer, x));
        x = t.layer_norm("attn_output_norm", layer, t.add("attn_residual", layer, x, a));
        const ValueId f = t.ffn(layer, x, kernels::Activation::gelu);
        x = t.layer_norm("layer_output_norm", layer, t.add("ffn_residual", layer, x, f));
    }
    return t.finish_encoder(x);
}

}  // namespace hone::models
