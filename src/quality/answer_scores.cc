#include "quality/answer_scores.h"

#include <algorithm>
#include <map>

#include "base/check.h"
#include "base/closest.h"
#include "text/unicode_classes.h"

namespace hone::quality {
namespace {

PrecisionRecall overlap(double common, size_t output, size_t reference) {
    PrecisionRecall out;
    if (output > 0) out.precision = common / static_cast<double>(output);
    if (reference > 0) out.recall = common / static_cast<double>(reference);
    return out;
}

PrecisionRecall overlap_of_ngrams(const Sequence& output, const Sequence& reference, size_t n) {
    const size_t common = common_ngrams(count_ngrams(output, n), count_ngrams(reference, n));
    return overlap(static_cast<double>(common), ngrams_of(output.size(), n),
                   ngrams_of(reference.size(), n));
}

void keep_better(PrecisionRecall& best, const PrecisionRecall& other) {
    if (other.f1() > best.f1()) best = other;
}

bool is_article(const Sequence& word) {
    return word == U"a" || word == U"an" || word == U"the";
}

// Lower case, and what is not a-z or 0-9 as space. Two characters outside ASCII have a lower case
// that begins with an ASCII letter, which the reference's tokens therefore have: the Kelvin sign
// (k) and the capital I with a dot (i and a combining dot, which ends the word).
void append_ascii_lower(char32_t c, Sequence& out) {
    if (c == 0x130) {
        out.append(U"i ");
    } else if (c == 0x212A) {
        out.push_back(U'k');
    } else if (c >= U'A' && c <= U'Z') {
        out.push_back(c - U'A' + U'a');
    } else {
        out.push_back(is_ascii_digit(c) || (c >= U'a' && c <= U'z') ? c : U' ');
    }
}

}  // namespace

double PrecisionRecall::f1() const {
    return precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0;
}

std::vector<Sequence> rouge_words(std::string_view text, RougeTokens tokens) {
    const Sequence points = code_points(text);
    if (tokens == RougeTokens::unicode) return split_unicode_words(points);
    Sequence lower;
    for (const char32_t c : points) append_ascii_lower(c, lower);
    return split_words(lower);
}

Rouge rouge(std::string_view output, std::span<const std::string> references, RougeTokens tokens) {
    HONE_CHECK_GT(references.size(), size_t{0});
    Words words;
    const Sequence ours = words.number(rouge_words(output, tokens));
    Rouge best;
    for (const std::string& reference : references) {
        const Sequence theirs = words.number(rouge_words(reference, tokens));
        keep_better(best.rouge1, overlap_of_ngrams(ours, theirs, 1));
        keep_better(best.rouge2, overlap_of_ngrams(ours, theirs, 2));
        const auto common = static_cast<double>(common_subsequence(ours, theirs));
        keep_better(best.rouge_l, overlap(common, ours.size(), theirs.size()));
    }
    return best;
}

std::vector<Sequence> normalized_words(std::string_view text) {
    Sequence kept;
    for (const char32_t c : lower_case(code_points(text))) {
        if (!text::is_punctuation(c)) kept.push_back(c);
    }
    std::vector<Sequence> words = split_words(kept);
    words.erase(std::remove_if(words.begin(), words.end(), is_article), words.end());
    return words;
}

bool exact_match(std::string_view output, std::span<const std::string> references) {
    const auto ours = normalized_words(output);
    return std::any_of(references.begin(), references.end(), [&](const std::string& reference) {
        return normalized_words(reference) == ours;
    });
}

double token_f1(std::string_view output, std::span<const std::string> references) {
    // Words of scripts without spaces come apart here only: exact match needs none.
    const auto tokens_of = [](std::string_view text, Words& words) {
        std::vector<Sequence> tokens;
        for (const Sequence& word : normalized_words(text)) {
            for (Sequence& token : split_unicode_words(word)) tokens.push_back(std::move(token));
        }
        return words.number(tokens);
    };
    Words words;
    const Sequence ours = tokens_of(output, words);
    double best = 0;
    for (const std::string& reference : references) {
        const Sequence theirs = tokens_of(reference, words);
        const bool both_empty = ours.empty() && theirs.empty();
        best = std::max(best, both_empty ? 1.0 : overlap_of_ngrams(ours, theirs, 1).f1());
    }
    return best;
}

double edit_similarity(std::string_view a, std::string_view b, size_t code_points_max) {
    const Sequence left = code_points(a).substr(0, code_points_max);
    const Sequence right = code_points(b).substr(0, code_points_max);
    const size_t longer = std::max(left.size(), right.size());
    if (longer == 0) return 1;
    const size_t edits = base::edit_distance<char32_t>(left, right);
    return 1 - static_cast<double>(edits) / static_cast<double>(longer);
}

Agreement agreement(std::span<const std::string> answers) {
    HONE_CHECK_GE(answers.size(), size_t{2});
    std::map<std::vector<Sequence>, size_t> counts;
    for (const std::string& answer : answers) ++counts[normalized_words(answer)];
    Agreement out;
    const auto n = static_cast<double>(answers.size());
    const double pairs = n * (n - 1) / 2;
    for (const auto& [words, count] : counts) {
        const auto k = static_cast<double>(count);
        out.pairs_equal += k * (k - 1) / 2 / pairs;
        out.majority = std::max(out.majority, k / n);
    }
    for (size_t i = 0; i < answers.size(); ++i) {
        for (size_t j = i + 1; j < answers.size(); ++j) {
            out.edit_similarity +=
                edit_similarity(answers[i], answers[j], kAgreementCodePointsMax) / pairs;
        }
    }
    return out;
}

}  // namespace hone::quality
