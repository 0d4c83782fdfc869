// Blocks whose values are a small integer times a scale: w[i] = scales[i / 16] * values[i].
//
// That holds for Q3_K, the IQ, TQ and MX types, however they pack the integers (code books, signs
// apart, base 3). One decoder per type serves the reference (tensor/codec.h) and the packing of
// kernels, which want the integers. Every product is exact in f32: scales are halves (or powers of
// two) times integers of at most 6 bits, values have at most 8.
//
// Values a type can have (kernels hold tables of them):
//   Q3_K -4..3   IQ1_S, IQ1_M +-1, +-7, +-9 (8 times -1, 0 or 1, and +-1 for the delta of 1/8)
//   IQ2_* +-8, +-25, +-43   IQ3_XXS +-4, 12, 20, 28, 36, 44, 52, 62   IQ3_S odd, -15..15
//   IQ4_* 16 levels of -127..113   TQ* -1..2   MXFP4 0, +-1, 2, 3, 4, 6, 8, 12
//
// Layouts (all fields little endian, d is a half; g = i / 32 counts groups of 32 elements, and a
// "sign index" is 7 bits of which the eighth sign is the parity, so that the number of minus signs
// is even). They are facts of ggml's block formats:
//   Q3_K     | hmask 32 | qs 64 | scales 12 | d |
//            value = 2 bits of qs as in Q2_K, minus 4 unless bit g of hmask[i % 32] is set; scale =
//            d * (sc - 32), sc[j] for 16 elements: low 4 bits in nibble j / 8 of scales[j % 8],
//            high 2 in bits 2 (j / 4).. of scales[8 + j % 4]
//   IQ2_XXS  | d | 8 x (4 grid bytes, u32 with 4 sign indices and a 4-bit s on top) |
//            scale = d * (s + 1/2) / 4
//   IQ2_XS   | d | 32 x u16 (9-bit grid index, sign index) | 8 bytes, a nibble s for 16 elements |
//   IQ2_S    | d | 32 grid bytes | 32 sign bytes | 8 bytes, 2 high grid bits each | 8 bytes of s |
//   IQ3_XXS  | d | 64 grid bytes | 8 x u32 as in IQ2_XXS |           scale = d * (s + 1/2) / 2
//   IQ3_S    | d | 64 grid bytes | 8 bytes, a ninth grid bit each | 32 sign bytes | 4 bytes, a
//            nibble s for 32 elements |                              scale = d * (2 s + 1)
//   IQ1_S    | d | 32 grid bytes | 8 x u16: four times 3 high grid bits, 3-bit s, sign of delta |
//            w = d * (2 s + 1) * (grid + delta), delta = +-1/8
//   IQ1_M    | 32 grid bytes | 16 bytes: nibbles of 3 high grid bits and the sign of delta for 8
//            elements | 4 x u16: four times 3-bit s for 16 elements, and 4 bits of d on top |
//   IQ4_NL   | d | 16 bytes: nibbles as in Q4_0, through a table of levels |
//   IQ4_XS   | d | u16: high 2 bits of s | 4 bytes: low nibbles of s | 128 bytes: 8 x as IQ4_NL |
//            scale = d * (s - 32)
//   TQ1_0    | 48 bytes: 32 of five trits each, then 16 of five | 4 bytes of four trits | d |
//            trit n of byte b = (b * 3^n mod 256) * 3 / 256; value = trit - 1
//   TQ2_0    | 64 bytes: four 2-bit values each, as in Q2_K | d |    value = code - 1
//   MXFP4    | u8 exponent e | 16 bytes: nibbles as in Q4_0, through e2m1 doubled |
//            scale = 2^(e - 128)
// Pure; safe from any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "tensor/dtype.h"

namespace hone::tensor {

struct IntegerBlock {
    std::array<int8_t, 256> values{};
    std::array<float, 16> scales{};
};

// Decodes one block; the first block_elements(dtype) values and their scales are set. A type that
// is none of the above is a bug.
void decode_integers(DType dtype, const std::byte* block, IntegerBlock& out);

}  // namespace hone::tensor
