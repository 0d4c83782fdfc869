// Gemma 2: norms before and after attention and feed-forward, GeGLU, soft caps of scores and
// logits, every second layer windowed.
//
// Names and metadata keys are those of GGUF files of architecture "gemma2". Norm weights are stored
// with the 1 that the paper's formula adds. Files name neither the pattern of the layers (2) nor,
// in early ones, the window (4096), nor, for the 27B model, the scale of scores: those are facts of
// the published models. Reference: Gemma Team 2024, "Gemma 2: Improving Open Language Models at a
// Practical Size".
#pragma once

#include "models/architecture.h"

namespace hone::models {

base::Result<ModelConfig> read_gemma2_config(const formats::GgufFile& file);
std::vector<ExpectedTensor> gemma2_tensors(const ModelConfig& config);
graph::Graph build_gemma2_graph(const formats::GgufFile& file, const ModelConfig& config,
                                uint32_t context);

}  // namespace hone::models
