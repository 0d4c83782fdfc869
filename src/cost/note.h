// Note: one statement for a person, as an id and named values instead of a sentence.
//
// Rooms below report write notes (reasons, evidence); report owns the sentences by id, in every
// language. Parameter names end in their unit or nature, which decides how report prints them:
// _ns, _ms, _bytes, _share (0..1), _percent (signed), _per_s, _x (a factor); others are printed as
// they are. Plain data; no thread rule.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/json_fwd.h"

namespace hone::cost {

using NoteValue = std::variant<std::string, double, int64_t>;

struct Note {
    std::string id;
    std::vector<std::pair<std::string, NoteValue>> parameters;

    // Chainable, so that a note is written in one expression. Integers, reals, text.
    template <class T>
    Note with(std::string name, const T& value) const {
        Note copy = *this;
        if constexpr (std::is_integral_v<T>) {
            copy.parameters.emplace_back(std::move(name), static_cast<int64_t>(value));
        } else if constexpr (std::is_floating_point_v<T>) {
            copy.parameters.emplace_back(std::move(name), static_cast<double>(value));
        } else {
            copy.parameters.emplace_back(std::move(name), std::string(value));
        }
        return copy;
    }
    bool empty() const { return id.empty(); }
};

inline Note note(std::string id) {
    return Note{std::move(id), {}};
}

// {"id": ..., "parameters": {...}}; values that are not finite become null.
base::Json to_json(const Note& note);

}  // namespace hone::cost
