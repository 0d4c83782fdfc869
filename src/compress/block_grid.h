// The grid of one quantized block: the values that its codes may take, as stored in a file.
//
// Quantizing a block is two decisions. fit_grid() chooses scales (and minima) and rounds them to
// what the format stores; then each element takes a code. They are apart because not everybody
// takes the nearest code: error feedback (compress/feedback.h) changes the elements that follow
// while it goes. pack_block() writes both. Layouts are those of tensor/codec.h.
//
//   element i, group g = i / group_elements:   x[i] = scale[g] * level(q[i]) + minimum[g]
//
// level(q) is q itself, except in IQ4_NL (compress/block_fit.h). Not for F32, F16 and BF16, which
// have no blocks. Plain values; pure functions, safe from any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace hone::compress {

inline constexpr int kBlockElementsMax = 256;
inline constexpr int kGroupsMax = 16;

struct GridShape {
    int group_elements = 32;
    int groups = 1;
    int low = 0;   // smallest code
    int high = 0;  // largest code
    bool affine = false;
    bool nonlinear = false;
    int elements() const { return group_elements * groups; }
};

// Whether the functions below know the type.
bool has_grid(tensor::DType dtype);
GridShape grid_shape(tensor::DType dtype);

struct BlockGrid {
    std::array<float, kGroupsMax> scale{};
    std::array<float, kGroupsMax> minimum{};
    // As stored: the block's halves, and the groups' whole multiples of them (K types).
    uint16_t d = 0;
    uint16_t m = 0;
    std::array<int8_t, kGroupsMax> group_scale{};
    std::array<int8_t, kGroupsMax> group_minimum{};
};

using BlockCodes = std::array<int8_t, kBlockElementsMax>;

// x and w: elements() values; w > 0 weighs the squared errors.
BlockGrid fit_grid(tensor::DType dtype, const float* x, const float* w);

// The nearest code of one value in a group, and the value of a code.
int nearest_code(const GridShape& shape, const BlockGrid& grid, int group, float x);
float code_value(const GridShape& shape, const BlockGrid& grid, int group, int code);
// Of a whole block.
void nearest_codes(const GridShape& shape, const BlockGrid& grid, const float* x,
                   BlockCodes& codes);

void pack_block(tensor::DType dtype, const BlockGrid& grid, const BlockCodes& codes,
                std::byte* out);

}  // namespace hone::compress
