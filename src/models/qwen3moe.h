// Qwen 3 with a mixture of experts: attention as Qwen 3, and of the feed-forward layers of a block
// each token takes the few that a router gives the best scores, weighted by their softmax.
//
// Names and metadata keys are those of GGUF files of architecture "qwen3moe". References: Yang et
// al. 2025, "Qwen3 Technical Report"; routing: Shazeer et al. 2017.
#pragma once

#include "models/architecture.h"

namespace hone::models {

base::Result<ModelConfig> read_qwen3moe_config(const formats::GgufFile& file);
std::vector<ExpectedTensor> qwen3moe_tensors(const ModelConfig& config);
graph::Graph build_qwen3moe_graph(const formats::GgufFile& file, const ModelConfig& config,
                                  uint32_t context);

}  // namespace hone::models
