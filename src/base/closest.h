// The name that somebody may have meant: for messages about names that do not exist.
//
// Distance is that of Levenshtein (1965): the least number of bytes inserted, removed or replaced.
// Of names only the first kClosestBytes bytes are compared, so that foreign names cost bounded
// time: their number times the square of that. Pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>
#include <string_view>
#include <vector>

namespace hone::base {

inline constexpr size_t kClosestBytes = 128;

// Of sequences of anything, whole: O(a b) time, O(b) memory.
template <class Symbol>
size_t edit_distance(std::span<const Symbol> a, std::span<const Symbol> b) {
    // One row of the table: distances of a's beginning so far to every beginning of b.
    std::vector<size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), size_t{0});
    for (size_t i = 1; i <= a.size(); ++i) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.size(); ++j) {
            const size_t above = row[j];
            const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = std::min(replaced, std::min(above, row[j - 1]) + 1);
            diagonal = above;
        }
    }
    return row.back();
}
// Of names.
size_t edit_distance(std::string_view a, std::string_view b);
// The first of those with the least distance; empty when there are none.
std::string_view closest(std::string_view name, std::span<const std::string_view> candidates);

}  // namespace hone::base
