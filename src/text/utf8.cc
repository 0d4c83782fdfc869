#include "text/utf8.h"

#include "base/check.h"

namespace hone::text {

namespace {

bool is_continuation(unsigned char byte) {
    return (byte & 0xC0) == 0x80;
}

// The allowed range of the second byte of a well-formed sequence, and the length of the sequence;
// length 0 for a byte that starts nothing. Table 3-7 of the Unicode standard.
struct LeadByte {
    int length;
    unsigned char second_min;
    unsigned char second_max;
};

LeadByte classify_lead(unsigned char byte) {
    if (byte < 0x80) return {1, 0, 0};
    if (byte < 0xC2) return {0, 0, 0};
    if (byte < 0xE0) return {2, 0x80, 0xBF};
    if (byte == 0xE0) return {3, 0xA0, 0xBF};
    if (byte == 0xED) return {3, 0x80, 0x9F};
    if (byte < 0xF0) return {3, 0x80, 0xBF};
    if (byte == 0xF0) return {4, 0x90, 0xBF};
    if (byte < 0xF4) return {4, 0x80, 0xBF};
    if (byte == 0xF4) return {4, 0x80, 0x8F};
    return {0, 0, 0};
}

// The length of the longest well-formed prefix of one sequence, and whether it is whole.
struct SequencePrefix {
    size_t size;
    bool whole;
};

SequencePrefix read_sequence(std::string_view text) {
    const LeadByte lead = classify_lead(static_cast<unsigned char>(text[0]));
    if (lead.length == 0) return {1, false};
    if (lead.length == 1) return {1, true};
    size_t size = 1;
    while (size < text.size() && size < static_cast<size_t>(lead.length)) {
        const auto byte = static_cast<unsigned char>(text[size]);
        const bool fits =
            size == 1 ? byte >= lead.second_min && byte <= lead.second_max : is_continuation(byte);
        if (!fits) break;
        ++size;
    }
    return {size, size == static_cast<size_t>(lead.length)};
}

}  // namespace

DecodedCodePoint decode_lenient(std::string_view text) {
    HONE_DCHECK(!text.empty());
    const auto lead = static_cast<unsigned char>(text[0]);
    if (lead < 0x80) return {lead, 1};
    const uint32_t size = lead < 0xC0 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF8 ? 4 : 0;
    if (size == 0 || text.size() < size) return {kReplacementCharacter, 1};
    uint32_t code_point = lead & (0xFFu >> (size + 1));
    for (uint32_t i = 1; i < size; ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (!is_continuation(byte)) return {kReplacementCharacter, 1};
        code_point = code_point << 6 | (byte & 0x3F);
    }
    if (code_point > 0x10FFFF) return {kReplacementCharacter, 1};
    return {code_point, size};
}

void append_utf8(std::string& out, uint32_t code_point) {
    HONE_DCHECK(code_point <= 0x10FFFF);
    if (code_point < 0x80) {
        out.push_back(static_cast<char>(code_point));
        return;
    }
    if (code_point < 0x800) {
        out.push_back(static_cast<char>(0xC0 | code_point >> 6));
    } else {
        if (code_point < 0x10000) {
            out.push_back(static_cast<char>(0xE0 | code_point >> 12));
        } else {
            out.push_back(static_cast<char>(0xF0 | code_point >> 18));
            out.push_back(static_cast<char>(0x80 | (code_point >> 12 & 0x3F)));
        }
        out.push_back(static_cast<char>(0x80 | (code_point >> 6 & 0x3F)));
    }
    out.push_back(static_cast<char>(0x80 | (code_point & 0x3F)));
}

size_t incomplete_suffix_bytes(std::string_view text) {
    for (size_t back = 1; back <= 3 && back <= text.size(); ++back) {
        const std::string_view tail = text.substr(text.size() - back);
        const auto lead = static_cast<unsigned char>(tail[0]);
        if (is_continuation(lead)) continue;
        const SequencePrefix prefix = read_sequence(tail);
        const bool open = !prefix.whole && prefix.size == back && classify_lead(lead).length > 1;
        return open ? back : 0;
    }
    return 0;
}

std::string sanitize_utf8(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const SequencePrefix prefix = read_sequence(text);
        if (prefix.whole) {
            out.append(text.substr(0, prefix.size));
        } else {
            append_utf8(out, kReplacementCharacter);
        }
        text.remove_prefix(prefix.size);
    }
    return out;
}

}  // namespace hone::text
