// StableLM: LayerNorm with biases, RoPE on the first dims of a head only, SwiGLU; attention and
// feed-forward one after the other or, without ffn_norm, side by side on the same normalized input.
//
// Names and metadata keys are those of GGUF files of architecture "stablelm". Not the norms of
// single q and k heads of StableLM 2 12B. References: Bellagente et al. 2024, "Stable LM 2 1.6B
// Technical Report"; parallel blocks: Wang and Komatsuzaki 2021 (GPT-J).
#pragma once

#include "models/architecture.h"

namespace hone::models {

base::Result<ModelConfig> read_stablelm_config(const formats::GgufFile& file);
std::vector<ExpectedTensor> stablelm_tensors(const ModelConfig& config);
graph::Graph build_stablelm_graph(const formats::GgufFile& file, const ModelConfig& config,
                                  uint32_t context);

}  // namespace hone::models
