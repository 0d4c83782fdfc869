// Python's string methods on UTF-8, as far as chat templates use them.
//
// Characters are code points. Case mapping is the simple one of Unicode (utf8proc): 'ß' keeps its
// length. Bad UTF-8 is read leniently and never fails. Results can be larger than their inputs by a
// factor of 3 at most, except where a size limit is taken. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hone::text {

size_t count_characters(std::string_view text);
std::vector<std::string> split_characters(std::string_view text);

std::string to_upper(std::string_view text);
std::string to_lower(std::string_view text);
// str.capitalize and str.title.
std::string capitalize(std::string_view text);
std::string to_title(std::string_view text);

enum class StripSide { both, left, right };
// characters: what is stripped; nothing means white space.
std::string_view strip(std::string_view text, std::optional<std::string_view> characters,
                       StripSide side);

// Linear in the text, whatever the pattern; npos when it is not there.
size_t find_text(std::string_view text, std::string_view pattern, size_t from = 0);

// str.split; count_max < 0: no limit. Requires a non-empty separator.
std::vector<std::string> split_text(std::string_view text, std::string_view separator,
                                    int64_t count_max);
std::vector<std::string> split_blanks(std::string_view text, int64_t count_max);
std::vector<std::string> split_lines(std::string_view text);

// str.replace; nothing when the result would exceed bytes_max. count_max < 0: no limit.
std::optional<std::string> replace_text(std::string_view text, std::string_view from,
                                        std::string_view to, int64_t count_max, size_t bytes_max);

// JSON string with quotes. Escapes control characters, quotes and backslashes; with `ascii` also
// all beyond ASCII, as UTF-16 units.
void append_json_string(std::string& out, std::string_view text, bool ascii = false);

}  // namespace hone::text
