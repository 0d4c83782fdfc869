#include "quality/sequences.h"

#include <utf8proc.h>

#include <algorithm>

#include "text/unicode_classes.h"
#include "text/utf8.h"

namespace hone::quality {
namespace {

struct Range {
    char32_t first;
    char32_t last;
};

// Blocks of scripts written without spaces between words (Unicode 15.1, Blocks.txt).
constexpr Range kUnspaced[] = {
    {0x0E00, 0x0EFF},    // Thai, Lao
    {0x1000, 0x109F},    // Burmese
    {0x1780, 0x17FF},    // Khmer
    {0x3040, 0x30FF},    // Hiragana, Katakana
    {0x31F0, 0x31FF},    // Katakana extensions
    {0x3400, 0x4DBF},    // Han, extension A
    {0x4E00, 0x9FFF},    // Han
    {0xF900, 0xFAFF},    // Han, compatibility
    {0x20000, 0x3FFFF},  // Han, supplementary planes
};

bool is_unspaced(char32_t c) {
    return std::any_of(std::begin(kUnspaced), std::end(kUnspaced),
                       [c](const Range& r) { return c >= r.first && c <= r.last; });
}

bool is_ascii_letter(char32_t c) {
    return (c >= U'a' && c <= U'z') || (c >= U'A' && c <= U'Z');
}

bool is_word_character(char32_t c) {
    if (c < 0x80) return is_ascii_digit(c) || is_ascii_letter(c);
    using text::UnicodeClass;
    const UnicodeClass kind = text::unicode_class(c);
    return kind == UnicodeClass::letter || kind == UnicodeClass::number ||
           kind == UnicodeClass::mark;
}

}  // namespace

Sequence code_points(std::string_view text) {
    Sequence out;
    out.reserve(text.size());
    while (!text.empty()) {
        const text::DecodedCodePoint decoded = text::decode_lenient(text);
        out.push_back(decoded.code_point);
        text.remove_prefix(decoded.size_bytes);
    }
    return out;
}

bool is_space(char32_t c) {
    return text::is_python_space(c);
}

bool is_ascii_digit(char32_t c) {
    return c >= U'0' && c <= U'9';
}

Sequence lower_case(Sequence text) {
    for (char32_t& c : text) {
        c = static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
    }
    return text;
}

std::vector<Sequence> split_words(const Sequence& text) {
    std::vector<Sequence> words;
    Sequence word;
    for (const char32_t c : text) {
        if (!is_space(c)) {
            word.push_back(c);
        } else if (!word.empty()) {
            words.push_back(std::move(word));
            word.clear();
        }
    }
    if (!word.empty()) words.push_back(std::move(word));
    return words;
}

std::vector<Sequence> split_unicode_words(const Sequence& text) {
    Sequence spaced;
    for (const char32_t c : lower_case(text)) {
        const bool alone = is_unspaced(c);
        if (alone || !is_word_character(c)) spaced.push_back(U' ');
        if (is_word_character(c)) spaced.push_back(c);
        if (alone) spaced.push_back(U' ');
    }
    return split_words(spaced);
}

Sequence Words::number(std::span<const Sequence> words) {
    Sequence out;
    out.reserve(words.size());
    for (const Sequence& word : words) {
        const auto next = static_cast<char32_t>(numbers_.size());
        out.push_back(numbers_.emplace(word, next).first->second);
    }
    return out;
}

Ngrams count_ngrams(const Sequence& sequence, size_t n) {
    Ngrams counts;
    const std::u32string_view view = sequence;
    for (size_t i = 0; i < ngrams_of(view.size(), n); ++i) ++counts[view.substr(i, n)];
    return counts;
}

size_t common_ngrams(const Ngrams& a, const Ngrams& b) {
    size_t common = 0;
    for (const auto& [ngram, count] : a) {
        const auto found = b.find(ngram);
        if (found != b.end()) common += std::min(count, found->second);
    }
    return common;
}

size_t common_subsequence(const Sequence& a, const Sequence& b) {
    std::vector<size_t> row(b.size() + 1, 0);
    for (const char32_t symbol : a) {
        size_t diagonal = 0;
        for (size_t j = 1; j <= b.size(); ++j) {
            const size_t above = row[j];
            row[j] = symbol == b[j - 1] ? diagonal + 1 : std::max(above, row[j - 1]);
            diagonal = above;
        }
    }
    return row.back();
}

}  // namespace hone::quality
