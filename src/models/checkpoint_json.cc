#include "models/checkpoint_json.h"

#include <cmath>
#include <limits>

#include "base/json.h"
#include "base/text.h"

namespace hone::models {
namespace {

using base::ErrorCode;
using base::fail;
using base::Json;

const Json kNothing;

}  // namespace

base::Result<std::optional<std::string>> read_if_there(const ReadText& read,
                                                       const std::string& name) {
    auto text = read(name);
    if (text) return std::optional<std::string>(std::move(*text));
    if (text.error().code == ErrorCode::not_found) return std::optional<std::string>();
    return tl::unexpected(text.error());
}

base::Result<Json> parse_file(const std::string& name, const std::string& text,
                              const base::JsonLimits& limits) {
    auto json = base::parse_json(text, limits);
    if (!json) return tl::unexpected(json.error().within(name));
    return json;
}

const Json* CheckpointJson::find(std::string_view field) const {
    if (!value_.is_object()) return nullptr;
    const auto at = value_.find(std::string(field));
    return at == value_.end() || at->is_null() ? nullptr : &*at;
}

bool CheckpointJson::is(std::string_view field, std::string_view value) const {
    const Json* found = find(field);
    return found != nullptr && found->is_string() && found->get_ref<const std::string&>() == value;
}

CheckpointJson CheckpointJson::child(std::string_view field) const {
    const Json* found = find(field);
    return {found != nullptr ? *found : kNothing, where_ + ": '" + std::string(field) + "'"};
}

tl::unexpected<base::Error> CheckpointJson::wrong(std::string_view field,
                                                  const char* expected) const {
    const Json* found = find(field);
    return fail(ErrorCode::corrupt, "{}: '{}' is {}, expected {}", where_, field,
                found == nullptr ? "missing" : found->type_name(), expected);
}

base::Result<uint32_t> CheckpointJson::get_u32(std::string_view field) const {
    const Json* found = find(field);
    if (found == nullptr || !found->is_number_unsigned() ||
        found->get<uint64_t>() > std::numeric_limits<uint32_t>::max()) {
        return wrong(field, "a whole number below 2^32");
    }
    return static_cast<uint32_t>(found->get<uint64_t>());
}

base::Result<std::string> CheckpointJson::get_string(std::string_view field) const {
    const Json* found = find(field);
    if (found == nullptr || !found->is_string()) return wrong(field, "a string");
    return found->get<std::string>();
}

base::Result<uint32_t> CheckpointJson::get_u32_or(std::string_view field, uint32_t fallback) const {
    return has(field) ? get_u32(field) : base::Result<uint32_t>(fallback);
}

base::Result<float> CheckpointJson::get_f32_or(std::string_view field, float fallback) const {
    const Json* found = find(field);
    if (found == nullptr) return fallback;
    if (!found->is_number() || !std::isfinite(found->get<double>()) ||
        std::fabs(found->get<double>()) > double{std::numeric_limits<float>::max()}) {
        return wrong(field, "a number");
    }
    return found->get<float>();
}

base::Result<bool> CheckpointJson::get_bool_or(std::string_view field, bool fallback) const {
    const Json* found = find(field);
    if (found == nullptr) return fallback;
    if (!found->is_boolean()) return wrong(field, "true or false");
    return found->get<bool>();
}

base::Result<std::string> CheckpointJson::get_string_or(std::string_view field,
                                                        const std::string& fallback) const {
    return has(field) ? get_string(field) : base::Result<std::string>(fallback);
}

base::Status CheckpointJson::expect(std::string_view field, std::string_view values) const {
    if (!has(field)) return {};
    HONE_TRY(const std::string value, get_string(field));
    for (const std::string_view known : base::split(values, ' ')) {
        if (value == known) return {};
    }
    return fail(ErrorCode::unsupported, "{}: '{}' is '{}'; '{}' is supported", where_, field,
                base::printable(value), values);
}

base::Status CheckpointJson::require(std::string_view field, std::string_view values) const {
    HONE_TRY_STATUS(get_string(field).map([](const std::string&) {}));
    return expect(field, values);
}

base::Status CheckpointJson::expect_flag(std::string_view field, bool value) const {
    HONE_TRY(const bool is, get_bool_or(field, value));
    if (is == value) return {};
    return fail(ErrorCode::unsupported, "{}: '{}' is {}; only {} is supported", where_, field, is,
                value);
}

}  // namespace hone::models
