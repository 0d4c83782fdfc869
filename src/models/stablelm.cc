#include "models/stablelm.h"

#include "models/hyperparameters.h"
#include "models/transformer.h"

namespace hone::models {

using graph::ValueId;

base::Result<ModelConfig> read_stablelm_config(const formats::GgufFile& file) {
    if (file.find_tensor("blk.0.attn_q_norm.weight") != nullptr) {
        return base::fail(base::ErrorCode::unsupported,
                          "{}: norms of single heads (blk.0.attn_q_norm.weight) are not supported",
                          file.name());
    }
    HONE_TRY(ModelConfig config,
             read_config(file, {.architecture = "stablelm",
                                .epsilon_key = "attention.layer_norm_epsilon"}));
    config.parallel_residual = file.find_tensor("blk.0.ffn_norm.weight") == nullptr;
    return config;
}

std::vector<ExpectedTensor> stablelm_tensors(const ModelConfig& c) {
    std::vector<ExpectedTensor> out = global_tensors(c);
    out.push_back({"output_norm.bias", c.n_embd});
    for (uint32_t layer = 0; layer < c.n_layers; ++layer) {
        add_attention_tensors(c, layer, out);
        out.push_back({tensor_name(layer, "attn_norm.bias"), c.n_embd});
        add_gated_ffn_tensors(c, layer, out);
        if (!c.parallel_residual) out.push_back({tensor_name(layer, "ffn_norm.bias"), c.n_embd});
    }
    return out;
}

graph::Graph build_stablelm_graph(const formats::GgufFile& file, const ModelConfig& config,
                                  uint32_t context) {
    Transformer t(file, config, context);
    ValueId x = t.embedding();
    for (const int layer : config.layers_in_use()) {
        const ValueId h = t.layer_norm("attn_norm", layer, x);
        x = t.add("attn_residual", layer, x, t.attention(layer, t.qkv(layer, h)));
        const ValueId f = config.parallel_residual ? h : t.layer_norm("ffn_norm", layer, x);
        x = t.add("ffn_residual", layer, x, t.gated_ffn(layer, f, kernels::Activation::silu));
    }
    return t.finish(t.layer_norm("output_norm", -1, x));
}

}  // namespace hone::models
