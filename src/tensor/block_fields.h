// Reads and writes the fields of stored blocks: unaligned, little endian. For the codecs of this
// room, the packing of kernels and the blocks of compress; pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tensor/half.h"

namespace hone::tensor {

template <class T>
T load_field(const std::byte* from) {
    T value;
    std::memcpy(&value, from, sizeof(T));
    return value;
}

template <class T>
void store_field(std::byte* to, T value) {
    std::memcpy(to, &value, sizeof(T));
}

inline float load_half(const std::byte* from) {
    return f16_to_f32(load_field<uint16_t>(from));
}

// Stores a scale as a half and returns the value that a reader will see.
inline float store_half(std::byte* to, float value) {
    const uint16_t half = f32_to_f16(value);
    store_field(to, half);
    return f16_to_f32(half);
}

inline int byte_at(const std::byte* from) {
    return static_cast<int>(*from);
}

struct ScaleAndMin {
    int scale;
    int min;
};

// Q4_K and Q5_K: six-bit scale and minimum of sub-block g, out of the 12-byte field described in
// tensor/codec.h.
inline ScaleAndMin six_bit_scale(const std::byte* b, int g) {
    if (g < 4) return {byte_at(b + g) & 63, byte_at(b + g + 4) & 63};
    return {(byte_at(b + g + 4) & 15) | byte_at(b + g - 4) >> 6 << 4,
            byte_at(b + g + 4) >> 4 | byte_at(b + g) >> 6 << 4};
}

}  // namespace hone::tensor
