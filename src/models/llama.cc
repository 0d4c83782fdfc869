#include "models/llama.h"

#include "models/hyperparameters.h"
#include "models/transformer.h"

namespace hone::models {

using graph::ValueId;

base::Result<ModelConfig> read_llama_config(const formats::GgufFile& file) {
    HONE_TRY(const uint64_t experts, file.get_u64_or("llama.expert_count", 0));
    if (experts > 0) {
        return base::fail(base::ErrorCode::unsupported,
                          "{}: mixtures of experts of architecture llama are not supported",
                          file.name());
    }
    return read_config(file, {.architecture = "llama", .rope_style = kernels::RopeStyle::adjacent});
}

std::vector<ExpectedTensor> llama_tensors(const ModelConfig& c) {
    std::vector<ExpectedTensor> out = global_tensors(c);
    for (uint32_t layer = 0; layer < c.n_layers; ++layer) {
        add_attention_tensors(c, layer, out);
        add_gated_ffn_tensors(c, layer, out);
    }
    return out;
}

graph::Graph build_llama_graph(const formats::GgufFile& file, const ModelConfig& config,
                               uint32_t context) {
    Transformer t(file, config, context);
    ValueId x = t.embedding();
    for (const int layer : config.layers_in_use()) {
        const ValueId h = t.rms_norm("attn_norm", layer, x);
        x = t.add("attn_residual", layer, x, t.attention(layer, t.qkv(layer, h)));
        const ValueId f = t.rms_norm("ffn_norm", layer, x);
        x = t.add("ffn_residual", layer, x, t.gated_ffn(layer, f, kernels::Activation::silu));
    }
    return t.finish(t.rms_norm("output_norm", -1, x));
}

}  // namespace hone::models
