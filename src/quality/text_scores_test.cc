// Scores of texts and classes against the numbers that the reference tools give
// (tests/golden/check_text_scores.py holds many more of them against the tools themselves).
#include <gtest/gtest.h>

#include "quality/answer_scores.h"
#include "quality/classification.h"
#include "quality/translation_scores.h"

namespace hone::quality {
namespace {

using Texts = std::vector<std::string>;

template <class Counts>
void add(Counts& sums, const Counts& counts) {
    for (size_t i = 0; i < sums.size(); ++i) sums[i] += counts[i];
}

TEST(Bleu, OfACorpusIsThatOfSacrebleu) {
    const Texts outputs{"the cat sat on the mat", "there is a dog in the garden"};
    const Texts references{"the cat is on the mat", "a dog is in the garden"};
    BleuCounts sums{};
    ChrfCounts characters{}, words{};
    for (size_t i = 0; i < outputs.size(); ++i) {
        const std::span reference(&references[i], 1);
        add(sums, bleu_counts(outputs[i], reference, BleuTokens::wmt13a));
        add(characters, chrf_counts(outputs[i], reference));
        add(words, chrf_counts(outputs[i], reference, 2));
    }
    EXPECT_EQ(sums, (BleuCounts{13, 12, 11, 6, 2, 0, 13, 11, 9, 7}));
    EXPECT_NEAR(bleu(sums), 29.26, 0.005);
    EXPECT_NEAR(chrf(characters), 68.1474, 5e-5);
    EXPECT_NEAR(chrf(words), 69.7605, 5e-5);
    const auto first = bleu_counts(outputs[0], Texts{references[0]}, BleuTokens::wmt13a);
    EXPECT_NEAR(bleu(first, true), 37.991784, 1e-6);
}

TEST(Bleu, ZeroCountsAreHalvedAndShortOutputsPay) {
    const auto counts = bleu_counts("the the the the the the the", Texts{"the cat is on the mat"},
                                    BleuTokens::wmt13a);
    EXPECT_NEAR(bleu(counts), 7.809850, 1e-6);
    EXPECT_NEAR(brevity_penalty(5, 7), 0.6703200, 1e-7);
    EXPECT_EQ(bleu(bleu_counts("", Texts{"a b c d"}, BleuTokens::wmt13a)), 0);
    EXPECT_EQ(bleu(bleu_counts("a b", Texts{"a b"}, BleuTokens::wmt13a)), 0);
    EXPECT_NEAR(bleu(bleu_counts("a b", Texts{"a b"}, BleuTokens::wmt13a), true), 100, 1e-9);
}

TEST(Bleu, TokenizesAsMteval) {
    const auto words = [](std::string_view text) {
        std::string out;
        for (const Sequence& word : bleu_words(text, BleuTokens::wmt13a)) {
            for (const char32_t c : word) out += c < 0x80 ? static_cast<char>(c) : '?';
            out += '|';
        }
        return out;
    };
    EXPECT_EQ(words("It's 3.5, or 1,000-fold (\"x\")."),
              "It's|3.5|,|or|1,000|-|fold|(|\"|x|\"|)|.|");
    EXPECT_EQ(words("a &amp; b&lt;c <skipped>d-\ne \n"), "a|&|b|<|c|de|");
    EXPECT_EQ(bleu_words("\xE6\xB1\x89 \xE5\xAD\x97", BleuTokens::characters).size(), 2u);
    EXPECT_TRUE(bleu_words(" \n", BleuTokens::wmt13a).empty());
}

TEST(Bleu, TakesTheNearestOfSeveralReferences) {
    const auto counts =
        bleu_counts("a b c", Texts{"a b c d e", "a b", "x y c q"}, BleuTokens::wmt13a);
    EXPECT_EQ(counts[1], 2);  // 2 and 4 are as near: the shorter
    EXPECT_EQ(counts[2], 3);
}

TEST(Rouge, IsThatOfRougeScore) {
    const Rouge r = rouge("the fast brown fox leaps over the dog",
                          Texts{"the quick brown fox jumps over the lazy dog"}, RougeTokens::ascii);
    EXPECT_NEAR(r.rouge1.precision, 0.75, 1e-7);
    EXPECT_NEAR(r.rouge1.recall, 0.6666667, 1e-7);
    EXPECT_NEAR(r.rouge1.f1(), 0.7058824, 1e-7);
    EXPECT_NEAR(r.rouge2.f1(), 0.2666667, 1e-7);
    EXPECT_NEAR(r.rouge2.precision, 0.2857143, 1e-7);
    EXPECT_NEAR(r.rouge2.recall, 0.25, 1e-7);
    EXPECT_NEAR(r.rouge_l.f1(), r.rouge1.f1(), 1e-12);
}

TEST(Rouge, AsciiTokensDropOtherScriptsAndUnicodeOnesDoNot) {
    const std::string chinese = "\xE7\x8C\xAB\xE5\x9D\x90\xE5\x9C\xA8\xE5\x9E\xAB\xE5\xAD\x90";
    EXPECT_EQ(rouge(chinese, Texts{chinese}, RougeTokens::ascii).rouge1.f1(), 0);
    EXPECT_EQ(rouge(chinese, Texts{chinese}, RougeTokens::unicode).rouge2.f1(), 1);
    EXPECT_EQ(rouge_words(chinese, RougeTokens::unicode).size(), 5u);
    EXPECT_EQ(rouge_words("\xC3\x89t\xC3\xA9, ni\xC3\xB1o-2", RougeTokens::unicode).size(), 3u);
    // The lower case of the Kelvin sign and of the I with a dot begins with an ASCII letter.
    EXPECT_EQ(rouge_words("\xE2\x84\xAA", RougeTokens::ascii).size(), 1u);
    EXPECT_EQ(rouge_words("\xC4\xB0x", RougeTokens::ascii).size(), 2u);
}

TEST(Answers, AreNormalizedBeforeTheyAreCompared) {
    EXPECT_TRUE(exact_match("The  Eiffel Tower.", Texts{"no", "eiffel tower"}));
    EXPECT_FALSE(exact_match("Eiffel", Texts{"eiffel tower"}));
    EXPECT_TRUE(exact_match("", Texts{"the"}));
    EXPECT_NEAR(token_f1("the Eiffel Tower of Paris", Texts{"Eiffel tower"}), 2 * .5 / 1.5, 1e-12);
    EXPECT_EQ(token_f1("", Texts{""}), 1);
    EXPECT_EQ(token_f1("x", Texts{""}), 0);
    EXPECT_NEAR(token_f1("\xE7\x8C\xAB\xE5\x9D\x90", Texts{"\xE7\x8C\xAB"}), 2.0 / 3, 1e-12);
}

TEST(Answers, EditSimilarityCountsCodePoints) {
    EXPECT_NEAR(edit_similarity("kitten", "sitting"), 1 - 3.0 / 7, 1e-12);
    EXPECT_NEAR(edit_similarity("\xC3\xA9t\xC3\xA9", "et\xC3\xA9"), 1 - 1.0 / 3, 1e-12);
    EXPECT_EQ(edit_similarity("", ""), 1);
    EXPECT_EQ(edit_similarity("", "abc"), 0);
    EXPECT_EQ(edit_similarity(std::string(20000, 'a'), std::string(30000, 'a')), 1);
}

TEST(Answers, AgreementCountsPairs) {
    const Agreement a = agreement(Texts{"Paris.", "paris", "London"});
    EXPECT_NEAR(a.pairs_equal, 1.0 / 3, 1e-12);
    EXPECT_NEAR(a.majority, 2.0 / 3, 1e-12);
    EXPECT_LT(a.edit_similarity, 0.5);
    EXPECT_EQ(agreement(Texts{"x", "x"}).edit_similarity, 1);
}

ClassScores classes(std::vector<size_t> truth, std::vector<size_t> predicted, size_t count) {
    std::vector<double> sums(3 * count, 0);
    for (size_t i = 0; i < truth.size(); ++i)
        add(sums, class_counts(truth[i], predicted[i], count));
    return class_scores(sums);
}

TEST(Classification, IsThatOfScikitLearn) {
    const ClassScores two = classes({1, 0, 1, 1, 0, 1}, {1, 1, 0, 1, 0, 1}, 2);
    EXPECT_NEAR(two.f1, 0.75, 1e-12);
    EXPECT_NEAR(two.precision, 0.75, 1e-12);
    EXPECT_NEAR(two.recall, 0.75, 1e-12);
    EXPECT_NEAR(two.f1_macro, 0.625, 1e-12);
    const ClassScores three = classes({0, 1, 2, 0, 1, 2}, {0, 2, 1, 0, 0, 1}, 3);
    EXPECT_NEAR(three.f1, 0.2666667, 1e-7);
    EXPECT_NEAR(three.f1_micro, 0.3333333, 1e-7);
    EXPECT_NEAR(three.accuracy, 0.3333333, 1e-7);
    // A class that nobody has and nobody predicted does not count.
    EXPECT_EQ(classes({0, 2}, {0, 2}, 4).f1, 1);
}

}  // namespace
}  // namespace hone::quality
