#include "models/qwen2.h"

#include "models/hyperparameters.h"

namespace hone::models {

base::Result<ModelConfig> read_qwen2_config(const formats::GgufFile& file) {
    return read_config(file, {.architecture = "qwen2"});
}

}  // namespace hone::models
