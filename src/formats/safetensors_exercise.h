// What a test does with bytes that claim to be safetensors: parse them and touch everything that a
// caller could touch. Shared by the fuzzer, its corpus test and the mutation test; not for
// production code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "formats/gguf_exercise.h"
#include "formats/safetensors.h"

namespace hone::formats {

// Returns a checksum, so that nothing is optimized away; sets `error` when the bytes are refused.
inline uint64_t exercise_safetensors(std::span<const std::byte> bytes,
                                     base::Error* error = nullptr) {
    const auto file = SafetensorsFile::parse(bytes, "memory");
    if (!file) {
        if (error != nullptr) *error = file.error();
        return file.error().message.size();
    }
    uint64_t sum = file->name().size();
    for (const auto& [key, value] : file->metadata()) sum += key.size() + value.size();
    for (const SafetensorsTensor& tensor : file->tensors()) {
        sum += tensor.name.size() + tensor.type_name.size() + sum_bytes(tensor.bytes);
        for (const uint64_t dim : tensor.shape) sum += dim;
    }
    return sum;
}

}  // namespace hone::formats
