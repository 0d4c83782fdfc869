// Blocks of any type for tests: what an encoder makes of noise, or, where there is none (types with
// code books), blocks of random codes with a scale that gives values of about the same size. Not
// for production code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "tensor/block_fields.h"
#include "tensor/codec.h"

namespace hone::tensor {

inline void random_block(DType dtype, std::mt19937& random, float deviation, std::byte* block) {
    for (size_t i = 0; i < block_bytes(dtype); ++i) {
        block[i] = static_cast<std::byte>(random() & 0xff);
    }
    // About the deviation of a code with a random scale, in units of d.
    const bool ternary = dtype == DType::iq1_s || dtype == DType::iq1_m;
    const float unit = ternary ? 8.0f : dtype == DType::iq3_s ? 150.0f : 60.0f;
    const uint16_t d = f32_to_f16(deviation / unit);
    if (dtype != DType::iq1_m) return store_field(block, d);
    for (int i = 0; i < 4; ++i) {
        const int low = byte_at(block + 49 + 2 * i) & 15;
        block[49 + 2 * i] = static_cast<std::byte>(low | (d >> (4 * i) & 15) << 4);
    }
}

// `elements` (whole blocks) of noise with the given standard deviation to `out`.
inline void random_blocks(DType dtype, uint32_t seed, size_t elements, float deviation,
                          std::byte* out) {
    std::mt19937 random(seed);
    if (can_quantize(dtype)) {
        std::normal_distribution<float> normal(0.0f, deviation);
        std::vector<float> values(elements);
        for (float& value : values) value = normal(random);
        return quantize(dtype, values.data(), elements, out);
    }
    for (size_t i = 0; i < elements / block_elements(dtype); ++i) {
        random_block(dtype, random, deviation, out + i * block_bytes(dtype));
    }
}

}  // namespace hone::tensor
