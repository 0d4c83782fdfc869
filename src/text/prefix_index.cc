#include "text/prefix_index.h"

#include <algorithm>

namespace hone::text {

PrefixIndex::PrefixIndex(const std::vector<std::string>& strings, std::vector<int32_t> ids)
    : sorted_(std::move(ids)) {
    // std::string compares bytes as unsigned.
    std::sort(sorted_.begin(), sorted_.end(), [&](int32_t a, int32_t b) {
        return strings[static_cast<size_t>(a)] < strings[static_cast<size_t>(b)];
    });
    for (const int32_t id : sorted_) {
        const std::string& text = strings[static_cast<size_t>(id)];
        // An empty string sorts first and matches nothing; it counts in front of every byte.
        const size_t slot = text.empty() ? 0 : size_t{static_cast<unsigned char>(text[0])} + 1;
        ++first_begin_[slot];
    }
    for (size_t byte = 1; byte < first_begin_.size(); ++byte) {
        first_begin_[byte] += first_begin_[byte - 1];
    }
}

bool PrefixIndex::start(unsigned char byte, Cursor& cursor) const {
    cursor = {first_begin_[byte], first_begin_[size_t{byte} + 1], 1};
    return cursor.begin < cursor.end;
}

bool PrefixIndex::step(const std::vector<std::string>& strings, unsigned char byte,
                       Cursor& cursor) const {
    // The byte behind the walked ones; -1 where a string ends there, which sorts first.
    const auto next_of = [&](int32_t id) {
        const std::string& text = strings[static_cast<size_t>(id)];
        return cursor.depth < text.size() ? int{static_cast<unsigned char>(text[cursor.depth])}
                                          : -1;
    };
    const auto begin = sorted_.begin() + cursor.begin;
    const auto end = sorted_.begin() + cursor.end;
    const auto first = std::lower_bound(begin, end, int{byte},
                                        [&](int32_t id, int value) { return next_of(id) < value; });
    const auto last = std::upper_bound(first, end, int{byte},
                                       [&](int value, int32_t id) { return value < next_of(id); });
    cursor.begin = static_cast<uint32_t>(first - sorted_.begin());
    cursor.end = static_cast<uint32_t>(last - sorted_.begin());
    ++cursor.depth;
    return cursor.begin < cursor.end;
}

int32_t PrefixIndex::match(const std::vector<std::string>& strings, const Cursor& cursor) const {
    if (cursor.begin >= cursor.end) return -1;
    const int32_t id = sorted_[cursor.begin];
    return strings[static_cast<size_t>(id)].size() == cursor.depth ? id : -1;
}

}  // namespace hone::text
