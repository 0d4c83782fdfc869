// Tokenizing ten times the text takes at most twelve times the steps, whatever the text is. Steps
// are counted, not seconds: what the encoders and the regular expressions do on the way.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "text/byte_pair_merger.h"
#include "text/pretokenizer.h"
#include "text/sentence_piece_merger.h"
#include "text/small_vocabulary.h"
#include "text/unigram_encoder.h"
#include "text/utf8.h"
#include "text/word_piece_encoder.h"

namespace hone::text {
namespace {

constexpr size_t kBytes = 1'500;

std::string repeat(std::string_view unit, size_t bytes) {
    std::string out;
    while (out.size() < bytes) out += unit;
    return out;
}

// Runs that invite an engine to go back: one class without end, almost-matches, endless words.
constexpr const char* kUnits[] = {" ",
                                  "\t",
                                  "\n",
                                  " \n",
                                  "\r\n ",
                                  "a",
                                  "A",
                                  "aA",
                                  "1",
                                  "!",
                                  "'",
                                  "'l",
                                  " '",
                                  "\u4F60",
                                  "\u3042\uAC00",
                                  "\u0301",
                                  "a\u0301",
                                  "\u00C4",
                                  "  a",
                                  "a b ",
                                  "1 ",
                                  ". ",
                                  "/\n",
                                  "\u3000",
                                  "\u00A0 ",
                                  "IMGIMGA",
                                  "<sentinel:1",
                                  "ab",
                                  "abc",
                                  "aab",
                                  "\u2581",
                                  "\u2581a",
                                  "\U0001F600",
                                  "\u0130\u00E9",
                                  "x=1;\n  "};

size_t pattern_steps(const Pretokenizer& pretokenizer, const std::string& text) {
    std::string collapsed;
    for (std::string_view rest = text; !rest.empty();) {
        const DecodedCodePoint next = decode_lenient(rest);
        collapsed.push_back(pretokenizer.collapse(next.code_point));
        rest.remove_prefix(next.size_bytes);
    }
    std::vector<uint32_t> ends;
    const size_t steps = pretokenizer.split_counting(collapsed, ends);
    std::vector<uint32_t> same;
    pretokenizer.split(collapsed, same);
    EXPECT_EQ(ends, same);
    return steps;
}

// `steps` of a text of some length, and of ten times that.
template <typename Steps>
void expect_linear(Steps steps) {
    for (const char* unit : kUnits) {
        const size_t once = steps(repeat(unit, kBytes));
        const size_t tenfold = steps(repeat(unit, 10 * kBytes));
        EXPECT_LE(tenfold, 12 * std::max<size_t>(once, 100)) << "'" << unit << "' " << once;
        // What ends the run must not make the engine take it all back.
        const size_t broken = steps(repeat(unit, kBytes) + "\u00E9?");
        const size_t broken_tenfold = steps(repeat(unit, 10 * kBytes) + "\u00E9?");
        EXPECT_LE(broken_tenfold, 12 * std::max<size_t>(broken, 100)) << "'" << unit << "'?";
    }
}

TEST(TokenizerWork, PreTokenizersAreLinear) {
    for (const PretokenizerFamily& family : pretokenizer_families()) {
        const std::string name(family.names.substr(1, family.names.find(' ', 1) - 1));
        SCOPED_TRACE(name);
        const auto pretokenizer = Pretokenizer::create(name);
        ASSERT_TRUE(pretokenizer.has_value());
        expect_linear([&](const std::string& text) { return pattern_steps(*pretokenizer, text); });
    }
}

// A vocabulary whose merges make ever longer pieces of one letter: the most a word can be merged.
BytePairMerger doubling_merger() {
    std::vector<std::string> tokens = {"a"};
    std::vector<std::string> merges;
    for (int i = 0; i < 12; ++i) {
        merges.push_back(tokens.back() + " " + tokens.back());
        tokens.push_back(tokens.back() + tokens.back());
    }
    return *BytePairMerger::create(tokens, merges);
}

size_t merge_steps(const BytePairMerger& merger, const std::string& text) {
    BytePairMerger::Scratch scratch;
    std::vector<int32_t> ids;
    merger.encode_word(text, false, scratch, ids);
    // A candidate for each pair at first, and two for each merge, of which there are fewer.
    EXPECT_LE(scratch.steps, 3 * text.size());
    return scratch.steps;
}

TEST(TokenizerWork, MergersAreLinearInCandidates) {
    const VocabularyData bytes = small_vocabulary("gpt-2");
    const auto merger = *BytePairMerger::create(bytes.tokens, bytes.merges);
    expect_linear([&](const std::string& text) { return merge_steps(merger, text); });
    const BytePairMerger doubling = doubling_merger();
    expect_linear([&](const std::string& text) { return merge_steps(doubling, text); });
}

TEST(TokenizerWork, SentencePieceMergerIsLinearInCandidates) {
    const VocabularyData data = small_sentence_pieces();
    StringIndex index(data.tokens.size());
    for (const std::string& token : data.tokens) index.add(token);
    const auto merger = *SentencePieceMerger::create(data, index);
    expect_linear([&](const std::string& text) {
        SentencePieceMerger::Scratch scratch;
        std::vector<int32_t> ids;
        merger.encode(mark_spaces(text), index, scratch, ids);
        EXPECT_LE(scratch.steps, 3 * 3 * text.size());
        return scratch.steps;
    });
}

// Candidates wait on a heap, so each costs the logarithm of their number. In one word without end,
// that too stays within the bound from some hundred kilobytes on; below, it is a matter of
// milliseconds.
TEST(TokenizerWork, ALongWordIsLinearHeapIncluded) {
    const BytePairMerger doubling = doubling_merger();
    const auto cost = [&](size_t bytes) {
        const auto candidates = static_cast<double>(merge_steps(doubling, repeat("a", bytes)));
        return candidates * std::log2(candidates);
    };
    EXPECT_LE(cost(1'000'000), 12 * cost(100'000));
}

// Tokens of which each is the beginning of the next, so that every position is walked far.
std::vector<std::string> nested_tokens(const std::string& first, size_t count) {
    std::vector<std::string> out = {first + "a"};
    while (out.size() < count) out.push_back(out.back() + "a");
    return out;
}

TEST(TokenizerWork, UnigramIsLinear) {
    VocabularyData data = small_sentence_pieces();
    data.model = "t5";
    for (const std::string& token : nested_tokens("aa", 30)) {
        data.tokens.push_back(token);
        data.types.push_back(1);
        data.scores.push_back(-1);
    }
    const auto encoder = *UnigramEncoder::create(data);
    expect_linear([&](const std::string& text) {
        UnigramEncoder::Scratch scratch;
        std::vector<int32_t> ids;
        encoder.encode(text, data.tokens, scratch, ids);
        return scratch.steps;
    });
}

TEST(TokenizerWork, WordPieceIsLinear) {
    VocabularyData data;
    data.model = "bert";
    data.tokens = nested_tokens("", 30);
    const auto beginnings = nested_tokens(std::string(kSpaceMark), 30);
    data.tokens.insert(data.tokens.end(), beginnings.begin(), beginnings.end());
    data.tokens.insert(data.tokens.end(), {"b", std::string(kSpaceMark) + "b", "?"});
    data.unk_id = 0;
    const WordPieceEncoder encoder(data);
    expect_linear([&](const std::string& text) {
        size_t steps = 0;
        std::vector<int32_t> ids;
        encoder.encode(text, data.tokens, steps, ids);
        return steps;
    });
}

}  // namespace
}  // namespace hone::text
