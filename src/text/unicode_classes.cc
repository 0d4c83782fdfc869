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

bool is_python_space(uint32_t code_point) {
    if (code_point < 0x80) {
        return (code_point >= 9 && code_point <= 13) || (code_point >= 28 && code_point <= 32);
    }
    return unicode_class(code_point) == UnicodeClass::whitespace;
}

bool is_punctuation(uint32_t code_point) {
    if (code_point >= 0x80) return unicode_class(code_point) == UnicodeClass::punctuation;
    const bool digit = code_point >= '0' && code_point <= '9';
    const uint32_t lower = code_point | 0x20;
    return code_point > ' ' && code_point < 0x7F && !digit && (lower < 'a' || lower > 'z');
}

}  // namespace hone::text
