#include "base/json.h"

#include <utility>
#include <vector>

namespace hone::base {
namespace {

// Keys are counted by ':' outside strings, of which each key of an object has one.
Status check_shape(std::string_view text, const JsonLimits& limits) {
    std::vector<size_t> keys(1, 0);  // of the open brackets, the outermost first
    bool in_string = false;
    for (size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') ++i;
            if (c == '"') in_string = false;
            continue;
        }
        if (c == '"') in_string = true;
        if (c == '[' || c == '{') {
            if (keys.size() > limits.depth_max) {
                return fail(ErrorCode::exhausted, "JSON is nested deeper than {}",
                            limits.depth_max);
            }
            keys.push_back(0);
        }
        if ((c == ']' || c == '}') && keys.size() > 1) keys.pop_back();
        if (c == ':' && ++keys.back() > limits.keys_max) {
            return fail(ErrorCode::exhausted, "an object has more than {} keys", limits.keys_max);
        }
    }
    return {};
}

}  // namespace

JsonBox::JsonBox() : value_(std::make_unique<Json>()) {}
JsonBox::JsonBox(Json value) : value_(std::make_unique<Json>(std::move(value))) {}
JsonBox::JsonBox(const JsonBox& other) : value_(std::make_unique<Json>(*other.value_)) {}
JsonBox::JsonBox(JsonBox&& other) noexcept = default;
JsonBox& JsonBox::operator=(const JsonBox& other) {
    *this = JsonBox(other);
    return *this;
}
JsonBox& JsonBox::operator=(JsonBox&& other) noexcept = default;
JsonBox::~JsonBox() = default;

JsonBox JsonBox::object() {
    return JsonBox(Json::object());
}

Json& JsonBox::operator[](const char* key) {
    return (*value_)[key];
}

Result<Json> parse_json(std::string_view text, JsonLimits limits) {
    if (text.size() > limits.bytes_max) {
        return fail(ErrorCode::exhausted, "JSON of {} bytes is over the limit of {}", text.size(),
                    limits.bytes_max);
    }
    HONE_TRY_STATUS(check_shape(text, limits));
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
