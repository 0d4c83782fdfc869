// TensorView: a borrowed, typed, read-only rectangle of bytes, with up to four dimensions.
//
// dims[0] is the contiguous dimension (GGUF calls it ne[0]); a matrix of `rows` outputs and
// `columns` inputs is {columns, rows}. Unused dims are 1. The view owns nothing: the bytes belong
// to a file map or a Buffer that must outlive it. It knows no strides: rows follow each other
// without gaps. Plain value; safe to copy between threads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "tensor/dtype.h"

namespace hone::tensor {

struct TensorView {
    DType dtype = DType::f32;
    std::array<uint64_t, 4> dims{1, 1, 1, 1};
    int rank = 0;
    const std::byte* data = nullptr;
    size_t bytes = 0;

    uint64_t columns() const { return dims[0]; }
    uint64_t rows() const { return dims[1] * dims[2] * dims[3]; }
    uint64_t elements() const { return columns() * rows(); }
    size_t row_size_bytes() const { return bytes / rows(); }
    const std::byte* row(uint64_t index) const { return data + index * row_size_bytes(); }
    std::span<const std::byte> span() const { return {data, bytes}; }
};

}  // namespace hone::tensor
