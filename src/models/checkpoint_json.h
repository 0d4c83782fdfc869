// The small files of a checkpoint, and one object of its JSON files, field by field: each accessor
// answers the value or an error that names the file and the field. A null counts as a missing
// field, as in the library that writes these files. Borrows the object; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/json_fwd.h"
#include "base/result.h"
#include "models/checkpoint.h"

namespace hone::base {
struct JsonLimits;
}

namespace hone::models {

// nullopt where there is no such file; every other error stays one.
base::Result<std::optional<std::string>> read_if_there(const ReadText& read,
                                                       const std::string& name);
// As base::parse_json of the file's text; errors begin with its name.
base::Result<base::Json> parse_file(const std::string& name, const std::string& text,
                                    const base::JsonLimits& limits);

class CheckpointJson {
  public:
    // `where` begins every message: "config.json". `value` may be anything; what is no object has
    // no fields.
    CheckpointJson(const base::Json& value, std::string where)
        : value_(value), where_(std::move(where)) {}

    const std::string& where() const { return where_; }
    // nullptr when missing.
    const base::Json* find(std::string_view field) const;
    bool has(std::string_view field) const { return find(field) != nullptr; }
    // Whether it is this string.
    bool is(std::string_view field, std::string_view value) const;
    // An object without fields when missing.
    CheckpointJson child(std::string_view field) const;

    // corrupt: missing, or of another kind.
    base::Result<uint32_t> get_u32(std::string_view field) const;
    base::Result<std::string> get_string(std::string_view field) const;

    // As above, but `fallback` when the field is missing (still corrupt when of another kind).
    base::Result<uint32_t> get_u32_or(std::string_view field, uint32_t fallback) const;
    base::Result<float> get_f32_or(std::string_view field, float fallback) const;
    base::Result<bool> get_bool_or(std::string_view field, bool fallback) const;
    base::Result<std::string> get_string_or(std::string_view field,
                                            const std::string& fallback) const;

    // unsupported unless the field is missing or has one of these values (separated by spaces).
    base::Status expect(std::string_view field, std::string_view values) const;
    // The same, but the field may not be missing.
    base::Status require(std::string_view field, std::string_view values) const;
    base::Status expect_flag(std::string_view field, bool value) const;

  private:
    tl::unexpected<base::Error> wrong(std::string_view field, const char* expected) const;

    const base::Json& value_;
    std::string where_;
};

}  // namespace hone::models
