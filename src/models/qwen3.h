// Qwen 3: as Llama, with norms of q and k heads before RoPE, which turns halves of a head.
//
// Names and metadata keys are those of GGUF files of architecture "qwen3". Its mixture of experts
// is models/qwen3moe.h. Reference: Yang et al. 2025, "Qwen3 Technical Report".
#pragma once

#include "models/architecture.h"

namespace hone::models {

base::Result<ModelConfig> read_qwen3_config(const formats::GgufFile& file);

}  // namespace hone::models
