// The element types of tensors: their blocks, sizes and names. A quantized type stores elements in
// blocks of a fixed count that share scales; a row is always a whole number of blocks.
//
// Not here: how a block is laid out (tensor/codec.h) and the type ids of file formats (room
// formats). Everything is constexpr and safe from any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

namespace hone::tensor {

enum class DType : uint8_t {
    f32,
    f16,
    bf16,
    f64,
    q4_0,
    q4_1,
    q5_0,
    q5_1,
    q8_0,
    q2_k,
    q3_k,
    q4_k,
    q5_k,
    q6_k,
    iq1_s,
    iq1_m,
    iq2_xxs,
    iq2_xs,
    iq2_s,
    iq3_xxs,
    iq3_s,
    iq4_nl,
    iq4_xs,
    tq1_0,
    tq2_0,
    mxfp4,
    i32,
};

struct DTypeTraits {
    DType dtype;
    std::string_view name;
    uint32_t block_elements;
    uint32_t block_bytes;
};

// One line per type, in the order of the enum.
inline constexpr std::array<DTypeTraits, 27> kDTypes{{
    {DType::f32, "F32", 1, 4},
    {DType::f16, "F16", 1, 2},
    {DType::bf16, "BF16", 1, 2},
    {DType::f64, "F64", 1, 8},
    {DType::q4_0, "Q4_0", 32, 2 + 16},
    {DType::q4_1, "Q4_1", 32, 2 + 2 + 16},
    {DType::q5_0, "Q5_0", 32, 2 + 4 + 16},
    {DType::q5_1, "Q5_1", 32, 2 + 2 + 4 + 16},
    {DType::q8_0, "Q8_0", 32, 2 + 32},
    {DType::q2_k, "Q2_K", 256, 16 + 64 + 2 + 2},
    {DType::q3_k, "Q3_K", 256, 32 + 64 + 12 + 2},
    {DType::q4_k, "Q4_K", 256, 2 + 2 + 12 + 128},
    {DType::q5_k, "Q5_K", 256, 2 + 2 + 12 + 32 + 128},
    {DType::q6_k, "Q6_K", 256, 128 + 64 + 16 + 2},
    {DType::iq1_s, "IQ1_S", 256, 2 + 32 + 16},
    {DType::iq1_m, "IQ1_M", 256, 32 + 16 + 8},
    {DType::iq2_xxs, "IQ2_XXS", 256, 2 + 64},
    {DType::iq2_xs, "IQ2_XS", 256, 2 + 64 + 8},
    {DType::iq2_s, "IQ2_S", 256, 2 + 32 + 32 + 8 + 8},
    {DType::iq3_xxs, "IQ3_XXS", 256, 2 + 64 + 32},
    {DType::iq3_s, "IQ3_S", 256, 2 + 64 + 8 + 32 + 4},
    {DType::iq4_nl, "IQ4_NL", 32, 2 + 16},
    {DType::iq4_xs, "IQ4_XS", 256, 2 + 2 + 4 + 128},
    {DType::tq1_0, "TQ1_0", 256, 48 + 4 + 2},
    {DType::tq2_0, "TQ2_0", 256, 64 + 2},
    {DType::mxfp4, "MXFP4", 32, 1 + 16},
    {DType::i32, "I32", 1, 4},
}};

constexpr const DTypeTraits& traits(DType dtype) {
    return kDTypes[static_cast<size_t>(dtype)];
}
constexpr uint32_t block_elements(DType dtype) {
    return traits(dtype).block_elements;
}
constexpr uint32_t block_bytes(DType dtype) {
    return traits(dtype).block_bytes;
}
constexpr std::string_view name(DType dtype) {
    return traits(dtype).name;
}
constexpr bool is_quantized(DType dtype) {
    return block_elements(dtype) > 1;
}

// The type with this name, upper or lower case ("Q4_K", "q4_k"); nullopt for any other text.
constexpr std::optional<DType> parse_dtype(std::string_view text) {
    auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; };
    for (const DTypeTraits& candidate : kDTypes) {
        bool same = candidate.name.size() == text.size();
        for (size_t i = 0; same && i < text.size(); ++i) same = candidate.name[i] == upper(text[i]);
        if (same) return candidate.dtype;
    }
    return std::nullopt;
}

// Bytes of `elements` contiguous elements; nullopt when they are not whole blocks or the size
// wraps.
constexpr std::optional<uint64_t> row_bytes(DType dtype, uint64_t elements) {
    const uint64_t per_block = block_elements(dtype);
    if (elements % per_block != 0) return std::nullopt;
    const uint64_t blocks = elements / per_block;
    if (blocks > std::numeric_limits<uint64_t>::max() / block_bytes(dtype)) return std::nullopt;
    return blocks * block_bytes(dtype);
}

}  // namespace hone::tensor
