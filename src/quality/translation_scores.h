// BLEU and chrF of outputs against references, number for number those of sacrebleu 2.6.
//
//   BLEU   Papineni et al. 2002: geometric mean of the clipped n-gram precisions, n = 1..4,
//          times the brevity penalty exp(1 - r / c) of outputs shorter than their references; a
//          count of 0 is halved anew at each order (NIST's smoothing, "exp"). Of several
//          references the length nearest to the output's counts, the shorter of two as near.
//   chrF   Popovic 2015: F (beta = 2, recall counts double) of the mean precision and recall of
//          character n-grams, n = 1..6, white space left out; chrF++ (2017) adds words, n = 1..2,
//          with punctuation cut off. Of several references the one of the best F.
// Scores are of a corpus: counts are added over the texts first. All scores are 0..100. So counts
// are plain arrays, which resampling adds up in any choice. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quality/sequences.h"

namespace hone::quality {

enum class BleuTokens : uint8_t {
    wmt13a,      // mteval-v13a: punctuation apart, for languages with spaces
    characters,  // each character a token, for languages without
};
inline constexpr size_t kBleuOrder = 4;
inline constexpr size_t kChrfOrder = 6;
inline constexpr size_t kChrfWordsMax = 2;

// The words of a text as BLEU counts them.
std::vector<Sequence> bleu_words(std::string_view text, BleuTokens tokens);

// [output words, reference words, 4 x matched n-grams, 4 x n-grams of the output]
using BleuCounts = std::array<double, 2 + 2 * kBleuOrder>;
// At least one reference.
BleuCounts bleu_counts(std::string_view output, std::span<const std::string> references,
                       BleuTokens tokens);
// `effective_order`: n only up to the longest n-gram that there is, for single sentences.
double bleu(std::span<const double> counts, bool effective_order = false);
double brevity_penalty(double output_words, double reference_words);

// 6 x, then up to 2 x for words: [of the output, of the reference, common]; those of the output are
// 0 where the reference has none of that length.
using ChrfCounts = std::array<double, 3 * (kChrfOrder + kChrfWordsMax)>;
ChrfCounts chrf_counts(std::string_view output, std::span<const std::string> references,
                       size_t word_order = 0);
double chrf(std::span<const double> counts);

}  // namespace hone::quality
