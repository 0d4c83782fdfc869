// How a report may look: width, colours, symbols, language. Decided by cli, passed in.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hone::report {

enum class Language : uint8_t { english, chinese };

struct Style {
    int width = 80;  // columns; lines never exceed it
    bool colour = false;
    bool unicode = false;  // bars and marks beyond ASCII
    Language language = Language::english;
};

enum class Ink : uint8_t { plain, bold, dim, good, bad, warning };

// Wraps in an ANSI colour when the style allows it; never changes the visible width.
std::string paint(const Style& style, Ink ink, std::string_view text);

// Columns that UTF-8 text takes on a terminal; escape sequences take none.
size_t display_width(std::string_view text);
// Foreign text for one line: control characters, which could drive a terminal, become "?".
std::string one_line(std::string_view text);
// At most `width` columns; a cut is marked by "~".
std::string fit(std::string_view text, size_t width);
// Exactly `width` columns, spaces added on one side.
std::string pad(std::string_view text, size_t width, bool right_aligned);
// Lines of at most `width` columns, later ones indented by `indent` spaces. Breaks at spaces and
// between wide characters, but never before closing punctuation.
std::string wrap(std::string_view text, size_t width, size_t indent);
// A horizontal bar of `share` (0..1) of `width` columns.
std::string bar(const Style& style, double share, size_t width);

}  // namespace hone::report
