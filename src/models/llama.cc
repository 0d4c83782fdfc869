#include "models/llama.h"

#include "models/decoder.h"
#include "models/hyperparameters.h"

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
    Decoder d(file, config, context);
    ValueId x = d.embedding();
    for (int layer = 0; layer < static_cast<int>(config.n_layers); ++layer) {
        const ValueId h = d.rms_norm("attn_norm", layer, x);
        x = d.add("attn_residual", layer, x, d.attention(layer, d.qkv(layer, h)));
        const ValueId f = d.rms_norm("ffn_norm", layer, x);
        x = d.add("ffn_residual", layer, x, d.gated_ffn(layer, f, kernels::GateActivation::silu));
    }
    return d.finish(d.rms_norm("output_norm", -1, x));
}

}  // namespace hone::models
