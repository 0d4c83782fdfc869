#include "models/qwen3.h"

#include "models/decoder.h"
#include "models/hyperparameters.h"

namespace hone::models {

using graph::ValueId;

base::Result<ModelConfig> read_qwen3_config(const formats::GgufFile& file) {
    return read_config(file, {.architecture = "qwen3"});
}

std::vector<ExpectedTensor> qwen3_tensors(const ModelConfig& c) {
    std::vector<ExpectedTensor> out = global_tensors(c);
    for (uint32_t layer = 0; layer < c.n_layers; ++layer) {
        add_attention_tensors(c, layer, Decoder::HeadNorms::yes, out);
        add_gated_ffn_tensors(c, layer, out);
    }
    return out;
}

graph::Graph build_qwen3_graph(const formats::GgufFile& file, const ModelConfig& config,
                               uint32_t context) {
    Decoder d(file, config, context);
    ValueId x = d.embedding();
    for (int layer = 0; layer < static_cast<int>(config.n_layers); ++layer) {
        const ValueId h = d.rms_norm("attn_norm", layer, x);
        x = d.add("attn_residual", layer, x,
                  d.attention(layer, d.qkv(layer, h), Decoder::HeadNorms::yes));
        const ValueId f = d.rms_norm("ffn_norm", layer, x);
        x = d.add("ffn_residual", layer, x, d.gated_ffn(layer, f, kernels::GateActivation::silu));
    }
    return d.finish(d.rms_norm("output_norm", -1, x));
}

}  // namespace hone::models
