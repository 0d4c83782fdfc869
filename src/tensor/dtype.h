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

enum class DType : uint8_t { f32, f16, bf16, q4_0, q4_1, q5_0, q8_0, q4_k, q6_k, i32 };

struct DTypeTraits {
    DType dtype;
    std::string_view name;
    uint32_t block_elements;
    uint32_t block_bytes;
};

// One line per type, in the order of the enum.
inline constexpr std::array<DTypeTraits, 10> kDTypes{{
    {DType::f32, "F32", 1, 4},
    {DType::f16, "F16", 1, 2},
    {DType::bf16, "BF16", 1, 2},
    {DType::q4_0, "Q4_0", 32, 2 + 16},
    {DType::q4_1, "Q4_1", 32, 2 + 2 + 16},
    {DType::q5_0, "Q5_0", 32, 2 + 4 + 16},
    {DType::q8_0, "Q8_0", 32, 2 + 32},
    {DType::q4_k, "Q4_K", 256, 2 + 2 + 12 + 128},
    {DType::q6_k, "Q6_K", 256, 128 + 64 + 16 + 2},
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
