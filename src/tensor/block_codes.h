// Writes codes and sub-block scales into stored blocks, in the layouts of tensor/codec.h: what
// every encoder does with the codes it has chosen. Codes count from 0; bits beyond a field's width
// are left out. Not an encoder: nothing is rounded here. Pure; safe from any thread.
#pragma once

#include <cstddef>

namespace hone::tensor {

// 32 codes as nibbles, 16 bytes: low halves first.
void store_nibbles(std::byte* to, const int* q);
// Bit 4 of 32 codes, then their nibbles: 20 bytes.
void store_five_bits(std::byte* to, const int* q);
// Q4_K and Q5_K: 8 scales and minima of 6 bits in 12 bytes.
void store_six_bit_scales(std::byte* to, const int* scale, const int* min);
// Q4_K and Q5_K: 256 codes, 128 bytes; with the fifth bits before them, 160.
void store_k_codes(std::byte* to, const int* q, bool five_bits);
// Q6_K: the low and the high bits of 256 codes, 192 bytes.
void store_q6_codes(std::byte* to, const int* q);

}  // namespace hone::tensor
