#include "base/closest.h"

#include <algorithm>
#include <array>
#include <limits>

namespace hone::base {

size_t edit_distance(std::string_view a, std::string_view b) {
    a = a.substr(0, kClosestBytes);
    b = b.substr(0, kClosestBytes);
    // One row of the table: distances of a's beginning so far to every beginning of b.
    std::array<size_t, kClosestBytes + 1> row{};
    for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= a.size(); ++i) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.size(); ++j) {
            const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row[b.size()];
}

std::string_view closest(std::string_view name, std::span<const std::string_view> candidates) {
    std::string_view found;
    size_t least = std::numeric_limits<size_t>::max();
    for (const std::string_view candidate : candidates) {
        const size_t distance = edit_distance(name, candidate);
        if (distance >= least) continue;
        least = distance;
        found = candidate;
    }
    return found;
}

}  // namespace hone::base
