#include "base/json.h"

#include <algorithm>

namespace hone::base {
namespace {

// Counts the deepest nesting of [] and {} outside strings.
size_t nesting_depth(std::string_view text) {
    size_t depth = 0;
    size_t deepest = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') ++i;
            if (c == '"') in_string = false;
            continue;
        }
        if (c == '"') in_string = true;
        if (c == '[' || c == '{') deepest = std::max(deepest, ++depth);
        if ((c == ']' || c == '}') && depth > 0) --depth;
    }
    return deepest;
}

}  // namespace

Result<Json> parse_json(std::string_view text, JsonLimits limits) {
    if (text.size() > limits.bytes_max) {
        return fail(ErrorCode::exhausted, "JSON of {} bytes is over the limit of {}", text.size(),
                    limits.bytes_max);
    }
    if (nesting_depth(text) > limits.depth_max) {
        return fail(ErrorCode::exhausted, "JSON is nested deeper than {}", limits.depth_max);
    }
    try {
        return Json::parse(text);
    } catch (const std::exception& e) {
        std::string reason = e.what();
        return fail(ErrorCode::corrupt, "not valid JSON: {}", reason);
    }
}

std::string dump_json(const Json& value, int indent) {
    return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace hone::base
