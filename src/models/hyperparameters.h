// The metadata of a decoder: keys "<architecture>.<name>" of a GGUF file, each within limits.
//
// Files are foreign: a value outside its bounds is corrupt, one that asks for something Hone does
// not do is unsupported, and both messages name the key. Key names are those that llama.cpp's
// converter writes. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "formats/gguf.h"
#include "models/config.h"

namespace hone::models {

inline constexpr uint64_t kLayersMax = 1024;
inline constexpr uint64_t kWidthMax = 1 << 20;
inline constexpr uint64_t kHeadsMax = 1024;
inline constexpr uint64_t kHeadDimMax = 256;
inline constexpr uint64_t kVocabMax = 4 << 20;
inline constexpr uint64_t kContextMax = 16 << 20;
inline constexpr uint64_t kExpertsMax = 1024;

class Hyperparameters {
  public:
    Hyperparameters(const formats::GgufFile& file, std::string_view architecture)
        : file_(file), prefix_(std::string(architecture) + ".") {}

    std::string key(std::string_view name) const { return prefix_ + std::string(name); }
    bool has(std::string_view name) const { return file_.find(key(name)) != nullptr; }
    base::Result<uint32_t> bounded(std::string_view name, uint64_t low, uint64_t high) const;
    base::Result<uint32_t> bounded_or(std::string_view name, uint64_t low, uint64_t high,
                                      uint64_t fallback) const;
    // Finite and greater than 0.
    base::Result<float> positive_or(std::string_view name, double fallback) const;
    const formats::GgufFile& file() const { return file_; }

  private:
    const formats::GgufFile& file_;
    std::string prefix_;
};

// How one architecture reads the keys that all share.
struct ConfigRules {
    const char* architecture;
    kernels::RopeStyle rope_style = kernels::RopeStyle::halves;
    const char* epsilon_key = "attention.layer_norm_rms_epsilon";
    uint32_t window = 0;          // where the file names none
    uint32_t window_pattern = 0;  // n: every n-th layer is global; 0: all see only the window
    // Where the file names none; 0: as the global layers'.
    float rope_base_windowed = 0.0f;
    // The depth of the one size that divides scores by the root of n_embd / n_heads, not of
    // head_dim; 0: none.
    uint32_t layers_scaled_by_width = 0;
};

base::Result<ModelConfig> read_config(const formats::GgufFile& file, const ConfigRules& rules);

// Which layers see only a window. pattern n: layers n - 1, 2 n - 1, ... see everything.
std::vector<LayerGroup> layer_groups(uint32_t n_layers, uint32_t window, uint32_t pattern);

}  // namespace hone::models
