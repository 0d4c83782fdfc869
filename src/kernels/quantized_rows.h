// The one activation format of every quantized linear kernel: int8 in blocks of 32 along a row.
//
// For row r and block b (32 values x): scale = max|x| / 127, q = round_to_nearest_even(x / scale)
// in
// [-127, 127]; an all-zero block has scale 0. The sums serve weight formats with an offset or
// minimum: sum over k of (u[k] + c) * q[k] = dot(u, q) + c * sum(q). Not a storage format. Borrowed
// views; shapes in the comments; every pointer 64-byte aligned and every row stride as given.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hone::kernels {

inline constexpr size_t kBlock = 32;

struct QuantizedRows {
    int8_t* q = nullptr;          // [rows][columns]
    float* scale = nullptr;       // [rows][columns / 32]
    float* scaled_sum = nullptr;  // [rows][columns / 32], scale * sum of the 32 q
    int16_t* sum16 = nullptr;     // [rows][columns / 16], sum of 16 q
    size_t columns = 0;           // a multiple of 32

    const int8_t* row_q(size_t r) const { return q + r * columns; }
    const float* row_scale(size_t r) const { return scale + r * (columns / 32); }
    const float* row_scaled_sum(size_t r) const { return scaled_sum + r * (columns / 32); }
    const int16_t* row_sum16(size_t r) const { return sum16 + r * (columns / 16); }
};

// Bytes for `rows` rows, and the view over such a piece of memory (64-byte aligned).
size_t quantized_rows_bytes(size_t rows, size_t columns);
QuantizedRows quantized_rows_at(std::byte* memory, size_t rows, size_t columns);

}  // namespace hone::kernels
