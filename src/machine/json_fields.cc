#include "machine/json_fields.h"

#include <cmath>
#include <limits>

#include "base/json.h"

namespace hone::machine {
namespace {

// Doubles hold every whole number up to here.
constexpr double kExactMax = 9007199254740992.0;

std::optional<uint64_t> whole_number(const base::Json& json) {
    if (json.is_number_unsigned()) return *json.get_ptr<const base::Json::number_unsigned_t*>();
    if (json.is_number_integer()) {
        const int64_t value = *json.get_ptr<const base::Json::number_integer_t*>();
        if (value >= 0) return static_cast<uint64_t>(value);
    }
    if (json.is_number_float()) {
        const double value = *json.get_ptr<const base::Json::number_float_t*>();
        if (value >= 0 && value <= kExactMax && value == std::floor(value)) {
            return static_cast<uint64_t>(value);
        }
    }
    return std::nullopt;
}

}  // namespace

base::Json json_number(double value) {
    if (std::isnan(value)) return nullptr;
    if (std::isinf(value)) return value > 0 ? "+inf" : "-inf";
    return value;
}

base::Json json_numbers(const std::vector<double>& values) {
    base::Json out = base::Json::array();
    for (const double value : values) out.push_back(json_number(value));
    return out;
}

const char* read_json(const base::Json& json, std::string& out) {
    if (!json.is_string()) return "a string";
    out = *json.get_ptr<const std::string*>();
    return nullptr;
}

const char* read_json(const base::Json& json, bool& out) {
    if (!json.is_boolean()) return "true or false";
    out = *json.get_ptr<const bool*>();
    return nullptr;
}

const char* read_json(const base::Json& json, int& out) {
    int64_t value = 0;
    if (json.is_number_integer() && !json.is_number_unsigned()) {
        value = *json.get_ptr<const base::Json::number_integer_t*>();
    } else if (const auto whole = whole_number(json); whole && *whole <= INT32_MAX) {
        value = static_cast<int64_t>(*whole);
    } else {
        return "a whole number of 32 bits";
    }
    if (value < INT32_MIN || value > INT32_MAX) return "a whole number of 32 bits";
    out = static_cast<int>(value);
    return nullptr;
}

const char* read_json(const base::Json& json, uint32_t& out) {
    const auto whole = whole_number(json);
    if (!whole || *whole > UINT32_MAX) return "a whole number of 32 bits, not negative";
    out = static_cast<uint32_t>(*whole);
    return nullptr;
}

const char* read_json(const base::Json& json, uint64_t& out) {
    const auto whole = whole_number(json);
    if (!whole) return "a whole number, not negative";
    out = *whole;
    return nullptr;
}

const char* read_json(const base::Json& json, double& out) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    if (json.is_null()) {
        out = std::numeric_limits<double>::quiet_NaN();
    } else if (json.is_number_unsigned()) {
        out = static_cast<double>(*json.get_ptr<const base::Json::number_unsigned_t*>());
    } else if (json.is_number_integer()) {
        out = static_cast<double>(*json.get_ptr<const base::Json::number_integer_t*>());
    } else if (json.is_number_float()) {
        out = *json.get_ptr<const base::Json::number_float_t*>();
    } else if (json.is_string() && *json.get_ptr<const std::string*>() == "+inf") {
        out = kInfinity;
    } else if (json.is_string() && *json.get_ptr<const std::string*>() == "-inf") {
        out = -kInfinity;
    } else {
        return "a number";
    }
    return nullptr;
}

const char* read_json(const base::Json& json, base::Json& out) {
    out = json;
    return nullptr;
}

JsonFields::JsonFields(const base::Json& json, std::string path, base::Status& status)
    : json_(json), path_(std::move(path)), status_(status) {
    if (status_ && !json.is_object()) {
        status_ = base::fail(base::ErrorCode::corrupt, "{}: expected an object, got {}", path_,
                             json.type_name());
    }
}

const base::Json* JsonFields::find(const char* key, bool must) {
    if (!status_) return nullptr;
    const auto found = json_.find(key);
    if (found != json_.end()) return &*found;
    if (must) status_ = base::fail(base::ErrorCode::corrupt, "{}: missing", path_of(key));
    return nullptr;
}

void JsonFields::mistyped(const char* key, const char* expected, const base::Json& value) {
    reject(key, fmt::format("expected {}, got {}", expected, value.type_name()));
}

void JsonFields::reject(const char* key, const std::string& reason) {
    if (!status_) return;
    status_ = base::fail(base::ErrorCode::corrupt, "{}: {}", path_of(key), reason);
}

std::string JsonFields::path_of(const char* key, size_t row) const {
    return fmt::format("{}.{}[{}]", path_, key, row);
}

}  // namespace hone::machine
