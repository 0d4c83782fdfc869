// The item files that the program carries (src/quality/data, put there by cmake/assets.cmake),
// small ones for a first look: each line was written for this project and has its licence. Pure.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace hone::quality {

struct BuiltinData {
    std::string_view name;  // "choice"
    std::string_view jsonl;
};

std::span<const BuiltinData> builtin_data();

}  // namespace hone::quality
