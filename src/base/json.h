// JSON at the door: nlohmann-json behind limits. The library has no limit of depth of its own, and
// objects that keep their order look each new key up among all before it, which takes time with the
// square of their number; so the bytes are scanned for both before it sees them. JSON has no
// infinity: a failed latency is "+inf".
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/json_fwd.h"
#include "base/result.h"

namespace hone::base {

struct JsonLimits {
    size_t bytes_max = 64u << 20;
    size_t depth_max = 64;
    size_t keys_max = 4096;  // of one object, nested ones not counted
};

// corrupt (not JSON), exhausted (over a limit). Never throws.
Result<Json> parse_json(std::string_view text, JsonLimits limits = {});

// Never throws: invalid UTF-8 is replaced. indent < 0 gives one line.
std::string dump_json(const Json& value, int indent = 2);

}  // namespace hone::base
