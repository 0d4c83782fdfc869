// The arithmetic of constant operators: what fold_constants computes once, and what the executor
// computes in every step when that pass is off. Pure functions.
#pragma once

#include <cstdint>
#include <span>

namespace hone::graph {

void scale_values(std::span<const float> x, float factor, std::span<float> out);

// out [positions][n][2] = magnitude times cos, sin of position * inverse_frequency[i]; angles in
// f64, so that far positions keep their precision (RoPE, Su et al. 2021).
void rope_table_values(std::span<const float> inverse_frequencies, uint32_t positions,
                       float magnitude, std::span<float> out);

}  // namespace hone::graph
