// Texts as sequences of symbols, and the n-grams of such sequences: what BLEU, chrF, ROUGE and
// token F1 are counted from.
//
// A symbol is a code point, or the number that a Words dictionary gave to a word; so one counter
// serves characters and words. White space is what Python's str.split() takes for it, because the
// reference tools of these scores are written in Python. Invalid UTF-8 is read leniently
// (text/utf8.h). N-grams borrow the sequence they were counted in. Not a tokenizer of models. Pure
// but for Words, which belongs to one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace hone::quality {

using Sequence = std::u32string;

Sequence code_points(std::string_view text);
bool is_space(char32_t c);
bool is_ascii_digit(char32_t c);
// Lower case by Unicode's simple mapping.
Sequence lower_case(Sequence text);

// The parts between runs of white space.
std::vector<Sequence> split_words(const Sequence& text);
// Letters, marks and numbers, in lower case: a run is a word, but each character of a script that
// puts no spaces between words (Han, kana, Thai, Lao, Khmer, Burmese) is one of its own.
std::vector<Sequence> split_unicode_words(const Sequence& text);

// Numbers words; equal ones alike.
class Words {
  public:
    Sequence number(std::span<const Sequence> words);

  private:
    std::unordered_map<Sequence, char32_t> numbers_;
};

using Ngrams = std::unordered_map<std::u32string_view, uint32_t>;
Ngrams count_ngrams(const Sequence& sequence, size_t n);
// Each n-gram as often as both have it.
size_t common_ngrams(const Ngrams& a, const Ngrams& b);
// Of a sequence of that length.
inline size_t ngrams_of(size_t length, size_t n) {
    return length >= n ? length - n + 1 : 0;
}

// Length of the longest common subsequence; O(a b) time, O(b) memory.
size_t common_subsequence(const Sequence& a, const Sequence& b);

}  // namespace hone::quality
