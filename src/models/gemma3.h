// Gemma 3 (text): norms before and after attention and feed-forward, norms of q and k heads, GeGLU,
// five windowed layers to one global, which rotate by different bases.
//
// Names and metadata keys are those of GGUF files of architecture "gemma3". Norm weights are stored
// with the 1 that the paper's formula adds. Files name neither the base of windowed layers (10^4)
// nor the layers' pattern (6) nor, for the 27B model, the scale of scores: those are facts of the
// published models. Not its vision tower. Reference: Gemma Team 2025, "Gemma 3 Technical Report".
#pragma once

#include "models/architecture.h"

namespace hone::models {

base::Result<ModelConfig> read_gemma3_config(const formats::GgufFile& file);

}  // namespace hone::models
