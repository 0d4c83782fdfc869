#include "tensor/codec.h"

#include "base/check.h"
#include "tensor/block_encoders.h"
#include "tensor/block_fields.h"
#include "tensor/integer_block.h"

namespace hone::tensor {

namespace {

void decode_q4_0(const std::byte* block, float* out) {
    const float d = load_half(block);
    for (int i = 0; i < 16; ++i) {
        const int byte = byte_at(block + 2 + i);
        out[i] = d * static_cast<float>((byte & 15) - 8);
        out[i + 16] = d * static_cast<float>((byte >> 4) - 8);
    }
}

void decode_q4_1(const std::byte* block, float* out) {
    const float d = load_half(block);
    const float m = load_half(block + 2);
    for (int i = 0; i < 16; ++i) {
        const int byte = byte_at(block + 4 + i);
        out[i] = d * static_cast<float>(byte & 15) + m;
        out[i + 16] = d * static_cast<float>(byte >> 4) + m;
    }
}

// Q5_0 and Q5_1 from their high bits on: code i of the 32.
int five_bits(const std::byte* high_bits, int i) {
    const uint32_t high = load_field<uint32_t>(high_bits) >> i & 1u;
    const int byte = byte_at(high_bits + 4 + i % 16);
    return (i < 16 ? byte & 15 : byte >> 4) | static_cast<int>(high) << 4;
}

void decode_q5_0(const std::byte* block, float* out) {
    const float d = load_half(block);
    for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(five_bits(block + 2, i) - 16);
}

void decode_q5_1(const std::byte* block, float* out) {
    const float d = load_half(block);
    const float m = load_half(block + 2);
    for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(five_bits(block + 4, i)) + m;
}

void decode_q8_0(const std::byte* block, float* out) {
    const float d = load_half(block);
    for (int i = 0; i < 32; ++i) {
        out[i] = d * static_cast<float>(load_field<int8_t>(block + 2 + i));
    }
}

void decode_q2_k(const std::byte* block, float* out) {
    const float d = load_half(block + 80);
    const float dmin = load_half(block + 82);
    for (int i = 0; i < 256; ++i) {
        const int g = i / 32, sub = byte_at(block + i / 16);
        const int q = byte_at(block + 16 + 32 * (g / 4) + i % 32) >> (2 * (g % 4)) & 3;
        const float scale = d * static_cast<float>(sub & 15);
        const float offset = dmin * static_cast<float>(sub >> 4);
        out[i] = scale * static_cast<float>(q) - offset;
    }
}

// Q4_K and Q5_K: the latter has 32 bytes of fifth bits before the nibbles.
void decode_k_with_min(DType dtype, const std::byte* block, float* out) {
    const float d = load_half(block);
    const float dmin = load_half(block + 2);
    const bool five = dtype == DType::q5_k;
    const std::byte* nibbles = block + (five ? 48 : 16);
    for (int g = 0; g < 8; ++g) {
        const ScaleAndMin six_bit = six_bit_scale(block + 4, g);
        const float scale = d * static_cast<float>(six_bit.scale);
        const float offset = dmin * static_cast<float>(six_bit.min);
        for (int i = 0; i < 32; ++i) {
            int q = byte_at(nibbles + 32 * (g / 2) + i) >> (4 * (g % 2)) & 15;
            if (five) q |= (byte_at(block + 16 + i) >> g & 1) << 4;
            out[32 * g + i] = scale * static_cast<float>(q) - offset;
        }
    }
}

void decode_q6_k(const std::byte* block, float* out) {
    const float d = load_half(block + 208);
    for (int i = 0; i < 256; ++i) {
        const int half = i / 128, k = i % 128 / 32, l = i % 32;
        const int low = byte_at(block + 64 * half + 32 * (k % 2) + l);
        const int high = byte_at(block + 128 + 32 * half + l);
        const int q = (k < 2 ? low & 15 : low >> 4) | ((high >> (2 * k)) & 3) << 4;
        const float scale = d * static_cast<float>(load_field<int8_t>(block + 192 + i / 16));
        out[i] = scale * static_cast<float>(q - 32);
    }
}

void decode_integer_block(DType dtype, const std::byte* block, float* out) {
    IntegerBlock integers;
    decode_integers(dtype, block, integers);
    for (size_t i = 0; i < block_elements(dtype); ++i) {
        out[i] = integers.scales[i / 16] * static_cast<float>(integers.values[i]);
    }
}

void decode_block(DType dtype, const std::byte* block, float* out) {
    switch (dtype) {
        case DType::f32:
            *out = load_field<float>(block);
            return;
        case DType::f16:
            *out = load_half(block);
            return;
        case DType::bf16:
            *out = bf16_to_f32(load_field<uint16_t>(block));
            return;
        case DType::f64:
            *out = static_cast<float>(load_field<double>(block));
            return;
        case DType::i32:
            *out = static_cast<float>(load_field<int32_t>(block));
            return;
        case DType::q4_0:
            return decode_q4_0(block, out);
        case DType::q4_1:
            return decode_q4_1(block, out);
        case DType::q5_0:
            return decode_q5_0(block, out);
        case DType::q5_1:
            return decode_q5_1(block, out);
        case DType::q8_0:
            return decode_q8_0(block, out);
        case DType::q2_k:
            return decode_q2_k(block, out);
        case DType::q4_k:
        case DType::q5_k:
            return decode_k_with_min(dtype, block, out);
        case DType::q6_k:
            return decode_q6_k(block, out);
        default:
            return decode_integer_block(dtype, block, out);
    }
}

}  // namespace

void dequantize(DType dtype, const std::byte* blocks, size_t elements, float* out) {
    const size_t per_block = block_elements(dtype);
    HONE_CHECK_EQ(elements % per_block, size_t{0});
    for (size_t i = 0; i < elements / per_block; ++i) {
        decode_block(dtype, blocks + i * block_bytes(dtype), out + i * per_block);
    }
}

void quantize(DType dtype, const float* values, size_t elements, std::byte* out) {
    const size_t per_block = block_elements(dtype);
    HONE_CHECK_EQ(elements % per_block, size_t{0});
    HONE_CHECK(can_quantize(dtype));
    for (size_t i = 0; i < elements / per_block; ++i) {
        encode_block(dtype, values + i * per_block, out + i * block_bytes(dtype));
    }
}

}  // namespace hone::tensor
