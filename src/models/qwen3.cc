#include "models/qwen3.h"

#include "models/hyperparameters.h"

namespace hone::models {

base::Result<ModelConfig> read_qwen3_config(const formats::GgufFile& file) {
    HONE_TRY(ModelConfig config, read_config(file, {.architecture = "qwen3"}));
    config.head_norms = true;
    return config;
}

}  // namespace hone::models
