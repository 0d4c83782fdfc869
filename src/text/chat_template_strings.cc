#include "text/chat_template_strings.h"

#include <fmt/format.h>
#include <string.h>
#include <utf8proc.h>

#include <algorithm>

#include "text/unicode_classes.h"
#include "text/utf8.h"

namespace hone::text {

namespace {

bool is_cased(uint32_t code_point) {
    const auto c = static_cast<utf8proc_int32_t>(code_point);
    return utf8proc_toupper(c) != c || utf8proc_tolower(c) != c;
}

template <class Map>
std::string map_characters(std::string_view text, const Map& map) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const DecodedCodePoint next = decode_lenient(text);
        append_utf8(out, map(next.code_point));
        text.remove_prefix(next.size_bytes);
    }
    return out;
}

uint32_t upper(uint32_t code_point) {
    return static_cast<uint32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(code_point)));
}
uint32_t lower(uint32_t code_point) {
    return static_cast<uint32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(code_point)));
}
uint32_t title(uint32_t code_point) {
    return static_cast<uint32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(code_point)));
}

// The last code point; bad bytes count as one character each.
DecodedCodePoint decode_last(std::string_view text) {
    for (size_t size = std::min<size_t>(4, text.size()); size > 1; --size) {
        const DecodedCodePoint last = decode_lenient(text.substr(text.size() - size));
        if (last.size_bytes == size) return last;
    }
    return decode_lenient(text.substr(text.size() - 1));
}

}  // namespace

size_t count_characters(std::string_view text) {
    size_t count = 0;
    for (; !text.empty(); ++count) text.remove_prefix(decode_lenient(text).size_bytes);
    return count;
}

std::vector<std::string> split_characters(std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty()) {
        const size_t size = decode_lenient(text).size_bytes;
        out.emplace_back(text.substr(0, size));
        text.remove_prefix(size);
    }
    return out;
}

std::string to_upper(std::string_view text) {
    return map_characters(text, upper);
}
std::string to_lower(std::string_view text) {
    return map_characters(text, lower);
}

std::string capitalize(std::string_view text) {
    bool first = true;
    return map_characters(text, [&](uint32_t c) {
        const uint32_t mapped = first ? title(c) : lower(c);
        first = false;
        return mapped;
    });
}

std::string to_title(std::string_view text) {
    bool in_word = false;
    return map_characters(text, [&](uint32_t c) {
        const uint32_t mapped = in_word ? lower(c) : title(c);
        in_word = is_cased(c);
        return mapped;
    });
}

std::string_view strip(std::string_view text, std::optional<std::string_view> characters,
                       StripSide side) {
    std::vector<uint32_t> stripped;
    for (std::string_view rest = characters.value_or(""); !rest.empty();) {
        const DecodedCodePoint next = decode_lenient(rest);
        stripped.push_back(next.code_point);
        rest.remove_prefix(next.size_bytes);
    }
    std::sort(stripped.begin(), stripped.end());
    const auto goes = [&](uint32_t c) {
        return characters ? std::binary_search(stripped.begin(), stripped.end(), c)
                          : is_python_space(c);
    };
    while (side != StripSide::right && !text.empty()) {
        const DecodedCodePoint first = decode_lenient(text);
        if (!goes(first.code_point)) break;
        text.remove_prefix(first.size_bytes);
    }
    while (side != StripSide::left && !text.empty()) {
        const DecodedCodePoint last = decode_last(text);
        if (!goes(last.code_point)) break;
        text.remove_suffix(last.size_bytes);
    }
    return text;
}

size_t find_text(std::string_view text, std::string_view pattern, size_t from) {
    if (from > text.size()) return std::string_view::npos;
    if (pattern.empty()) return from;
    // glibc's memmem is two-way search, which is linear; std::string_view::find is not.
    const void* at = memmem(text.data() + from, text.size() - from, pattern.data(), pattern.size());
    if (at == nullptr) return std::string_view::npos;
    return static_cast<size_t>(static_cast<const char*>(at) - text.data());
}

std::vector<std::string> split_text(std::string_view text, std::string_view separator,
                                    int64_t count_max) {
    std::vector<std::string> out;
    size_t begin = 0;
    while (count_max < 0 || static_cast<int64_t>(out.size()) < count_max) {
        const size_t at = find_text(text, separator, begin);
        if (at == std::string_view::npos) break;
        out.emplace_back(text.substr(begin, at - begin));
        begin = at + separator.size();
    }
    out.emplace_back(text.substr(begin));
    return out;
}

std::vector<std::string> split_blanks(std::string_view text, int64_t count_max) {
    std::vector<std::string> out;
    text = strip(text, std::nullopt, StripSide::left);
    while (!text.empty()) {
        if (count_max >= 0 && static_cast<int64_t>(out.size()) >= count_max) {
            out.emplace_back(strip(text, std::nullopt, StripSide::right));
            break;
        }
        size_t size = 0;
        while (size < text.size()) {
            const DecodedCodePoint next = decode_lenient(text.substr(size));
            if (is_python_space(next.code_point)) break;
            size += next.size_bytes;
        }
        out.emplace_back(text.substr(0, size));
        text = strip(text.substr(size), std::nullopt, StripSide::left);
    }
    return out;
}

std::vector<std::string> split_lines(std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty()) {
        const size_t size = std::min(text.find_first_of("\r\n"), text.size());
        out.emplace_back(text.substr(0, size));
        const size_t end = text.substr(size, 2) == "\r\n" ? 2 : 1;
        text.remove_prefix(std::min(size + end, text.size()));
    }
    return out;
}

std::optional<std::string> replace_text(std::string_view text, std::string_view from,
                                        std::string_view to, int64_t count_max, size_t bytes_max) {
    std::string out;
    size_t begin = 0;
    size_t search = 0;
    int64_t count = 0;
    while (count_max < 0 || count < count_max) {
        const size_t at = find_text(text, from, search);
        if (at == std::string_view::npos) break;
        out.append(text.substr(begin, at - begin));
        out.append(to);
        if (out.size() > bytes_max) return std::nullopt;
        ++count;
        begin = at + from.size();
        search = begin;
        if (!from.empty()) continue;
        // Nothing stands between every two characters, as in Python.
        if (begin >= text.size()) break;
        const size_t size = decode_lenient(text.substr(begin)).size_bytes;
        search = begin + size;
    }
    out.append(text.substr(begin));
    if (out.size() > bytes_max) return std::nullopt;
    return out;
}

void append_json_string(std::string& out, std::string_view text, bool ascii) {
    constexpr std::string_view kControls = "\b\t\n\f\r\"\\";
    constexpr std::string_view kLetters = "btnfr\"\\";
    out.push_back('"');
    while (!text.empty()) {
        const DecodedCodePoint next = decode_lenient(text);
        const uint32_t c = next.code_point;
        const size_t escape = c < 0x80 ? kControls.find(static_cast<char>(c)) : std::string::npos;
        if (escape != std::string_view::npos) {
            out.push_back('\\');
            out.push_back(kLetters[escape]);
        } else if (ascii && c >= 0x10000) {
            out += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + ((c - 0x10000) >> 10),
                               0xDC00 + ((c - 0x10000) & 0x3FF));
        } else if (c < 0x20 || (ascii && c >= 0x80)) {
            out += fmt::format("\\u{:04x}", c);
        } else {
            out.append(text.substr(0, next.size_bytes));
        }
        text.remove_prefix(next.size_bytes);
    }
    out.push_back('"');
}

}  // namespace hone::text
