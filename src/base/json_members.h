// JSON in which one object may have very many members, as a vocabulary has: they are handed on one
// by one and kept nowhere, because objects of base::Json look each new key up among all before it.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "base/json_fwd.h"
#include "base/result.h"

namespace hone::base {

struct JsonLimits;

// A member of that object: any value that is no object and no array.
using TakeMember = std::function<void(std::string_view key, const Json& value)>;

// As parse_json, but the object under the keys `path` stays empty and its members go to `take` in
// their order, repeated ones too. A member that is an object or an array is left out. The limit of
// keys holds for the other objects.
Result<Json> parse_json_members(std::string_view text, const JsonLimits& limits,
                                std::span<const std::string_view> path, const TakeMember& take);

}  // namespace hone::base
