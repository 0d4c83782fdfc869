// Qwen 2 and 2.5: as Llama, with biases on q, k and v and RoPE on halves of a head.
//
// Names and metadata keys are those of GGUF files of architecture "qwen2". Not its mixture of
// experts (qwen2moe) and not its vision models. Reference: Yang et al. 2024, "Qwen2 Technical
// Report".
#pragma once

#include "models/architecture.h"

namespace hone::models {

base::Result<ModelConfig> read_qwen2_config(const formats::GgufFile& file);

}  // namespace hone::models
