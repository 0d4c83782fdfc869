#include "text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "text/small_vocabulary.h"

namespace hone::text {
namespace {

using base::ErrorCode;
using ::testing::ElementsAre;

Tokenizer small(const std::string& pre = "gpt-2") {
    return *Tokenizer::create(small_vocabulary(pre));
}

TEST(Tokenizer, EncodesWordsAndSpecials) {
    const Tokenizer tokenizer = small();
    EXPECT_THAT(tokenizer.encode("hello hello"), ElementsAre(kSmallHello, kSmallSpaceHello));
    EXPECT_THAT(tokenizer.encode("\u00E9"), ElementsAre(kSmallEAcute));
    EXPECT_TRUE(tokenizer.encode("").empty());
    EXPECT_THAT(tokenizer.encode("hello<|im_end|>", {.parse_special = true}),
                ElementsAre(kSmallHello, kSmallImEnd));
    EXPECT_EQ(tokenizer.encode("<|im_end|>").size(), 10u);
    EXPECT_THAT(tokenizer.encode("<tool>"), ElementsAre(kSmallTool));
}

TEST(Tokenizer, InvalidBytesBecomeReplacementCharacters) {
    const Tokenizer tokenizer = small();
    EXPECT_THAT(tokenizer.encode("\xFF"), ElementsAre(0xEF, 0xBF, 0xBD));
    EXPECT_THAT(tokenizer.encode(std::string_view("\0", 1)), ElementsAre(0));
    EXPECT_EQ(tokenizer.decode(tokenizer.encode("a\xE2\x82")), "a\uFFFD\uFFFD");
    EXPECT_EQ(tokenizer.decode(tokenizer.encode("\xF7\xBF\xBF\xBF")), "\uFFFD\uFFFD\uFFFD\uFFFD");
}

TEST(Tokenizer, DigitsDependOnThePreTokenizer) {
    EXPECT_THAT(small("gpt-2").encode("12"), ElementsAre(kSmall12));
    EXPECT_THAT(small("smollm").encode("12"), ElementsAre('1', '2'));
}

TEST(Tokenizer, ValidTextRoundTrips) {
    const std::string text = "Hello, \u4F60\u597D \U0001F600!\n\t  \u0301 hello 12";
    for (const char* pre : {"gpt-2", "smollm", "llama-bpe", "qwen2", "gpt-4o", "default"}) {
        const Tokenizer tokenizer = small(pre);
        EXPECT_EQ(tokenizer.decode(tokenizer.encode(text, {.add_bos = false})), text) << pre;
    }
}

TEST(Tokenizer, BosOnlyWhereTheFileOrTheFamilyAsksForIt) {
    VocabularyData data = small_vocabulary("gpt-2");
    EXPECT_FALSE(Tokenizer::create(data)->adds_bos());
    data.add_bos = true;
    data.add_eos = true;
    const Tokenizer both = *Tokenizer::create(data);
    EXPECT_THAT(both.encode("h"), ElementsAre(kSmallEndOfText, 'h', kSmallEndOfText));
    EXPECT_THAT(both.encode("h", {.add_bos = false}), ElementsAre('h'));
    EXPECT_TRUE(Tokenizer::create(small_vocabulary("llama-bpe"))->adds_bos());
    VocabularyData off = small_vocabulary("llama-bpe");
    off.add_bos = false;
    EXPECT_FALSE(Tokenizer::create(off)->adds_bos());
}

TEST(Tokenizer, DecodeHidesControlTokens) {
    const Tokenizer tokenizer = small();
    EXPECT_EQ(tokenizer.decode_piece(kSmallImEnd), "");
    EXPECT_EQ(tokenizer.decode_piece(kSmallImEnd, true), "<|im_end|>");
    EXPECT_EQ(tokenizer.decode_piece(kSmallTool), "<tool>");
    EXPECT_EQ(tokenizer.decode_piece(kSmallSpaceHello), " hello");
    EXPECT_EQ(tokenizer.decode_piece(0xC3), "\xC3");
}

TEST(Tokenizer, DecodesByteUnusedAndForeignTokens) {
    VocabularyData data = small_vocabulary("gpt-2");
    const auto add = [&](const char* text, TokenType type) {
        data.tokens.emplace_back(text);
        data.types.push_back(static_cast<int32_t>(type));
        return static_cast<int32_t>(data.tokens.size()) - 1;
    };
    const int32_t byte = add("<0xfE>", TokenType::byte);
    const int32_t bad_byte = add("<0xG0>", TokenType::byte);
    const int32_t unused = add("gap", TokenType::unused);
    const int32_t foreign = add("\u2581x", TokenType::normal);
    const int32_t empty = add("", TokenType::normal);
    const Tokenizer tokenizer = *Tokenizer::create(data);
    EXPECT_EQ(tokenizer.decode_piece(byte), "\xFE");
    EXPECT_EQ(tokenizer.decode_piece(bad_byte), "");
    EXPECT_EQ(tokenizer.decode_piece(unused), "");
    EXPECT_EQ(tokenizer.decode_piece(foreign), "\u2581x");
    EXPECT_EQ(tokenizer.token_text(empty), "[EMPTY_" + std::to_string(empty) + "]");
}

TEST(Tokenizer, AnswersAboutItsVocabulary) {
    VocabularyData data = small_vocabulary("gpt-2");
    data.chat_template = "{{ x }}";
    const Tokenizer tokenizer = *Tokenizer::create(data);
    EXPECT_EQ(tokenizer.vocab_size(), 266);
    EXPECT_EQ(tokenizer.bos(), kSmallEndOfText);
    EXPECT_EQ(tokenizer.eos(), kSmallEndOfText);
    EXPECT_TRUE(tokenizer.is_end_of_generation(kSmallImEnd));
    EXPECT_FALSE(tokenizer.is_end_of_generation('h'));
    EXPECT_EQ(tokenizer.find_token("<|im_end|>"), kSmallImEnd);
    EXPECT_FALSE(tokenizer.find_token("nothing"));
    EXPECT_EQ(tokenizer.chat_template(), "{{ x }}");
}

struct BrokenVocabulary {
    const char* name;
    void (*damage)(VocabularyData& data);
    ErrorCode code;
    const char* word;  // of the message
};

constexpr BrokenVocabulary kBrokenVocabularies[] = {
    {"model", [](VocabularyData& d) { d.model = "rwkv"; }, ErrorCode::unsupported, "gemma4, llama"},
    {"pre", [](VocabularyData& d) { d.pre = "alien"; }, ErrorCode::unsupported,
     "'alien'; known are default"},
    {"no tokens", [](VocabularyData& d) { d.tokens.clear(); }, ErrorCode::corrupt, "empty"},
    {"types", [](VocabularyData& d) { d.types.pop_back(); }, ErrorCode::corrupt, "types"},
    {"scores", [](VocabularyData& d) { d.scores = {1.0F}; }, ErrorCode::corrupt, "scores"},
    {"bos", [](VocabularyData& d) { d.bos_id = 266; }, ErrorCode::corrupt, "BOS"},
    {"eos", [](VocabularyData& d) { d.eos_id = -2; }, ErrorCode::corrupt, "EOS"},
    {"eot", [](VocabularyData& d) { d.eot_id = 1 << 30; }, ErrorCode::corrupt, "EOT"},
    {"unknown", [](VocabularyData& d) { d.unk_id = 999; }, ErrorCode::corrupt, "unknown"},
    {"padding", [](VocabularyData& d) { d.pad_id = 999; }, ErrorCode::corrupt, "padding"},
    {"twice", [](VocabularyData& d) { d.tokens[5] = d.tokens[9]; }, ErrorCode::corrupt, "twice"},
    {"merge", [](VocabularyData& d) { d.merges[1] = "x"; }, ErrorCode::corrupt, "merge"},
    {"long merge", [](VocabularyData& d) { d.merges[1] = std::string(40000, 'x'); },
     ErrorCode::exhausted, "merge"},
    {"long token", [](VocabularyData& d) { d.tokens[1] = std::string(20000, 'x'); },
     ErrorCode::exhausted, "token"},
    {"add_bos",
     [](VocabularyData& d) {
         d.bos_id = -1;
         d.add_bos = true;
     },
     ErrorCode::corrupt, "BOS"},
    {"add_eos",
     [](VocabularyData& d) {
         d.eos_id = -1;
         d.add_eos = true;
     },
     ErrorCode::corrupt, "EOS"},
};

TEST(Tokenizer, BrokenVocabulariesAreRefused) {
    for (const BrokenVocabulary& broken : kBrokenVocabularies) {
        VocabularyData data = small_vocabulary("gpt-2");
        broken.damage(data);
        const auto result = Tokenizer::create(data);
        ASSERT_FALSE(result.has_value()) << broken.name;
        EXPECT_EQ(result.error().code, broken.code) << broken.name;
        EXPECT_NE(result.error().message.find(broken.word), std::string::npos)
            << result.error().message;
    }
}

}  // namespace
}  // namespace hone::text
