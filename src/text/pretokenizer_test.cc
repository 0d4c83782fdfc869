#include "text/pretokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "text/utf8.h"

namespace hone::text {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> split(const std::string& name, std::string_view text) {
    auto pretokenizer = Pretokenizer::create(name);
    EXPECT_TRUE(pretokenizer.has_value()) << name;
    std::string collapsed;
    std::vector<std::string> characters;
    for (std::string_view rest = text; !rest.empty();) {
        const DecodedCodePoint next = decode_lenient(rest);
        collapsed.push_back(pretokenizer->collapse(next.code_point));
        characters.emplace_back(rest.substr(0, next.size_bytes));
        rest.remove_prefix(next.size_bytes);
    }
    std::vector<uint32_t> ends;
    pretokenizer->split(collapsed, ends);
    std::vector<std::string> words;
    uint32_t begin = 0;
    for (const uint32_t end : ends) {
        EXPECT_LT(begin, end);
        words.emplace_back();
        for (; begin < end; ++begin) words.back() += characters[begin];
    }
    EXPECT_EQ(begin, characters.size());
    return words;
}

TEST(Pretokenizer, Gpt2) {
    EXPECT_THAT(split("gpt-2", "I'm here  now, 123!"),
                ElementsAre("I", "'m", " here", " ", " now", ",", " 123", "!"));
    EXPECT_THAT(split("gpt-2", "a\n\n b"), ElementsAre("a", "\n\n", " b"));
    EXPECT_THAT(split("gpt-2", "a   "), ElementsAre("a", "   "));
    EXPECT_THAT(split("gpt-2", " \u4F60\u597D\u3002\u0661x"),
                ElementsAre(" \u4F60\u597D", "\u3002", "\u0661", "x"));
}

TEST(Pretokenizer, SmollmTakesDigitsOneByOneBeforeAllElse) {
    EXPECT_THAT(split("smollm", "x 12y"), ElementsAre("x", " ", "1", "2", "y"));
    EXPECT_THAT(split("smollm", "a  1"), ElementsAre("a", "  ", "1"));
}

TEST(Pretokenizer, Llama3) {
    EXPECT_THAT(split("llama-bpe", "I'LL 12345 go\r\n  x"),
                ElementsAre("I", "'LL", " ", "123", "45", " go", "\r\n", " ", " x"));
    EXPECT_THAT(split("llama-bpe", "(foo) ++\n\n"), ElementsAre("(foo", ")", " ++\n\n"));
}

TEST(Pretokenizer, Qwen2SplitsDigits) {
    EXPECT_THAT(split("qwen2", "a 12"), ElementsAre("a", " ", "1", "2"));
}

TEST(Pretokenizer, CaseFamiliesSplitCamelCase) {
    EXPECT_THAT(split("gpt-4o", "getHTTPCode don't"), ElementsAre("get", "HTTPCode", " don't"));
    EXPECT_THAT(split("tekken", "getHTTPCode"), ElementsAre("get", "HTTPCode"));
}

TEST(Pretokenizer, DefaultAndFalcon) {
    EXPECT_THAT(split("", "a,b 12345"), ElementsAre("a", ",", "b", " ", "123", "45"));
    EXPECT_THAT(split("falcon", "`x` 1234"), ElementsAre("`", "x", "`", " ", "123", "4"));
}

TEST(Pretokenizer, EmptyTextHasNoWords) {
    EXPECT_TRUE(split("smollm", "").empty());
}

TEST(Pretokenizer, LongRunsStayWhole) {
    EXPECT_EQ(split("llama-bpe", std::string(1 << 20, ' ')).size(), 1u);
    EXPECT_EQ(split("llama-bpe", std::string(1 << 20, 'a')).size(), 1u);
    EXPECT_EQ(split("gpt-4o", std::string(1 << 20, 'A')).size(), 1u);
    EXPECT_EQ(split("gpt-2", std::string(1 << 20, '!')).size(), 1u);
}

TEST(Pretokenizer, UnknownNameIsUnsupportedAndNamed) {
    for (const char* name : {"martian", "llama-bpe llama3", " ", "gpt"}) {
        auto result = Pretokenizer::create(name);
        ASSERT_FALSE(result.has_value()) << name;
        EXPECT_EQ(result.error().code, base::ErrorCode::unsupported);
        EXPECT_NE(result.error().message.find(name), std::string::npos);
    }
}

}  // namespace
}  // namespace hone::text
