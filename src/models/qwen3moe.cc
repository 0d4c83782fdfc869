#include "models/qwen3moe.h"

#include "models/hyperparameters.h"
#include "models/transformer.h"

namespace hone::models {

using base::ErrorCode;
using base::fail;
using graph::ValueId;

base::Result<ModelConfig> read_qwen3moe_config(const formats::GgufFile& file) {
    HONE_TRY(ModelConfig config, read_config(file, {.architecture = "qwen3moe"}));
    config.head_norms = true;
    const Hyperparameters keys(file, "qwen3moe");
    HONE_TRY(config.n_experts, keys.bounded("expert_count", 1, kExpertsMax));
    HONE_TRY(config.n_experts_used, keys.bounded("expert_used_count", 1, config.n_experts));
    HONE_TRY(config.n_ff_expert, keys.bounded("expert_feed_forward_length", 1, kWidthMax));
    // Each expert's rows must fill their tiles of 16, and the input of the next its blocks of 32.
    if (config.n_ff_expert % 32 != 0 || config.n_embd % 32 != 0) {
        return fail(ErrorCode::unsupported, "{}: experts of {} x {}: both must be multiples of 32",
                    file.name(), config.n_ff_expert, config.n_embd);
    }
    return config;
}

std::vector<ExpectedTensor> qwen3moe_tensors(const ModelConfig& c) {
    std::vector<ExpectedTensor> out = global_tensors(c);
    for (uint32_t layer = 0; layer < c.n_layers; ++layer) {
        const auto add = [&](const char* name, uint64_t columns, uint64_t rows, uint64_t experts) {
            out.push_back({tensor_name(layer, name), columns, rows, experts});
        };
        add_attention_tensors(c, layer, out);
        add("ffn_norm.weight", c.n_embd, 1, 1);
        add("ffn_gate_inp.weight", c.n_embd, c.n_experts, 1);
        add("ffn_gate_exps.weight", c.n_embd, c.n_ff_expert, c.n_experts);
        add("ffn_up_exps.weight", c.n_embd, c.n_ff_expert, c.n_experts);
        add("ffn_down_exps.weight", c.n_ff_expert, c.n_embd, c.n_experts);
    }
    return out;
}

graph::Graph build_qwen3moe_graph(const formats::GgufFile& file, const ModelConfig& config,
                                  uint32_t context) {
    Transformer t(file, config, context);
    ValueId x = t.embedding();
    for (const int layer : config.layers_in_use()) {
        const ValueId h = t.rms_norm("attn_norm", layer, x);
        x = t.add("attn_residual", layer, x, t.attention(layer, t.qkv(layer, h)));
        const ValueId f = t.rms_norm("ffn_norm", layer, x);
        x = t.add("ffn_residual", layer, x, t.expert_ffn(layer, f, kernels::Activation::silu));
    }
    return t.finish(t.rms_norm("output_norm", -1, x));
}

}  // namespace hone::models
