// The scales and minima of one stored block, as its readers see them.
//
// Of every type with blocks (tensor/codec.h, tensor/integer_block.h):
//   x[i] = scale[g] * level(q[i]) + minimum[g],   g = i / group_elements
// What level() is depends on the type (compress/block_grid.h for those that can be written). Not a
// decoder of values. Pure.
#pragma once

#include <array>
#include <cstddef>

#include "compress/block_grid.h"
#include "tensor/dtype.h"

namespace hone::compress {

struct BlockScales {
    int groups = 0;
    int group_elements = 0;
    std::array<float, kGroupsMax> scale{};
    std::array<float, kGroupsMax> minimum{};
};

// A type without blocks is a bug of the caller.
BlockScales block_scales(tensor::DType dtype, const std::byte* block);

}  // namespace hone::compress
