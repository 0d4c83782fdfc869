// Field readers that the typed shapes of experiments share. Internal to the room.
//
// Records are foreign: every reader checks the type and bounds the length, and none of them throws.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "measure/record.h"

namespace hone::cost {

// More points or samples than any experiment takes: a foreign record must not make us allocate.
inline constexpr size_t kExperimentListMax = 4096;

bool usable(const measure::ExperimentResult& experiment, std::string_view name);

// Missing is an empty list; anything but positive finite numbers is a wrong shape.
bool read_samples(const base::Json& object, const char* key, std::vector<double>& out);
// "" when missing or no text.
std::string read_text(const base::Json& object, const char* key);
// 0 when missing or no whole number.
uint64_t read_count(const base::Json& object, const char* key);
// Absent when missing, null, negative or not finite.
std::optional<double> read_number(const base::Json& object, const char* key);
std::optional<uint64_t> read_optional_count(const base::Json& object, const char* key);

// Writes a key only for a value that is there.
template <class Value>
void store(base::Json& object, const char* key, const std::optional<Value>& value) {
    if (value) object[key] = *value;
}

// The first row that `read` takes and `wanted` accepts.
template <class Read, class Wanted>
auto find_first(const measure::RunRecord& record, Read&& read, Wanted&& wanted)
    -> decltype(read(record.experiments.front())) {
    for (const measure::ExperimentResult& experiment : record.experiments) {
        auto found = read(experiment);
        if (found && wanted(*found)) return found;
    }
    return std::nullopt;
}

// The first row that `read` takes.
template <class Read>
auto find_first(const measure::RunRecord& record, Read&& read)
    -> decltype(read(record.experiments.front())) {
    return find_first(record, read, [](const auto&) { return true; });
}

}  // namespace hone::cost
