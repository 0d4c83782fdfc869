#include "report/style.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace hone::report {
namespace {

struct Glyph {
    size_t bytes = 1;
    size_t columns = 1;
};

// Scripts and symbols that terminals draw two columns wide (Unicode TR 11, wide ranges).
bool is_wide(uint32_t code) {
    constexpr std::pair<uint32_t, uint32_t> kWide[] = {
        {0x1100, 0x115f}, {0x2e80, 0xa4cf}, {0xac00, 0xd7a3}, {0xf900, 0xfaff},
        {0xfe30, 0xfe6f}, {0xff00, 0xff60}, {0xffe0, 0xffe6}, {0x1f300, 0x1faff},
    };
    return std::any_of(std::begin(kWide), std::end(kWide), [&](const auto& range) {
        return code >= range.first && code <= range.second;
    });
}

// One character at `at`: an escape sequence, a UTF-8 character, or one stray byte.
Glyph glyph_at(std::string_view text, size_t at) {
    const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
    if (text[at] == '\x1b' && at + 1 < text.size() && text[at + 1] == '[') {
        size_t end = at + 2;
        while (end < text.size() && !(byte(end) >= 0x40 && byte(end) <= 0x7e)) ++end;
        return {std::min(end + 1, text.size()) - at, 0};
    }
    const unsigned char lead = byte(at);
    const size_t length = lead < 0x80    ? 1
                          : lead >= 0xf0 ? 4
                          : lead >= 0xe0 ? 3
                          : lead >= 0xc0 ? 2
                                         : 1;
    if (length == 1 || at + length > text.size()) return {1, 1};
    uint32_t code = lead & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; ++i) code = code << 6 | (byte(at + i) & 0x3f);
    if (code >= 0x300 && code <= 0x36f) return {length, 0};
    return {length, is_wide(code) ? size_t{2} : size_t{1}};
}

const char* ink_code(Ink ink) {
    switch (ink) {
        case Ink::plain:
            return "";
        case Ink::bold:
            return "\x1b[1m";
        case Ink::dim:
            return "\x1b[2m";
        case Ink::good:
            return "\x1b[32m";
        case Ink::bad:
            return "\x1b[31m";
        case Ink::warning:
            return "\x1b[33m";
    }
    return "";
}

constexpr std::string_view kReset = "\x1b[0m";

// Marks that must not begin a line: closing punctuation, full width and plain.
bool is_closing(std::string_view glyph) {
    constexpr std::string_view kClosing[] = {"，", "。", "；", "：", "、", "）", "！", "？", "”",
                                             "》", "」", "』", ",",  ".",  ";",  ":",  ")",  "%"};
    return std::find(std::begin(kClosing), std::end(kClosing), glyph) != std::end(kClosing);
}

// What a line is made of: a run of narrow characters, or one wide one, with the marks that close
// it.
struct Piece {
    std::string_view text;
    bool spaced = false;  // a space stood before it
};

std::vector<Piece> pieces_of(std::string_view text) {
    std::vector<Piece> pieces;
    bool spaced = false;
    bool fresh = true;  // the next character begins a piece
    for (size_t at = 0; at < text.size();) {
        const Glyph glyph = glyph_at(text, at);
        const std::string_view shown = text.substr(at, glyph.bytes);
        at += glyph.bytes;
        if (shown == " ") {
            spaced = fresh = true;
            continue;
        }
        const bool attached = !pieces.empty() && !spaced && is_closing(shown);
        if (shown == "%" && spaced && !pieces.empty() &&
            pieces.back().text.data() + pieces.back().text.size() + 1 == shown.data()) {
            // A number and its "%" stay together.
            Piece& last = pieces.back();
            last.text = {last.text.data(), last.text.size() + 2};
            fresh = spaced = false;
            continue;
        }
        if ((fresh || glyph.columns == 2) && !attached) {
            pieces.push_back({shown, spaced});
        } else {
            Piece& last = pieces.back();
            last.text = {last.text.data(), last.text.size() + shown.size()};
        }
        fresh = glyph.columns == 2;
        spaced = false;
    }
    return pieces;
}

}  // namespace

std::string paint(const Style& style, Ink ink, std::string_view text) {
    if (!style.colour || ink == Ink::plain || text.empty()) return std::string(text);
    return ink_code(ink) + std::string(text) + std::string(kReset);
}

size_t display_width(std::string_view text) {
    size_t columns = 0;
    for (size_t at = 0; at < text.size();) {
        const Glyph glyph = glyph_at(text, at);
        columns += glyph.columns;
        at += glyph.bytes;
    }
    return columns;
}

std::string one_line(std::string_view text) {
    std::string out;
    for (size_t at = 0; at < text.size(); ++at) {
        const auto byte = static_cast<unsigned char>(text[at]);
        // C1 controls, two bytes in UTF-8, drive terminals as C0 ones do.
        const bool c1 =
            byte == 0xc2 && at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) < 0xa0;
        const bool control = byte < 0x20 || byte == 0x7f || c1;
        out += control ? '?' : text[at];
        if (c1) ++at;
    }
    return out;
}

std::string fit(std::string_view text, size_t width) {
    if (display_width(text) <= width) return std::string(text);
    if (width == 0) return {};
    std::string out;
    size_t columns = 0;
    bool coloured = false;
    for (size_t at = 0; at < text.size();) {
        const Glyph glyph = glyph_at(text, at);
        if (columns + glyph.columns > width - 1) break;
        coloured = coloured || (glyph.columns == 0 && text[at] == '\x1b');
        out += text.substr(at, glyph.bytes);
        columns += glyph.columns;
        at += glyph.bytes;
    }
    out += '~';
    if (coloured) out += kReset;
    return out;
}

std::string pad(std::string_view text, size_t width, bool right_aligned) {
    std::string fitted = fit(text, width);
    const std::string spaces(width - std::min(width, display_width(fitted)), ' ');
    return right_aligned ? spaces + fitted : fitted + spaces;
}

std::string wrap(std::string_view text, size_t width, size_t indent) {
    std::string out;
    std::string line;
    const std::string margin(std::min(indent, width / 2), ' ');
    // Leading spaces of the text are its own indent and stay.
    const size_t lead = std::min(text.find_first_not_of(' '), text.size());
    line.append(std::min(lead, width / 2), ' ');
    bool fresh = true;
    for (const Piece& piece : pieces_of(text)) {
        const size_t gap = piece.spaced && !fresh ? 1 : 0;
        if (!fresh && display_width(line) + gap + display_width(piece.text) > width) {
            out += line + '\n';
            line = margin;
            fresh = true;
        }
        if (gap == 1 && !fresh) line += ' ';
        line += fit(piece.text, width - std::min(width, display_width(line)));
        fresh = false;
    }
    return out + line + '\n';
}

std::string bar(const Style& style, double share, size_t width) {
    const double filled =
        std::clamp(std::isfinite(share) ? share : 0.0, 0.0, 1.0) * static_cast<double>(width);
    if (!style.unicode) {
        const auto whole = static_cast<size_t>(std::lround(filled));
        return std::string(whole, '#') + std::string(width - whole, '.');
    }
    // Eighths of a block, so that small shares still show.
    constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    const auto eighths = static_cast<size_t>(std::lround(filled * 8));
    std::string out;
    for (size_t i = 0; i < eighths / 8; ++i) out += "█";
    out += kEighths[eighths % 8];
    const size_t used = eighths / 8 + (eighths % 8 != 0 ? 1 : 0);
    return out + std::string(width - used, ' ');
}

}  // namespace hone::report
