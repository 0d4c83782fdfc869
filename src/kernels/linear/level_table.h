// Which table format a stored type of integers and scales becomes (tensor/integer_block.h), and the
// levels of its table: what pack_tiles writes at the start of a tile. Constants; pure; safe from
// any thread.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/linear/packed_matrix.h"
#include "tensor/dtype.h"

namespace hone::kernels {

struct LevelTable {
    PackFormat format;
    // Indexed by code. A code that no value needs has a level at the format's limit, so that a test
    // which sets all bits reaches it.
    std::array<int8_t, 16> levels;
};

// nullptr for other types.
const LevelTable* level_table(tensor::DType dtype);

}  // namespace hone::kernels
