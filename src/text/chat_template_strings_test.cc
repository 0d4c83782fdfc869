#include "text/chat_template_strings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hone::text {
namespace {

using ::testing::ElementsAre;

TEST(TemplateStrings, StripsByCharacterOnEitherSide) {
    EXPECT_EQ(strip(" \u00A0x\u3000\n", std::nullopt, StripSide::both), "x");
    EXPECT_EQ(strip(" x ", std::nullopt, StripSide::left), "x ");
    EXPECT_EQ(strip(" x ", std::nullopt, StripSide::right), " x");
    EXPECT_EQ(strip("\u00E9\u00E8x\u00E9", "\u00E9\u00E8", StripSide::both), "x");
    EXPECT_EQ(strip("   ", std::nullopt, StripSide::both), "");
    EXPECT_EQ(strip("x\xFF", "\xFE", StripSide::both), "x");  // both read as U+FFFD
}

TEST(TemplateStrings, Splits) {
    EXPECT_THAT(split_text("a,b,", ",", -1), ElementsAre("a", "b", ""));
    EXPECT_THAT(split_text("a,b,c", ",", 1), ElementsAre("a", "b,c"));
    EXPECT_THAT(split_text("", ",", -1), ElementsAre(""));
    EXPECT_THAT(split_blanks("  a \t b\n", -1), ElementsAre("a", "b"));
    EXPECT_THAT(split_blanks(" a b c ", 1), ElementsAre("a", "b c"));
    EXPECT_THAT(split_lines("a\r\nb\n\nc\n"), ElementsAre("a", "b", "", "c"));
    EXPECT_THAT(split_characters("a\u00E9\xFF"), ElementsAre("a", "\u00E9", "\xFF"));
}

TEST(TemplateStrings, ReplacesUpToALimit) {
    EXPECT_EQ(replace_text("aXbXc", "X", "--", -1, 100), "a--b--c");
    EXPECT_EQ(replace_text("aXbX", "X", "", 1, 100), "abX");
    EXPECT_EQ(replace_text("ab", "", "-", -1, 100), "-a-b-");
    EXPECT_EQ(replace_text("", "", "-", -1, 100), "-");
    EXPECT_EQ(replace_text("aaaa", "a", "bbb", -1, 11), std::nullopt);
}

TEST(TemplateStrings, MapsCase) {
    EXPECT_EQ(to_upper("\u00E4b\u0436"), "\u00C4B\u0416");
    EXPECT_EQ(to_lower("\u00C4B\u0416"), "\u00E4b\u0436");
    EXPECT_EQ(capitalize("hELLO wORLD"), "Hello world");
    EXPECT_EQ(to_title("it's a dog"), "It'S A Dog");
}

TEST(TemplateStrings, SearchIsLinearEvenOnRepetitiveText) {
    const std::string text(1 << 20, 'a');
    const std::string pattern = std::string(1 << 19, 'a') + "b";
    EXPECT_EQ(find_text(text, pattern), std::string::npos);
    EXPECT_EQ(find_text("abcabc", "c", 3), 5u);
    EXPECT_EQ(find_text("abc", "", 3), 3u);
    EXPECT_EQ(find_text("abc", "a", 4), std::string::npos);
}

TEST(TemplateStrings, EscapesJson) {
    std::string out;
    append_json_string(out, "a\"\\\n\x01\u00E9\U0001F600");
    EXPECT_EQ(out, "\"a\\\"\\\\\\n\\u0001\u00E9\U0001F600\"");
    out.clear();
    append_json_string(out, "\u00E9\U0001F600", true);
    EXPECT_EQ(out, "\"\\u00e9\\ud83d\\ude00\"");
}

}  // namespace
}  // namespace hone::text
