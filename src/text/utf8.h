// UTF-8 in the three ways this room needs it: the lenient reading of BPE tokenizers, encoding, and
// the strict question "is this sequence whole yet?" of streaming output.
//
// Not a validator for the outside world. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace hone::text {

constexpr uint32_t kReplacementCharacter = 0xFFFD;

struct DecodedCodePoint {
    uint32_t code_point;
    uint32_t size_bytes;  // 1..4 bytes consumed
};

// Lenient reading as BPE engines do it: overlong forms and surrogates are taken at face value; any
// other bad byte becomes one U+FFFD and consumes one byte, and so does a lead byte that would give
// more than U+10FFFF. Requires a non-empty text.
DecodedCodePoint decode_lenient(std::string_view text);

// Appends 1 to 4 bytes; requires code_point <= U+10FFFF. Surrogates are written as 3 bytes.
void append_utf8(std::string& out, uint32_t code_point);

// How many bytes at the end of `text` are the beginning of a sequence that more bytes could still
// make valid UTF-8 (Unicode 15, table 3-7): 0 to 3.
size_t incomplete_suffix_bytes(std::string_view text);

// Replaces every maximal invalid part by U+FFFD (Unicode 15, section 3.9, practice of WHATWG).
std::string sanitize_utf8(std::string_view text);

}  // namespace hone::text
