#include "text/utf8.h"

#include <gtest/gtest.h>

namespace hone::text {
namespace {

std::string lenient(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const DecodedCodePoint next = decode_lenient(text);
        append_utf8(out, next.code_point);
        text.remove_prefix(next.size_bytes);
    }
    return out;
}

TEST(Utf8, EveryCodePointRoundTrips) {
    for (uint32_t code_point = 0; code_point <= 0x10FFFF; ++code_point) {
        std::string text;
        append_utf8(text, code_point);
        const DecodedCodePoint back = decode_lenient(text);
        ASSERT_EQ(back.code_point, code_point);
        ASSERT_EQ(back.size_bytes, text.size());
    }
}

TEST(Utf8, LenientReadingTakesOverlongFormsAndReplacesTheRest) {
    EXPECT_EQ(lenient("\xC0\x80"), std::string(1, '\0'));
    EXPECT_EQ(lenient("\xC1\x81"), "A");
    EXPECT_EQ(lenient("\xE0\x80\xAF"), "/");
    EXPECT_EQ(lenient("\xED\xA0\x80"), "\xED\xA0\x80");
    EXPECT_EQ(lenient("\x80"), "\uFFFD");
    EXPECT_EQ(lenient("\xE2\x82"), "\uFFFD\uFFFD");
    EXPECT_EQ(lenient("\xE2\x82x"), "\uFFFD\uFFFDx");
    EXPECT_EQ(lenient("\xFF\xFE"), "\uFFFD\uFFFD");
    EXPECT_EQ(lenient("\xF7\xBF\xBF\xBF"), "\uFFFD\uFFFD\uFFFD\uFFFD");
    EXPECT_EQ(lenient("\xF4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");
}

TEST(Utf8, IncompleteSuffixCountsOnlyWhatCanBecomeValid) {
    EXPECT_EQ(incomplete_suffix_bytes(""), 0u);
    EXPECT_EQ(incomplete_suffix_bytes("abc"), 0u);
    EXPECT_EQ(incomplete_suffix_bytes("\xC3"), 1u);
    EXPECT_EQ(incomplete_suffix_bytes("a\xE2\x82"), 2u);
    EXPECT_EQ(incomplete_suffix_bytes("\xF0\x9F\x98"), 3u);
    EXPECT_EQ(incomplete_suffix_bytes("\xE2\x82\xAC"), 0u);
    EXPECT_EQ(incomplete_suffix_bytes("\x80"), 0u);
    EXPECT_EQ(incomplete_suffix_bytes("\xFF"), 0u);
    EXPECT_EQ(incomplete_suffix_bytes("\xC0"), 0u);
    EXPECT_EQ(incomplete_suffix_bytes("\xED\xA0"), 0u);  // would be a surrogate
    EXPECT_EQ(incomplete_suffix_bytes("\xF4\x90"), 0u);  // would be beyond U+10FFFF
    EXPECT_EQ(incomplete_suffix_bytes("\xC3\xA9\x80"), 0u);
}

TEST(Utf8, SanitizeReplacesMaximalInvalidParts) {
    EXPECT_EQ(sanitize_utf8("h\u00E9"), "h\u00E9");
    EXPECT_EQ(sanitize_utf8("a\xE2\x82z"), "a\uFFFDz");
    EXPECT_EQ(sanitize_utf8("\xF0\x9F\x98"), "\uFFFD");
    EXPECT_EQ(sanitize_utf8("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");
    EXPECT_EQ(sanitize_utf8("\xC0\x80"), "\uFFFD\uFFFD");
}

}  // namespace
}  // namespace hone::text
