// The Llama family: RMSNorm, grouped-query attention with adjacent-pair RoPE, SwiGLU.
//
// Names and metadata keys are those of GGUF files of architecture "llama": Llama 1 to 3, Mistral,
// SmolLM2, TinyLlama and others that converters give this name. Llama 3 divides rotation
// frequencies by rope_freqs.weight. With sliding_window and sliding_window_pattern (n: every n-th
// layer is global, the others see only the window) the layers fall into two groups. References:
// Touvron et al. 2023; RoPE: Su et al. 2021; GLU: Shazeer 2020; window: Jiang et al. 2023.
#pragma once

#include "models/architecture.h"

namespace hone::models {

base::Result<ModelConfig> read_llama_config(const formats::GgufFile& file);
std::vector<ExpectedTensor> llama_tensors(const ModelConfig& config);
graph::Graph build_llama_graph(const formats::GgufFile& file, const ModelConfig& config,
                               uint32_t context);

}  // namespace hone::models
