#include "text/byte_pair_merger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "text/small_vocabulary.h"

namespace hone::text {
namespace {

using ::testing::ElementsAre;

std::vector<int32_t> encode(const BytePairMerger& merger, std::string_view word,
                            bool whole_word_first = false) {
    BytePairMerger::Scratch scratch;
    std::vector<int32_t> out;
    merger.encode_word(word, whole_word_first, scratch, out);
    return out;
}

BytePairMerger small_merger() {
    const VocabularyData data = small_vocabulary("gpt-2");
    return *BytePairMerger::create(data.tokens, data.merges);
}

TEST(ByteSpelling, DecodesOnlyTheCanonicalCharacters) {
    EXPECT_EQ(decode_byte_spelling("\u0120hi"), " hi");
    EXPECT_EQ(decode_byte_spelling("\u00C3\u00A9"), "\xC3\xA9");
    EXPECT_EQ(decode_byte_spelling("\u0100"), std::string(1, '\0'));
    EXPECT_EQ(decode_byte_spelling("\u0143"), "\xAD");
    EXPECT_EQ(decode_byte_spelling(""), "");
    EXPECT_FALSE(decode_byte_spelling("a b"));     // a plain space spells nothing
    EXPECT_FALSE(decode_byte_spelling("\u0144"));  // one past the last character
    EXPECT_FALSE(decode_byte_spelling("\u2581"));
    EXPECT_FALSE(decode_byte_spelling("\xC1\xA1"));  // overlong 'a'
    EXPECT_FALSE(decode_byte_spelling("\xFF"));
}

TEST(BytePairMerger, MergesByRankThenFromTheLeft) {
    const BytePairMerger merger = small_merger();
    EXPECT_THAT(encode(merger, "hello"), ElementsAre(kSmallHello));
    EXPECT_THAT(encode(merger, " hello"), ElementsAre(kSmallSpaceHello));
    EXPECT_THAT(encode(merger, "hell"), ElementsAre(kSmallHell));
    EXPECT_THAT(encode(merger, "lll"), ElementsAre(kSmallLl, 'l'));
    EXPECT_THAT(encode(merger, "h"), ElementsAre('h'));
    EXPECT_THAT(encode(merger, "\xC3\xA9\xC3"), ElementsAre(kSmallEAcute, 0xC3));
    EXPECT_TRUE(encode(merger, "").empty());
}

TEST(BytePairMerger, TakesWholeWordsFirstOnlyWhenAsked) {
    VocabularyData data = small_vocabulary("gpt-2");
    data.tokens.emplace_back("word");  // no merges lead to it
    const auto merger = *BytePairMerger::create(data.tokens, data.merges);
    EXPECT_EQ(encode(merger, "word", false).size(), 4u);
    EXPECT_THAT(encode(merger, "word", true),
                ElementsAre(static_cast<int32_t>(data.tokens.size()) - 1));
}

TEST(BytePairMerger, PiecesOutsideTheVocabularyFallBackToBytesOrNothing) {
    // "ab" merges but is no token; 'c' is not a token at all.
    const auto merger = *BytePairMerger::create({"a", "b"}, {"a b"});
    EXPECT_THAT(encode(merger, "abca"), ElementsAre(0, 1, 0));
}

TEST(BytePairMerger, RejectsMergesThatAreNotTwoParts) {
    for (const char* merge : {"ab", "", "a ", " "}) {
        auto result = BytePairMerger::create({"a"}, {merge});
        ASSERT_FALSE(result.has_value()) << merge;
        EXPECT_EQ(result.error().code, base::ErrorCode::corrupt);
    }
}

// The definition, without a queue: merge the leftmost pair of the best rank until there is none.
std::vector<std::string> merge_plainly(std::string_view word,
                                       const std::vector<std::string>& merges) {
    std::vector<std::string> parts;
    for (const char c : word) parts.emplace_back(1, c);
    while (true) {
        size_t best_rank = merges.size();
        size_t best = 0;
        for (size_t i = 0; i + 1 < parts.size(); ++i) {
            for (size_t rank = 0; rank < best_rank; ++rank) {
                if (merges[rank] == parts[i] + " " + parts[i + 1]) {
                    best_rank = rank;
                    best = i;
                }
            }
        }
        if (best_rank == merges.size()) return parts;
        parts[best] += parts[best + 1];
        parts.erase(parts.begin() + static_cast<ptrdiff_t>(best) + 1);
    }
}

TEST(BytePairMerger, EqualsThePlainDefinitionOnRandomMerges) {
    const unsigned seed = 20260726;
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    for (int round = 0; round < 200; ++round) {
        std::vector<std::string> tokens = {"a", "b", "c"};
        std::vector<std::string> merges;
        for (int i = 0; i < 12; ++i) {
            const std::string left = tokens[random() % tokens.size()];
            const std::string right = tokens[random() % tokens.size()];
            const bool known =
                std::find(tokens.begin(), tokens.end(), left + right) != tokens.end();
            if (known || left.size() + right.size() > 6) continue;
            merges.push_back(left + " " + right);
            tokens.push_back(left + right);
        }
        const auto merger = *BytePairMerger::create(tokens, merges);
        std::string word;
        for (size_t i = 0; i < 1 + random() % 40; ++i) word += "abc"[random() % 3];
        std::vector<std::string> got;
        for (const int32_t id : encode(merger, word))
            got.push_back(tokens[static_cast<size_t>(id)]);
        ASSERT_EQ(got, merge_plainly(word, merges)) << word;
    }
}

TEST(BytePairMerger, LongWordsFinish) {
    const BytePairMerger merger = small_merger();
    EXPECT_EQ(encode(merger, std::string(1 << 20, 'l')).size(), size_t{1} << 19);
}

}  // namespace
}  // namespace hone::text
