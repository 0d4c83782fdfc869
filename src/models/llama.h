// The Llama family: RMSNorm, grouped-query attention with adjacent-pair RoPE, SwiGLU.
//
// Names and metadata keys are those of GGUF files of architecture "llama". With sliding_window and
// sliding_window_pattern (n: every n-th layer is global, the others see only the window) the layers
// fall into two groups. Reference: Touvron et al. 2023; RoPE: Su et al. 2021; GLU: Shazeer 2020.
#pragma once

#include "base/result.h"
#include "formats/gguf.h"
#include "graph/graph.h"
#include "models/model.h"

namespace hone::models {

// Hyperparameters, all within limits; unsupported where the file asks for something Hone does not
// do.
base::Result<ModelConfig> read_llama_config(const formats::GgufFile& file);
// Every tensor the graph needs is there with the right shape: corrupt otherwise.
base::Status check_llama_tensors(const formats::GgufFile& file, const ModelConfig& config);
graph::Graph build_llama_graph(const formats::GgufFile& file, const ModelConfig& config,
                               uint32_t context);

}  // namespace hone::models
