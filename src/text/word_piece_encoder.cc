#include "text/word_piece_encoder.h"

#include <utf8proc.h>

#include <numeric>

#include "text/pretokenizer_families.h"
#include "text/sentence_piece_merger.h"
#include "text/unicode_classes.h"
#include "text/utf8.h"

namespace hone::text {

namespace {

constexpr CodePointRange kChinese[] = {{0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},
                                       {0x20000, 0x2A6DF}, {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F},
                                       {0x2B920, 0x2CEAF}, {0x2F800, 0x2FA1F}};

// Removed: controls such as vertical tab, formats, private use, surrogates; what Unicode has not
// assigned stays.
bool is_dropped(uint32_t code_point) {
    if (code_point == '\t' || code_point == '\n' || code_point == '\r') return false;
    if (code_point == kReplacementCharacter) return true;
    switch (utf8proc_category(static_cast<utf8proc_int32_t>(code_point))) {
        case UTF8PROC_CATEGORY_CC:
        case UTF8PROC_CATEGORY_CF:
        case UTF8PROC_CATEGORY_CO:
        case UTF8PROC_CATEGORY_CS:
            return true;
        default:
            return false;
    }
}

bool is_space(uint32_t code_point) {
    if (code_point < 0x80) return code_point == ' ' || (code_point >= '\t' && code_point <= '\r');
    return unicode_class(code_point) == UnicodeClass::whitespace;
}

}  // namespace

WordPieceEncoder::WordPieceEncoder(const VocabularyData& data)
    : unknown_(data.unk_id),
      lowercase_(data.lowercase.value_or(true)),
      strips_accents_(data.strip_accents.value_or(lowercase_)) {
    std::vector<int32_t> ids(data.tokens.size());
    std::iota(ids.begin(), ids.end(), 0);
    index_ = PrefixIndex(data.tokens, std::move(ids));
}

// Canonical decomposition without the marks that do not take room, then lower case.
std::u32string WordPieceEncoder::clean(uint32_t code_point) const {
    std::u32string out;
    if (strips_accents_ && code_point >= 0x80) {
        utf8proc_int32_t parts[8];  // the longest canonical decomposition has 4
        int boundary = 0;
        const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(code_point), parts,
                                                   static_cast<utf8proc_ssize_t>(std::size(parts)),
                                                   UTF8PROC_DECOMPOSE, &boundary);
        for (utf8proc_ssize_t i = 0; i < count; ++i) {
            if (utf8proc_category(parts[i]) == UTF8PROC_CATEGORY_MN) continue;
            out.push_back(static_cast<char32_t>(parts[i]));
        }
    } else {
        out.push_back(code_point);
    }
    if (!lowercase_) return out;
    // The one letter whose lower case is two characters.
    if (out == U"\u0130") return U"i\u0307";
    for (char32_t& c : out) {
        c = static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
    }
    return out;
}

std::vector<std::string> WordPieceEncoder::words(std::string_view text) const {
    std::vector<std::string> out;
    bool open = false;  // the last word goes on
    const auto append = [&](uint32_t code_point, bool alone) {
        if (!open || alone) out.emplace_back();
        append_utf8(out.back(), code_point);
        open = !alone;
    };
    while (!text.empty()) {
        const DecodedCodePoint next = decode_lenient(text);
        text.remove_prefix(next.size_bytes);
        if (is_dropped(next.code_point)) continue;
        if (is_space(next.code_point)) {
            open = false;
            continue;
        }
        const bool chinese = contains(kChinese, next.code_point);
        for (const char32_t part : clean(next.code_point)) {
            append(part, chinese || is_punctuation(part));
        }
    }
    return out;
}

void WordPieceEncoder::encode(std::string_view text, const std::vector<std::string>& tokens,
                              size_t& steps, std::vector<int32_t>& out) const {
    for (const std::string& word : words(text)) {
        encode_word(std::string(kSpaceMark) + word, tokens, steps, out);
    }
}

void WordPieceEncoder::encode_word(const std::string& word, const std::vector<std::string>& tokens,
                                   size_t& steps, std::vector<int32_t>& out) const {
    const size_t count_before = out.size();
    for (size_t at = 0; at < word.size();) {
        int32_t longest = -1;
        size_t longest_end = at;
        const std::string_view rest = std::string_view(word).substr(at);
        steps += index_.for_each_match(tokens, rest, [&](int32_t token, size_t size) {
            // The mark of a beginning alone covers nothing of the word.
            if (at == 0 && size <= kSpaceMark.size()) return;
            longest = token;
            longest_end = at + size;
        });
        if (longest < 0) {
            out.resize(count_before);
            if (unknown_ >= 0) out.push_back(unknown_);
            return;
        }
        out.push_back(longest);
        at = longest_end;
    }
}

}  // namespace hone::text
