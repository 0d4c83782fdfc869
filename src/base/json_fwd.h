// The name of JSON values, for headers that only pass them on or keep one. Parsing the library
// takes longer than compiling most files, so headers include this and the files that look inside a
// value include base/json.h.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>

namespace hone::base {

// ordered: reports and records keep the order in which they were written.
using Json = nlohmann::ordered_json;

// One JSON value as a member of a plain struct. Copies are deep; a value that was moved from may
// only be assigned to or destroyed. No thread rule.
class JsonBox {
  public:
    JsonBox();  // null
    JsonBox(Json value);
    JsonBox(const JsonBox& other);
    JsonBox(JsonBox&& other) noexcept;
    JsonBox& operator=(const JsonBox& other);
    JsonBox& operator=(JsonBox&& other) noexcept;
    ~JsonBox();

    static JsonBox object();  // {}

    // What takes a Json takes a box.
    operator Json&() { return *value_; }
    operator const Json&() const { return *value_; }
    Json& operator*() { return *value_; }
    const Json& operator*() const { return *value_; }
    Json* operator->() { return value_.get(); }
    const Json* operator->() const { return value_.get(); }
    // Makes the key where the object lacks it.
    Json& operator[](const char* key);

  private:
    std::unique_ptr<Json> value_;
};

}  // namespace hone::base
