// How near a generated answer is to what it should be: ROUGE, exact match, token F1, similarity by
// edits, and how far several answers to one question agree.
//
//   ROUGE     Lin 2004, as rouge-score 0.1 counts it without its stemmer: F1 of n-grams (1, 2)
//             and of the longest common subsequence (L). Its tokens are runs of a-z and 0-9, so
//             text of other scripts has none and scores 0; RougeTokens::unicode keeps every
//             script. Of several references the one of the best F1 counts.
//   exact match, token F1
//             after Rajpurkar et al. 2016 (SQuAD): lower case, punctuation and the words a, an, the
//             left out, white space made one; F1 over the words left, where a character of a script
//             without spaces is a word. The best of several references counts.
//   edit similarity
//             1 - edits / length of the longer text, in code points. Texts are cut at
//             kEditCodePointsMax.
// All are 0..1. Two empty texts are equal: 1. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quality/sequences.h"

namespace hone::quality {

struct PrecisionRecall {
    double precision = 0;
    double recall = 0;
    double f1() const;
};

enum class RougeTokens : uint8_t { ascii, unicode };
std::vector<Sequence> rouge_words(std::string_view text, RougeTokens tokens);

struct Rouge {
    PrecisionRecall rouge1;
    PrecisionRecall rouge2;
    PrecisionRecall rouge_l;
};
// Of each the best over the references, of which there is at least one.
Rouge rouge(std::string_view output, std::span<const std::string> references, RougeTokens tokens);

std::vector<Sequence> normalized_words(std::string_view text);
bool exact_match(std::string_view output, std::span<const std::string> references);
double token_f1(std::string_view output, std::span<const std::string> references);

inline constexpr size_t kEditCodePointsMax = 4096;
double edit_similarity(std::string_view a, std::string_view b,
                       size_t code_points_max = kEditCodePointsMax);

// Of at least two answers to one question; "equal" is exact match with each other. Every pair is
// compared, so their texts are cut sooner for the similarity.
inline constexpr size_t kAgreementCodePointsMax = 1024;
struct Agreement {
    double pairs_equal = 0;      // share of the pairs
    double majority = 0;         // share of the commonest answer
    double edit_similarity = 0;  // mean over the pairs
};
Agreement agreement(std::span<const std::string> answers);

}  // namespace hone::quality
