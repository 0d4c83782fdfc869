#include "cost/note.h"

#include <cmath>

#include "base/json.h"

namespace hone::cost {

base::Json to_json(const Note& note) {
    base::Json parameters = base::Json::object();
    for (const auto& [name, value] : note.parameters) {
        if (const auto* text = std::get_if<std::string>(&value)) {
            parameters[name] = *text;
        } else if (const auto* whole = std::get_if<int64_t>(&value)) {
            parameters[name] = *whole;
        } else {
            const double number = std::get<double>(value);
            parameters[name] = std::isfinite(number) ? base::Json(number) : base::Json(nullptr);
        }
    }
    return {{"id", note.id}, {"parameters", parameters}};
}

}  // namespace hone::cost
