// The JSON header of a safetensors file as plain data: private to this room, use SafetensorsFile.
//
// The header is one object: by the name of each tensor an object of dtype, shape and data_offsets,
// and perhaps "__metadata__", an object of strings. It is read as a stream of events, so that no
// document is built of foreign bytes and a name that stands twice is seen. Whether the extents fit
// a file is for safetensors.cc. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace hone::formats {

struct SafetensorsInfo {
    std::string name;
    std::string dtype;
    std::vector<uint64_t> shape;  // outermost first; none for a single number
    uint64_t begin = 0;           // from the start of the data
    uint64_t end = 0;
};

struct SafetensorsHeader {
    std::vector<SafetensorsInfo> tensors;  // in the order of the header
    std::vector<std::pair<std::string, std::string>> metadata;
};

// Errors: corrupt (not JSON, or not of this form; a name or a field twice or missing); exhausted
// (a limit of safetensors.h).
base::Result<SafetensorsHeader> parse_safetensors_header(std::string_view json);

}  // namespace hone::formats
