// The frequencies of rotary positions (RoPE, Su et al. 2021) and their scalings for contexts longer
// than those of the training.
//
// Pair i of `dims` / 2 turns by frequency base^(-2 i / dims) per position. Scalings:
//   linear    positions shrink by the factor (Chen et al. 2023)
//   yarn      pairs that turn fewer than beta_slow times within the original context shrink by the
//             factor, those that turn more than beta_fast times stay, and those between are mixed;
//             cos and sin grow by 1 + 0.1 ln(factor) (Peng et al. 2023)
//   longrope  each frequency is divided by a factor of its own, of one of two sets: one for
//   contexts
//             up to the original, one for longer ones (Ding et al. 2024)
// Pure; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace hone::models {

struct RopeScaling {
    enum class Kind : uint8_t { none, linear, yarn, longrope };

    Kind kind = Kind::none;
    float factor = 1.0f;            // linear, yarn
    uint32_t original_context = 0;  // yarn, longrope
    float beta_fast = 32.0f;        // yarn, likewise below
    float beta_slow = 1.0f;
    float magnitude = 1.0f;  // of cos and sin
    bool operator==(const RopeScaling&) const = default;
};

// [dims / 2]. `factors` divide them one by one; empty: none. Linear scaling is not in them, since
// it is one factor of all.
std::vector<float> rope_frequencies(uint32_t dims, float base, const RopeScaling& scaling,
                                    std::span<const float> factors);

}  // namespace hone::models
