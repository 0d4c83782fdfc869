#include "models/gemma3.h"

#include "models/gemma2.h"
#include "models/hyperparameters.h"

namespace hone::models {

namespace {

constexpr uint32_t kLayersOf27b = 62;

}  // namespace

base::Result<ModelConfig> read_gemma3_config(const formats::GgufFile& file) {
    HONE_TRY(ModelConfig config, read_config(file, {.architecture = "gemma3",
                                                    .window_pattern = 6,
                                                    .rope_base_windowed = 10000.0f}));
    config.head_norms = true;
    if (config.n_layers == kLayersOf27b) config.attention_scale = scale_of_27b(config);
    const Hyperparameters keys(file, "gemma3");
    if (keys.has("final_logit_softcapping")) {
        HONE_TRY(config.logit_soft_cap, keys.positive_or("final_logit_softcapping", 1.0));
    }
    return config;
}

}  // namespace hone::models
