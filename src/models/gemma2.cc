#include "models/gemma2.h"

#include <cmath>

#include "models/hyperparameters.h"
#include "models/transformer.h"

namespace hone::models {

using graph::ValueId;

base::Result<ModelConfig> read_gemma2_config(const formats::GgufFile& file) {
    HONE_TRY(ModelConfig config, read_config(file, {.architecture = "gemma2",
                                                    .window = 4096,
                                                    .window_pattern = 2,
                                                    .layers_scaled_by_width = 46}));
    const Hyperparameters keys(file, "gemma2");
    HONE_TRY(config.attention_soft_cap, keys.positive_or("attn_logit_softcapping", 50.0));
    HONE_TRY(config.logit_soft_cap, keys.positive_or("final_logit_softcapping", 30.0));
    return config;
}

std::vector<ExpectedTensor> gemma2_tensors(const ModelConfig& c) {
    std::vector<ExpectedTensor> out = global_tensors(c);
    for (uint32_t layer = 0; layer < c.n_layers; ++layer) {
        add_attention_tensors(c, layer, out);
        out.push_back({tensor_name(layer, "post_attention_norm.weight"), c.n_embd});
        add_gated_ffn_tensors(c, layer, out);
        out.push_back({tensor_name(layer, "post_ffw_norm.weight"), c.n_embd});
    }
    return out;
}

graph::Graph build_gemma2_graph(const formats::GgufFile& file, const ModelConfig& config,
                                uint32_t context) {
    Transformer t(file, config, context);
    ValueId x = t.embedding(std::sqrt(static_cast<float>(config.n_embd)));
    for (const int layer : config.layers_in_use()) {
        const ValueId h = t.rms_norm("attn_norm", layer, x);
        const ValueId attended = t.attention(layer, t.qkv(layer, h));
        x = t.add("attn_residual", layer, x, t.rms_norm("post_attention_norm", layer, attended));
        const ValueId f = t.rms_norm("ffn_norm", layer, x);
        const ValueId y = t.gated_ffn(layer, f, kernels::Activation::gelu_tanh);
        x = t.add("ffn_residual", layer, x, t.rms_norm("post_ffw_norm", layer, y));
    }
    return t.finish(t.rms_norm("output_norm", -1, x));
}

}  // namespace hone::models
