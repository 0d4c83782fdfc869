// A tiny model file for tests, put together byte by byte, so that each part can be made wrong.
// Independent of GgufWriter on purpose: the two check each other. Not for production code.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hone::formats {

template <class T>
std::string wire(T value) {
    std::string bytes(sizeof(T), '\0');
    std::memcpy(bytes.data(), &value, sizeof(T));
    return bytes;
}

inline std::string wire_text(std::string_view text) {
    return wire<uint64_t>(text.size()) + std::string(text);
}

// An entry with a value of any type id and any bytes.
inline std::string wire_entry(std::string_view key, uint32_t type, std::string_view value) {
    return wire_text(key) + wire(type) + std::string(value);
}

inline std::string wire_array(uint32_t type, uint64_t count, std::string_view elements) {
    return wire(type) + wire(count) + std::string(elements);
}

inline std::string wire_tensor(std::string_view name, const std::vector<uint64_t>& dims,
                               uint32_t type, uint64_t offset) {
    std::string bytes = wire_text(name) + wire<uint32_t>(static_cast<uint32_t>(dims.size()));
    for (uint64_t dim : dims) bytes += wire(dim);
    return bytes + wire(type) + wire(offset);
}

struct GgufBytes {
    std::string magic = "GGUF";
    uint32_t version = 3;
    std::optional<uint64_t> tensor_count;  // when not the true one
    std::optional<uint64_t> entry_count;
    // u32, string, array of strings.
    std::vector<std::string> entries{
        wire_entry("general.architecture", 8, wire_text("llama")),
        wire_entry("llama.block_count", 4, wire<uint32_t>(2)),
        wire_entry("tokenizer.ggml.tokens", 9, wire_array(8, 2, wire_text("a") + wire_text("bc"))),
    };
    // F32 {4, 2} of 32 bytes at 0; Q8_0 {32} of 34 bytes at 32.
    std::vector<std::string> tensors{wire_tensor("a.weight", {4, 2}, 0, 0),
                                     wire_tensor("b.weight", {32}, 8, 32)};
    uint64_t alignment = 32;
    std::string data = std::string(32 + 34, '\x5a');

    std::string build() const {
        std::string bytes = magic + wire(version) +
                            wire<uint64_t>(tensor_count.value_or(tensors.size())) +
                            wire<uint64_t>(entry_count.value_or(entries.size()));
        for (const std::string& entry : entries) bytes += entry;
        for (const std::string& tensor : tensors) bytes += tensor;
        if (alignment > 0) bytes.resize((bytes.size() + alignment - 1) / alignment * alignment);
        return bytes + data;
    }
};

inline std::span<const std::byte> as_span(const std::string& bytes) {
    return std::as_bytes(std::span(bytes));
}

}  // namespace hone::formats
