#include "text/sentence_piece_merger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "base/json.h"
#include "text/small_vocabulary.h"
#include "text/tokenizer.h"

namespace hone::text {
namespace {

using base::ErrorCode;
using ::testing::ElementsAre;

TEST(SentencePiece, TheBestScoreMergesFirst) {
    VocabularyData data = small_sentence_pieces();
    data.add_space_prefix = false;
    const Tokenizer tokenizer = *Tokenizer::create(data);
    EXPECT_THAT(tokenizer.encode("abc"), ElementsAre(1, kPieceAb, kPieceC)) << "BOS by default";
    EXPECT_THAT(tokenizer.encode("abc", {.add_bos = false}), ElementsAre(kPieceAb, kPieceC));
    EXPECT_THAT(tokenizer.encode(" ab", {.add_bos = false}), ElementsAre(kPieceMarkAb));
    EXPECT_TRUE(tokenizer.encode("", {.add_bos = false}).empty());
}

TEST(SentencePiece, ASpaceComesBeforeATextAndBehindSpecialTokens) {
    const Tokenizer tokenizer = *Tokenizer::create(small_sentence_pieces());
    EXPECT_THAT(tokenizer.encode("ab", {.add_bos = false}), ElementsAre(kPieceMarkAb));
    EXPECT_THAT(tokenizer.encode("ab</s>ab", {.parse_special = true, .add_bos = false}),
                ElementsAre(kPieceMarkAb, 2, kPieceMarkAb));
    EXPECT_EQ(tokenizer.decode({{kPieceMarkAb, kPieceMark, kPieceA}}), " ab a");
}

TEST(SentencePiece, WhatNoTokenHasBecomesBytes) {
    VocabularyData data = small_sentence_pieces();
    data.add_space_prefix = false;
    const Tokenizer tokenizer = *Tokenizer::create(data);
    EXPECT_THAT(tokenizer.encode("a\u00E9", {.add_bos = false}),
                ElementsAre(kPieceA, kPieceByte0 + 0xC3, kPieceByte0 + 0xA9));
    // Cut, stray and impossible bytes come back as they were.
    const std::string bad =
        "\xFF\xE2\x82"
        "b\x80\xF0";
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(bad, {.add_bos = false})), bad);
    data.tokens[kPieceByte0 + 0xC3] = "nothing";
    EXPECT_THAT(Tokenizer::create(data)->encode("\u00E9", {.add_bos = false}),
                ElementsAre(0, kPieceByte0 + 0xA9));
}

TEST(SentencePiece, BrokenScoresAreRefused) {
    VocabularyData data = small_sentence_pieces();
    data.scores[5] = std::nanf("");
    auto tokenizer = Tokenizer::create(data);
    ASSERT_FALSE(tokenizer);
    EXPECT_EQ(tokenizer.error().code, ErrorCode::corrupt);
    data.scores.clear();
    tokenizer = Tokenizer::create(data);
    ASSERT_FALSE(tokenizer);
    EXPECT_EQ(tokenizer.error().code, ErrorCode::corrupt);
}

// Many equal candidates and a long text: the work must stay about linear, which the queue sees to.
TEST(SentencePiece, ALongTextOfOneCharacterIsMerged) {
    VocabularyData data = small_sentence_pieces();
    data.add_space_prefix = false;
    const Tokenizer tokenizer = *Tokenizer::create(data);
    std::string text;
    for (int i = 0; i < 200'000; ++i) text += "ab";
    const auto ids = tokenizer.encode(text, {.add_bos = false});
    EXPECT_EQ(ids.size(), 200'000u);
    EXPECT_EQ(tokenizer.decode(ids), text);
}

TEST(SentencePiece, EqualsSentencePieceOnTheCorpus) {
    std::ifstream file(HONE_SOURCE_DIR "/tests/golden/sentence_piece.json");
    std::stringstream text;
    text << file.rdbuf();
    const auto cases = base::parse_json(text.str());
    ASSERT_TRUE(cases) << cases.error().message;
    size_t compared = 0;
    for (const base::Json& golden : *cases) {
        VocabularyData data;
        data.model = "llama";
        data.tokens = golden["tokens"].get<std::vector<std::string>>();
        data.scores = golden["scores"].get<std::vector<float>>();
        data.types = golden["types"].get<std::vector<int32_t>>();
        data.unk_id = golden["unknown"];
        data.add_bos = false;
        data.add_space_prefix = golden["add_space_prefix"].get<bool>();
        const auto tokenizer = Tokenizer::create(data);
        ASSERT_TRUE(tokenizer) << tokenizer.error().message;
        for (const base::Json& entry : golden["texts"]) {
            EXPECT_EQ(tokenizer->encode(entry["text"].get<std::string>()),
                      entry["ids"].get<std::vector<int32_t>>())
                << golden["name"] << ": " << entry["name"];
            ++compared;
        }
    }
    EXPECT_GT(compared, 300u);
}

}  // namespace
}  // namespace hone::text
