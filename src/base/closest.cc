#include "base/closest.h"

#include <limits>

namespace hone::base {

size_t edit_distance(std::string_view a, std::string_view b) {
    a = a.substr(0, kClosestBytes);
    b = b.substr(0, kClosestBytes);
    return edit_distance(std::span(a), std::span(b));
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
