// Floats to one block of a stored type, the simple way: see quantize() in tensor/codec.h, which is
// what callers use. Private to this room; pure.
#pragma once

#include <cstddef>

#include "tensor/dtype.h"

namespace hone::tensor {

// Encodes block_elements(dtype) finite floats. The type must have can_quantize().
void encode_block(DType dtype, const float* x, std::byte* block);

}  // namespace hone::tensor
