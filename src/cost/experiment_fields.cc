#include "cost/experiment_fields.h"

#include <cmath>

#include "base/json.h"

namespace hone::cost {

using base::Json;

bool usable(const measure::ExperimentResult& experiment, std::string_view name) {
    return experiment.valid && experiment.name == name && experiment.values->is_object();
}

bool read_samples(const Json& object, const char* key, std::vector<double>& out) {
    out.clear();
    if (!object.is_object()) return false;
    const auto at = object.find(key);
    if (at == object.end() || at->is_null()) return true;
    if (!at->is_array() || at->size() > kExperimentListMax) return false;
    for (const Json& item : *at) {
        if (!item.is_number()) return false;
        const double value = item.get<double>();
        if (!std::isfinite(value) || value <= 0) return false;
        out.push_back(value);
    }
    return true;
}

std::string read_text(const Json& object, const char* key) {
    if (!object.is_object()) return {};
    const auto at = object.find(key);
    return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

std::optional<uint64_t> read_optional_count(const Json& object, const char* key) {
    if (!object.is_object()) return std::nullopt;
    const auto at = object.find(key);
    if (at == object.end() || !at->is_number_unsigned()) return std::nullopt;
    return at->get<uint64_t>();
}

uint64_t read_count(const Json& object, const char* key) {
    return read_optional_count(object, key).value_or(0);
}

std::optional<double> read_number(const Json& object, const char* key) {
    if (!object.is_object()) return std::nullopt;
    const auto at = object.find(key);
    if (at == object.end() || !at->is_number()) return std::nullopt;
    const double value = at->get<double>();
    if (!std::isfinite(value) || value < 0) return std::nullopt;
    return value;
}

}  // namespace hone::cost
