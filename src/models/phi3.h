// Phi-3 and Phi-4: as Llama, with q, k and v in one stored tensor and gate and up in another, and
// RoPE on halves of a head.
//
// Names and metadata keys are those of GGUF files of architecture "phi3": attn_qkv holds the rows
// of q, then k, then v; ffn_up holds those of the gate, then of up. A sliding window counts for
// every layer, as the published configuration says. Those for long contexts have two sets of
// frequency factors (models/rope.h). Reference: Abdin et al. 2024, "Phi-3 Technical Report".
#pragma once

#include "models/architecture.h"

namespace hone::models {

base::Result<ModelConfig> read_phi3_config(const formats::GgufFile& file);
std::vector<ExpectedTensor> phi3_tensors(const ModelConfig& config);
graph::Graph build_phi3_graph(const formats::GgufFile& file, const ModelConfig& config,
                              uint32_t context);

}  // namespace hone::models
