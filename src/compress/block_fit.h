// The scale (and minimum) of one group of weights that make the weighted squared error small.
//
//   fit_scale    x[i] ~ scale * q[i]             q whole, in [low, high]
//   fit_affine   x[i] ~ scale * q[i] + minimum   q whole, in [0, levels]
//   fit_levels   x[i] ~ scale * level[q[i]]      sixteen levels in ascending order
//
// All minimize sum_i w[i] (x[i] - reconstruction[i])^2. Codes and scale depend on each other: for
// a scale the best codes are the nearest ones, for codes the best scale is a least-squares
// quotient. So each function tries scales around the one that the extremes give, fits each by
// least squares, keeps the best, and alternates the two steps from there. That finds no proven
// optimum; tests hold it against a fine search.
//
// Not here: rounding of the scales to what a block can store (compress/block_grid.h). Group sizes
// are 16 or 32 elements; w is positive. Pure, safe from any thread.
#pragma once

#include <algorithm>
#include <array>

#include "tensor/iq_grids.h"

namespace hone::compress {

struct AffineFit {
    float scale = 0;
    float minimum = 0;
};

// The sixteen levels of IQ4_NL: finer near zero, where most weights are.
inline constexpr auto kNonlinearLevels = [] {
    std::array<float, tensor::kIq4Levels.size()> out{};
    std::copy(tensor::kIq4Levels.begin(), tensor::kIq4Levels.end(), out.begin());
    return out;
}();

// Weighted sums of a group under some codes: what least squares needs.
struct CodeSums {
    float q = 0;
    float qq = 0;
    float xq = 0;
};

template <int N>
float fit_scale(const float* x, const float* w, float low, float high);

// `nonpositive_minimum`: the format stores -minimum as an unsigned number.
template <int N>
AffineFit fit_affine(const float* x, const float* w, float levels, bool nonpositive_minimum);

template <int N>
float fit_levels(const float* x, const float* w);

// Sums with the nearest codes of x / scale; scale 0 gives none.
template <int N>
CodeSums scale_sums(const float* x, const float* w, float inverse_scale, float low, float high);

// The weighted squared error with the nearest codes of an affine grid (minimum may be 0).
template <int N>
float grid_error(const float* x, const float* w, AffineFit grid, float low, float high);

}  // namespace hone::compress
