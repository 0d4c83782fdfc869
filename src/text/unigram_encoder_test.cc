#include "text/unigram_encoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "text/tokenizer.h"

namespace hone::text {
namespace {

using base::ErrorCode;
using ::testing::ElementsAre;

VocabularyData unigram_vocabulary() {
    VocabularyData data;
    data.model = "t5";
    data.tokens = {"<pad>", "</s>", "<unk>", "\u2581", "a", "b", "ab", "\u2581ab", "c"};
    data.types = {3, 3, 2, 1, 1, 1, 1, 1, 1};
    data.scores = {0, 0, 0, -3, -2, -2, -3, -5, -9};
    data.unk_id = 2;
    data.eos_id = 1;
    data.add_space_prefix = true;
    data.remove_extra_spaces = true;
    return data;
}

std::vector<int32_t> encode_unigram(const VocabularyData& data, std::string_view text) {
    const auto tokenizer = Tokenizer::create(data);
    EXPECT_TRUE(tokenizer.has_value());
    return tokenizer->encode(text, {.add_bos = false});
}

TEST(Unigram, TheBestSumOfScoresWins) {
    EXPECT_THAT(encode_unigram(unigram_vocabulary(), "ab"), ElementsAre(7));  // -5 beats -3 - 3
    VocabularyData data = unigram_vocabulary();
    data.scores[7] = -7;
    EXPECT_THAT(encode_unigram(data, "ab"), ElementsAre(3, 6));
    data.scores[6] = -5;
    EXPECT_THAT(encode_unigram(data, "ab"), ElementsAre(7)) << "equal sums: the first one found";
    EXPECT_THAT(encode_unigram(data, " ab   c "), ElementsAre(7, 3, 8));
    EXPECT_TRUE(encode_unigram(data, "").empty());
    EXPECT_TRUE(encode_unigram(data, "  ").empty());
}

TEST(Unigram, ARunOfUnknownsIsOne) {
    EXPECT_THAT(encode_unigram(unigram_vocabulary(), "a\u00E9\u00E9b\u00E9"),
                ElementsAre(3, 4, 2, 5, 2));
    EXPECT_THAT(encode_unigram(unigram_vocabulary(), "\xFF\xC3"), ElementsAre(3, 2));
    VocabularyData none = unigram_vocabulary();
    none.unk_id = -1;
    EXPECT_THAT(encode_unigram(none, "a\u00E9"), ElementsAre(3, 4));
}

TEST(Unigram, EndsWithEosUnlessTheFileSaysNo) {
    EXPECT_THAT(Tokenizer::create(unigram_vocabulary())->encode("ab"), ElementsAre(7, 1));
    VocabularyData data = unigram_vocabulary();
    data.add_eos = false;
    EXPECT_THAT(Tokenizer::create(data)->encode("ab"), ElementsAre(7));
    EXPECT_EQ(Tokenizer::create(data)->decode({{7, 3, 8}}), " ab c");
}

TEST(Unigram, BytesStandForWhatIsUnknownWhenAllAreThere) {
    VocabularyData data = unigram_vocabulary();
    for (int byte = 0; byte < 256; ++byte) {
        data.tokens.push_back(fmt::format("<0x{:02X}>", byte));
        data.types.push_back(6);
        data.scores.push_back(0);
    }
    EXPECT_THAT(encode_unigram(data, "a\u00E9"), ElementsAre(3, 4, 9 + 0xC3, 9 + 0xA9));
    data.types[9] = 1;  // one is missing
    EXPECT_THAT(encode_unigram(data, "a\u00E9"), ElementsAre(3, 4, 2));
}

TEST(Unigram, UnusedTokensAreNeverChosen) {
    VocabularyData data = unigram_vocabulary();
    data.types[7] = 5;
    EXPECT_THAT(encode_unigram(data, "ab"), ElementsAre(3, 6));
}

TEST(Unigram, BrokenScoresAreRefused) {
    for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
        VocabularyData data = unigram_vocabulary();
        data.scores[4] = bad;
        EXPECT_EQ(Tokenizer::create(data).error().code, ErrorCode::corrupt);
    }
    VocabularyData data = unigram_vocabulary();
    data.scores.clear();
    EXPECT_EQ(Tokenizer::create(data).error().code, ErrorCode::corrupt);
}

}  // namespace
}  // namespace hone::text
