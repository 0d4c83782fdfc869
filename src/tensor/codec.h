// The plain reference for every element type: blocks to floats and back. Never optimized; kernels
// are tested against it, and loading uses it where speed does not matter.
//
// All scales are IEEE halves (tensor/half.h), all fields little endian, blocks are packed without
// padding. Layouts after the GGUF specification and the block formats that ggml documents:
//
//   Q4_0: 32 elements, 18 bytes             x[i] = d * (q[i] - 8)
//     | d f16 | qs 16 bytes |               byte i: low nibble q[i], high nibble q[i + 16]
//
//   Q4_1: 32 elements, 20 bytes             x[i] = d * q[i] + m
//     | d f16 | m f16 | qs 16 bytes |       nibbles as in Q4_0
//
//   Q5_0: 32 elements, 22 bytes             x[i] = d * (q[i] - 16)
//     | d f16 | qh u32 | qs 16 bytes |      nibbles as in Q4_0; bit i of qh is bit 4 of q[i]
//
//   Q5_1: 32 elements, 24 bytes             x[i] = d * q[i] + m
//     | d f16 | m f16 | qh u32 | qs 16 bytes |   codes as in Q5_0
//
//   Q8_0: 32 elements, 34 bytes             x[i] = d * q[i], q signed
//     | d f16 | qs 32 x int8 |
//
//   Q2_K: 256 elements, 84 bytes            x[i] = (d * sc[s]) * q[i] - (dmin * mn[s])
//     | scales 16 bytes | qs 64 bytes | d f16 | dmin f16 |          s = i / 16, 16 groups
//     sc in the low and mn in the high nibble of scales[s]. Each half of 128 elements uses 32 bytes
//     of qs; element 32 k + l of the half is bits 2 k, 2 k + 1 of byte l.
//
//   Q4_K: 256 elements, 144 bytes           x[i] = (d * sc[g]) * q[i] - (dmin * mn[g])
//     | d f16 | dmin f16 | scales 12 bytes | qs 128 bytes |         g = i / 32, 8 groups
//     qs: chunk c of 32 bytes holds elements 64 c ..: low nibbles are group 2 c, high 2 c + 1.
//     scales: 8 x (6-bit sc, 6-bit mn) in 12 bytes b:
//       b[0..3]   = sc[j] in bits 0-5, bits 4-5 of sc[j + 4] in bits 6-7      j = 0..3
//       b[4..7]   = mn[j] in bits 0-5, bits 4-5 of mn[j + 4] in bits 6-7
//       b[8..11]  = bits 0-3 of sc[j + 4] in the low nibble, of mn[j + 4] in the high nibble
//
//   Q5_K: 256 elements, 176 bytes           as Q4_K, with a fifth bit
//     | d f16 | dmin f16 | scales 12 bytes | qh 32 bytes | qs 128 bytes |
//     bit g of qh[l] is bit 4 of element 32 g + l.
//
//   Q6_K: 256 elements, 210 bytes           x[i] = (d * sc[i / 16]) * (q[i] - 32), sc signed
//     | ql 128 bytes | qh 64 bytes | sc 16 x int8 | d f16 |
//     Each half h of 128 elements uses 64 bytes of ql and 32 of qh. Element 32 k + l of the half
//     (k = 0..3) takes its low 4 bits from ql[32 (k % 2) + l] (low nibble for k < 2, else high)
//     and its high 2 bits from bits 2 k, 2 k + 1 of qh[l].
//
// Q3_K and the IQ, TQ and MX types: tensor/integer_block.h. F64 rounds to f32.
//
// All functions are pure and safe from any thread.
#pragma once

#include <cstddef>

#include "tensor/dtype.h"

namespace hone::tensor {

// Writes `elements` floats (whole blocks) to `out`. I32 values are converted by value.
void dequantize(DType dtype, const std::byte* blocks, size_t elements, float* out);

// Whether quantize() knows the type: all but the IQ types with code books, whose encoders are a
// search.
bool can_quantize(DType dtype);

// The type, or the first of its fallbacks whose blocks divide a row of so many columns.
DType fitting_type(DType dtype, uint64_t columns);

// Rounds `elements` finite floats (whole blocks) to the nearest codes of a scale taken from the
// block's extremes. Simple and deterministic: meant for synthetic models and tests, not for making
// the best file of a real model. A type without can_quantize() is a bug of the caller.
void quantize(DType dtype, const float* values, size_t elements, std::byte* out);

}  // namespace hone::tensor
