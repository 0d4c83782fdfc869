// Fills one 16-row tile from rows of stored blocks. Private to this family: callers use pack_tiles
// (packed_matrix.h), which checks the source and zeroes what no row fills. Pure; writes the tile
// only.
#pragma once

#include <cstddef>

#include "tensor/view.h"

namespace hone::kernels {

// Rows [row_begin, row_begin + n_rows), n_rows of 1..16, of a matrix whose type has a packed form.
void pack_tile(const tensor::TensorView& source, size_t row_begin, size_t n_rows, std::byte* tile);

}  // namespace hone::kernels
