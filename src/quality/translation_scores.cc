#include "quality/translation_scores.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "text/unicode_classes.h"

namespace hone::quality {
namespace {

void replace_all(Sequence& text, std::u32string_view from, std::u32string_view to) {
    for (size_t at = text.find(from); at != Sequence::npos; at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
    }
}

bool is_13a_symbol(char32_t c) {
    return (c >= U'{' && c <= U'~') || (c >= U'[' && c <= U'`') || (c >= U' ' && c <= U'&') ||
           (c >= U'(' && c <= U'+') || (c >= U':' && c <= U'@') || c == U'/';
}

bool is_stop(char32_t c) {
    return c == U'.' || c == U',';
}

// Where `first` and `second` hold for two neighbours, `put` writes both, and neither is looked at
// again: what a substitution of a two-character pattern does.
template <class First, class Second, class Put>
Sequence rewrite_pairs(const Sequence& text, First first, Second second, Put put) {
    Sequence out;
    for (size_t i = 0; i < text.size(); ++i) {
        if (i + 1 < text.size() && first(text[i]) && second(text[i + 1])) {
            put(out, text[i], text[i + 1]);
            ++i;
        } else {
            out.push_back(text[i]);
        }
    }
    return out;
}

// The language-dependent part of NIST's mteval-v13a.pl.
Sequence separate_punctuation(const Sequence& text) {
    Sequence out;
    for (const char32_t c : text) {
        if (is_13a_symbol(c)) {
            out.append({U' ', c, U' '});
        } else {
            out.push_back(c);
        }
    }
    const auto other = [](char32_t c) { return !is_ascii_digit(c); };
    out = rewrite_pairs(out, other, is_stop, [](Sequence& to, char32_t a, char32_t b) {
        to.append({a, U' ', b, U' '});
    });
    out = rewrite_pairs(out, is_stop, other, [](Sequence& to, char32_t a, char32_t b) {
        to.append({U' ', a, U' ', b});
    });
    const auto dash = [](char32_t c) { return c == U'-'; };
    return rewrite_pairs(out, is_ascii_digit, dash, [](Sequence& to, char32_t a, char32_t b) {
        to.append({a, U' ', b, U' '});
    });
}

Sequence without_space(const Sequence& text) {
    Sequence out;
    std::copy_if(text.begin(), text.end(), std::back_inserter(out),
                 [](char32_t c) { return !is_space(c); });
    return out;
}

bool is_ascii_punctuation(char32_t c) {
    return c < 0x80 && text::is_punctuation(c);
}

// The words of chrF++: one sign of punctuation at the end, or else at the beginning, stands alone.
std::vector<Sequence> chrf_words(const Sequence& text) {
    std::vector<Sequence> out;
    for (Sequence& word : split_words(text)) {
        if (word.size() > 1 && is_ascii_punctuation(word.back())) {
            out.push_back(word.substr(0, word.size() - 1));
            out.push_back(word.substr(word.size() - 1));
        } else if (word.size() > 1 && is_ascii_punctuation(word.front())) {
            out.push_back(word.substr(0, 1));
            out.push_back(word.substr(1));
        } else {
            out.push_back(std::move(word));
        }
    }
    return out;
}

void add_chrf(const Sequence& output, const Sequence& reference, size_t n, double* counts) {
    const size_t references = ngrams_of(reference.size(), n);
    counts[0] = references > 0 ? static_cast<double>(ngrams_of(output.size(), n)) : 0;
    counts[1] = static_cast<double>(references);
    counts[2] =
        static_cast<double>(common_ngrams(count_ngrams(output, n), count_ngrams(reference, n)));
}

ChrfCounts chrf_counts_of(const Sequence& output, const Sequence& reference, size_t word_order) {
    ChrfCounts counts{};
    const Sequence a = without_space(output);
    const Sequence b = without_space(reference);
    for (size_t n = 1; n <= kChrfOrder; ++n) add_chrf(a, b, n, &counts[3 * (n - 1)]);
    Words words;
    const Sequence a_words = words.number(chrf_words(output));
    const Sequence b_words = words.number(chrf_words(reference));
    for (size_t n = 1; n <= word_order; ++n) {
        add_chrf(a_words, b_words, n, &counts[3 * (kChrfOrder + n - 1)]);
    }
    return counts;
}

}  // namespace

std::vector<Sequence> bleu_words(std::string_view text, BleuTokens tokens) {
    Sequence points = code_points(text);
    while (!points.empty() && is_space(points.back())) points.pop_back();
    if (tokens == BleuTokens::characters) {
        std::vector<Sequence> words;
        for (const char32_t c : points) {
            if (!is_space(c)) words.emplace_back(1, c);
        }
        return words;
    }
    replace_all(points, U"<skipped>", U"");
    replace_all(points, U"-\n", U"");
    replace_all(points, U"\n", U" ");
    replace_all(points, U"&quot;", U"\"");
    replace_all(points, U"&amp;", U"&");
    replace_all(points, U"&lt;", U"<");
    replace_all(points, U"&gt;", U">");
    return split_words(separate_punctuation(U' ' + points + U' '));
}

BleuCounts bleu_counts(std::string_view output, std::span<const std::string> references,
                       BleuTokens tokens) {
    HONE_CHECK_GT(references.size(), size_t{0});
    Words words;
    const Sequence ours = words.number(bleu_words(output, tokens));
    std::vector<Sequence> theirs;
    for (const std::string& reference : references) {
        theirs.push_back(words.number(bleu_words(reference, tokens)));
    }
    const auto distance = [&](const Sequence& s) {
        return s.size() > ours.size() ? s.size() - ours.size() : ours.size() - s.size();
    };
    const auto nearest =
        std::min_element(theirs.begin(), theirs.end(), [&](const Sequence& a, const Sequence& b) {
            return std::pair(distance(a), a.size()) < std::pair(distance(b), b.size());
        });
    BleuCounts counts{};
    counts[0] = static_cast<double>(ours.size());
    counts[1] = static_cast<double>(nearest->size());
    for (size_t n = 1; n <= kBleuOrder; ++n) {
        Ngrams most;
        for (const Sequence& reference : theirs) {
            for (const auto& [ngram, count] : count_ngrams(reference, n)) {
                uint32_t& highest = most[ngram];
                highest = std::max(highest, count);
            }
        }
        counts[1 + n] = static_cast<double>(common_ngrams(count_ngrams(ours, n), most));
        counts[1 + kBleuOrder + n] = static_cast<double>(ngrams_of(ours.size(), n));
    }
    return counts;
}

double brevity_penalty(double output_words, double reference_words) {
    if (output_words >= reference_words) return 1;
    return output_words > 0 ? std::exp(1 - reference_words / output_words) : 0;
}

double bleu(std::span<const double> counts, bool effective_order) {
    const auto matched = counts.subspan(2, kBleuOrder);
    const auto total = counts.subspan(2 + kBleuOrder, kBleuOrder);
    if (std::all_of(matched.begin(), matched.end(), [](double m) { return m == 0; })) return 0;
    double log_sum = 0;
    double halved = 1;
    size_t order = kBleuOrder;
    for (size_t n = 0; n < kBleuOrder; ++n) {
        if (total[n] == 0) {
            // Without the effective order a missing one counts as precision 0.
            if (!effective_order) return 0;
            order = n;
            break;
        }
        if (matched[n] == 0) halved *= 2;
        const double precision = matched[n] == 0 ? 1 / (halved * total[n]) : matched[n] / total[n];
        log_sum += std::log(precision);
    }
    return 100 * brevity_penalty(counts[0], counts[1]) *
           std::exp(log_sum / static_cast<double>(order));
}

ChrfCounts chrf_counts(std::string_view output, std::span<const std::string> references,
                       size_t word_order) {
    HONE_CHECK_GT(references.size(), size_t{0});
    HONE_CHECK_LE(word_order, kChrfWordsMax);
    const Sequence ours = code_points(output);
    ChrfCounts best{};
    double best_score = -1;
    for (const std::string& reference : references) {
        const ChrfCounts counts = chrf_counts_of(ours, code_points(reference), word_order);
        const double score = chrf(counts);
        if (score <= best_score) continue;
        best_score = score;
        best = counts;
    }
    return best;
}

double chrf(std::span<const double> counts) {
    double precision = 0, recall = 0;
    size_t orders = 0;
    for (size_t i = 0; i + 2 < counts.size(); i += 3) {
        if (counts[i] == 0 || counts[i + 1] == 0) continue;
        precision += counts[i + 2] / counts[i];
        recall += counts[i + 2] / counts[i + 1];
        ++orders;
    }
    if (precision + recall == 0) return 0;
    precision /= static_cast<double>(orders);
    recall /= static_cast<double>(orders);
    constexpr double kBetaSquared = 4;
    return 100 * (1 + kBetaSquared) * precision * recall / (kBetaSquared * precision + recall);
}

}  // namespace hone::quality
