// What a test does with bytes that claim to be GGUF: parse them and touch everything that a caller
// could touch. Shared by the fuzzer, its corpus test and the mutation test; not for production
// code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "formats/gguf.h"

namespace hone::formats {

// Reads each byte, so that a sanitizer sees a range outside the file.
inline uint64_t sum_bytes(std::span<const std::byte> bytes) {
    uint64_t sum = 0;
    for (std::byte byte : bytes) sum += static_cast<uint64_t>(byte);
    return sum;
}

// Returns a checksum, so that nothing is optimized away; sets `error` when the bytes are refused.
inline uint64_t exercise_gguf(std::span<const std::byte> bytes, base::Error* error = nullptr) {
    auto file = GgufFile::parse(bytes, "memory");
    if (!file) {
        if (error != nullptr) *error = file.error();
        return file.error().message.size();
    }
    uint64_t sum = file->version() + file->alignment() + file->data_offset();
    for (const GgufEntry& entry : file->metadata()) {
        const GgufValue& value = entry.value;
        sum += entry.key.size() + value.type_text().size() + sum_bytes(value.bytes);
        sum += value.as_u64().value_or(1) + static_cast<uint64_t>(value.as_i64().value_or(1));
        sum += value.as_bool().value_or(false) + value.as_string().value_or("").size();
        sum += value.as_f64().has_value() ? 1 : 0;
        if (const auto strings = value.as_strings()) {
            for (std::string_view text : *strings) sum += sum_bytes(std::as_bytes(std::span(text)));
        }
        if (const auto numbers = value.as_i64s()) sum += numbers->size();
        if (const auto numbers = value.as_f32s()) sum += numbers->size();
        if (const auto flags = value.as_bools()) sum += flags->size();
        const auto found = file->get_u64(entry.key);
        sum += found ? *found : found.error().message.size();
    }
    for (const GgufTensor& tensor : file->tensors()) {
        const auto view = file->tensor(tensor.name);
        sum += tensor.elements() + (view ? sum_bytes(view->span()) : view.error().message.size());
    }
    return sum;
}

}  // namespace hone::formats
