// A tiny safetensors file for tests, put together by hand, so that each part can be made wrong. Not
// for production code.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "formats/gguf_bytes.h"

namespace hone::formats {

struct SafetensorsBytes {
    std::optional<uint64_t> header_bytes;  // when not the true number
    // F32 [2, 4] at 0, F16 [3] at 32, and an empty one between them.
    std::string header = R"({"__metadata__":{"format":"pt"},)"
                         R"("a.weight":{"dtype":"F32","shape":[2,4],"data_offsets":[0,32]},)"
                         R"("b.bias":{"dtype":"F16","shape":[3],"data_offsets":[32,38]},)"
                         R"("none":{"dtype":"I64","shape":[0,7],"data_offsets":[32,32]}})";
    std::string data = std::string(38, '\x5a');

    std::string build() const { return wire(header_bytes.value_or(header.size())) + header + data; }
};

}  // namespace hone::formats
