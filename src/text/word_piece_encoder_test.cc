#include "text/word_piece_encoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "text/tokenizer.h"

namespace hone::text {
namespace {

using ::testing::ElementsAre;

VocabularyData word_piece_vocabulary() {
    VocabularyData data;
    data.model = "bert";
    data.tokens = {"[PAD]",   "[UNK]",         "[CLS]",       "[SEP]", "\u2581a",
                   "b",       "\u2581ab",      "c",           "ab",    "\u2581\u4F60",
                   "\u2581!", "\u2581strasse", "\u2581\u00E4"};
    data.types = {3, 2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    data.bos_id = 2;
    data.sep_id = 3;
    data.unk_id = 1;
    return data;
}

std::vector<int32_t> encode_word_piece(const VocabularyData& data, std::string_view text) {
    return Tokenizer::create(data)->encode(text, {.add_bos = false});
}

TEST(WordPiece, TheLongestPieceFromTheLeft) {
    EXPECT_THAT(encode_word_piece(word_piece_vocabulary(), "a ab abc aab"),
                ElementsAre(4, 6, 6, 7, 4, 8));
    EXPECT_THAT(encode_word_piece(word_piece_vocabulary(), "abx ab"), ElementsAre(1, 6))
        << "a word that is not covered";
    EXPECT_THAT(encode_word_piece(word_piece_vocabulary(), "b"), ElementsAre(1))
        << "no word begins so";
    EXPECT_THAT(encode_word_piece(word_piece_vocabulary(), "a\u4F60!a"), ElementsAre(4, 9, 10, 4));
    EXPECT_TRUE(encode_word_piece(word_piece_vocabulary(), " \t\n").empty());
}

TEST(WordPiece, FramesATextWhateverTheFlagsSay) {
    VocabularyData data = word_piece_vocabulary();
    data.add_bos = false;
    const auto tokenizer = *Tokenizer::create(data);
    EXPECT_THAT(tokenizer.encode("ab"), ElementsAre(2, 6, 3));
    EXPECT_THAT(tokenizer.encode(""), ElementsAre(2, 3));
    EXPECT_EQ(tokenizer.decode({{6, 7, 4}}), " abc a");
}

TEST(WordPiece, CleansWhatTheFileAsksFor) {
    const auto words = [](std::string_view text, bool lower, bool strip) {
        VocabularyData data = word_piece_vocabulary();
        data.lowercase = lower;
        data.strip_accents = strip;
        return WordPieceEncoder(data).words(text);
    };
    EXPECT_THAT(words("\u00C4b\u0308 C\u0301", true, true), ElementsAre("ab", "c"));
    EXPECT_THAT(words("\u00C4b", true, false), ElementsAre("\u00E4b"));
    EXPECT_THAT(words("\u00C4b", false, false), ElementsAre("\u00C4b"));
    EXPECT_THAT(words("\u0130", true, false), ElementsAre("i\u0307"));
    EXPECT_THAT(words("\u0130", true, true), ElementsAre("i"));
    EXPECT_THAT(words("\uAC00", true, true), ElementsAre("\u1100\u1161"));
    EXPECT_THAT(words("a\x0B"
                      "b\u200B\u00ADc\xFF\u0085"
                      "d\u00A0e",
                      true, true),
                ElementsAre("abcd", "e"));
    EXPECT_THAT(words("a-b$\u2014\u00A9", true, true),
                ElementsAre("a", "-", "b", "$", "\u2014", "\u00A9"));
    EXPECT_THAT(words("\u037E", true, true), ElementsAre(";"));
}

TEST(WordPiece, AMarkOfABeginningAloneIsNoPiece) {
    VocabularyData data = word_piece_vocabulary();
    data.tokens.push_back("\u2581");
    data.types.push_back(1);
    EXPECT_THAT(encode_word_piece(data, "bab"), ElementsAre(1));
}

}  // namespace
}  // namespace hone::text
