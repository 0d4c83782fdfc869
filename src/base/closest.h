// The name that somebody may have meant: for messages about names that do not exist.
//
// Distance is that of Levenshtein (1965): the least number of bytes inserted, removed or replaced.
// Only the first kClosestBytes bytes of a name are compared, so that foreign names cost bounded
// time: their number times the square of that. Pure.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace hone::base {

inline constexpr size_t kClosestBytes = 128;

size_t edit_distance(std::string_view a, std::string_view b);
// The first of those with the least distance; empty when there are none.
std::string_view closest(std::string_view name, std::span<const std::string_view> candidates);

}  // namespace hone::base
