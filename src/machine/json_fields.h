// Reads typed fields out of a JSON object and remembers the first thing that was wrong, with its
// path ("$.operators[3].calls: expected a whole number, got a string").
//
// Not a schema language: the caller names each field in turn. Missing optional fields keep the
// target's value, which is what makes files of an older writer readable; fields nobody asks for are
// ignored, which is what makes those of a newer writer readable. Numbers: JSON has no infinity, so
// "+inf" and "-inf" are strings and null is NaN; whole numbers may be written as 3.0. Borrows the
// JSON and the status for its lifetime; one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace hone::machine {

// How a double is written: finite as a number, infinities as strings, NaN as null.
base::Json json_number(double value);
template <class T>
base::Json json_optional(const std::optional<T>& value) {
    if (!value) return nullptr;
    if constexpr (std::is_same_v<T, double>) {
        return json_number(*value);
    } else {
        return *value;
    }
}
base::Json json_numbers(const std::vector<double>& values);

// Each returns nullptr, or what was expected instead ("a number").
const char* read_json(const base::Json& json, std::string& out);
const char* read_json(const base::Json& json, bool& out);
const char* read_json(const base::Json& json, int& out);
const char* read_json(const base::Json& json, uint32_t& out);
const char* read_json(const base::Json& json, uint64_t& out);
const char* read_json(const base::Json& json, double& out);
const char* read_json(const base::Json& json, base::Json& out);

template <class T>
const char* read_json(const base::Json& json, std::optional<T>& out) {
    if (json.is_null()) {
        out.reset();
        return nullptr;
    }
    T value{};
    const char* expected = read_json(json, value);
    if (expected == nullptr) out = std::move(value);
    return expected;
}

template <class T>
const char* read_json(const base::Json& json, std::vector<T>& out) {
    if (!json.is_array()) return "an array";
    out.clear();
    for (const base::Json& item : json) {
        T value{};
        if (const char* expected = read_json(item, value)) return expected;
        out.push_back(std::move(value));
    }
    return nullptr;
}

template <class T>
const char* read_json(const base::Json& json, std::map<std::string, T>& out) {
    if (!json.is_object()) return "an object";
    out.clear();
    for (const auto& [key, item] : json.items()) {
        T value{};
        if (const char* expected = read_json(item, value)) return expected;
        out[key] = std::move(value);
    }
    return nullptr;
}

class JsonFields {
  public:
    // Fails `status` when `json` is no object; then every read does nothing.
    JsonFields(const base::Json& json, std::string path, base::Status& status);

    template <class T>
    void required(const char* key, T& out) {
        if (const base::Json* value = find(key, true)) read(key, *value, out);
    }
    template <class T>
    void optional(const char* key, T& out) {
        if (const base::Json* value = find(key, false)) read(key, *value, out);
    }

    // Calls body(JsonFields&) on the object under `key`; does nothing when there is none.
    template <class Body>
    void section(const char* key, Body&& body) {
        const base::Json* value = find(key, false);
        if (value == nullptr) return;
        JsonFields fields(*value, path_of(key), status_);
        if (status_) body(fields);
    }

    // Calls body(JsonFields&, Row&) on each object of the array under `key` and appends the row.
    template <class Row, class Body>
    void rows(const char* key, std::vector<Row>& out, Body&& body) {
        const base::Json* value = find(key, false);
        if (value == nullptr) return;
        if (!value->is_array()) return mistyped(key, "an array", *value);
        out.clear();
        for (const base::Json& item : *value) {
            JsonFields fields(item, path_of(key, out.size()), status_);
            Row row{};
            if (status_) body(fields, row);
            if (!status_) return;
            out.push_back(std::move(row));
        }
    }

    // Records that the value under `key` is of the right type but cannot be.
    void reject(const char* key, const std::string& reason);
    bool ok() const { return status_.has_value(); }

  private:
    // nullptr when absent (and failed if `must`) or when something failed before.
    const base::Json* find(const char* key, bool must);
    template <class T>
    void read(const char* key, const base::Json& value, T& out) {
        if (const char* expected = read_json(value, out)) mistyped(key, expected, value);
    }
    void mistyped(const char* key, const char* expected, const base::Json& value);
    std::string path_of(const char* key) const { return path_ + "." + key; }
    std::string path_of(const char* key, size_t row) const;

    const base::Json& json_;
    std::string path_;
    base::Status& status_;
};

}  // namespace hone::machine
