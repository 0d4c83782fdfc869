#include "models/phi3.h"

#include "models/hyperparameters.h"
#include "models/transformer.h"

namespace hone::models {

using graph::ValueId;

base::Result<ModelConfig> read_phi3_config(const formats::GgufFile& file) {
    return read_config(file, {.architecture = "phi3"});
}

std::vector<ExpectedTensor> phi3_tensors(const ModelConfig& c) {
    std::vector<ExpectedTensor> out = global_tensors(c);
    for (uint32_t layer = 0; layer < c.n_layers; ++layer) {
        const auto add = [&](const char* name, uint64_t columns, uint64_t rows = 1) {
            out.push_back({tensor_name(layer, name), columns, rows});
        };
        add("attn_norm.weight", c.n_embd);
        add("attn_qkv.weight", c.n_embd, c.q_width() + 2 * c.kv_width());
        add("attn_output.weight", c.q_width(), c.n_embd);
        add("ffn_norm.weight", c.n_embd);
        add("ffn_up.weight", c.n_embd, 2 * uint64_t{c.n_ff});
        add("ffn_down.weight", c.n_ff, c.n_embd);
    }
    return out;
}

graph::Graph build_phi3_graph(const formats::GgufFile& file, const ModelConfig& config,
                              uint32_t context) {
    Transformer t(file, config, context);
    ValueId x = t.embedding();
    for (const int layer : config.layers_in_use()) {
        const ValueId h = t.rms_norm("attn_norm", layer, x);
        x = t.add("attn_residual", layer, x, t.attention(layer, t.linear("attn_qkv", layer, h)));
        const ValueId f = t.rms_norm("ffn_norm", layer, x);
        x = t.add("ffn_residual", layer, x, t.fused_gated_ffn(layer, f, kernels::Activation::silu));
    }
    return t.finish(t.rms_norm("output_norm", -1, x));
}

}  // namespace hone::models
