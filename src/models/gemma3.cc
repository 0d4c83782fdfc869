#include "models/gemma3.h"

#include "models/hyperparameters.h"

namespace hone::models {

base::Result<ModelConfig> read_gemma3_config(const formats::GgufFile& file) {
    HONE_TRY(ModelConfig config, read_config(file, {.architecture = "gemma3",
                                                    .window_pattern = 6,
                                                    .rope_base_windowed = 10000.0f,
                                                    .layers_scaled_by_width = 62}));
    config.head_norms = true;
    const Hyperparameters keys(file, "gemma3");
    if (keys.has("final_logit_softcapping")) {
        HONE_TRY(config.logit_soft_cap, keys.positive_or("final_logit_softcapping", 1.0));
    }
    return config;
}

}  // namespace hone::models
