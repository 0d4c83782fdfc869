#include "text/unicode_classes.h"

#include <algorithm>

namespace hone::text {

UnicodeClass unicode_class(uint32_t code_point) {
    if (code_point < 0x80 || code_point > 0x10FFFF) return UnicodeClass::other;
    const auto* first = kUnicodeClassRanges.data();
    const auto* last = first + kUnicodeClassRanges.size();
    const auto* next = std::upper_bound(first, last, code_point << 3 | 7u);
    return static_cast<UnicodeClass>(*(next - 1) & 7u);
}

}  // namespace hone::text
