#include "report/style.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace hone::report {
namespace {

TEST(DisplayWidth, CountsColumnsNotBytes) {
    EXPECT_EQ(display_width(""), 0u);
    EXPECT_EQ(display_width("abc"), 3u);
    EXPECT_EQ(display_width("µs"), 2u);
    EXPECT_EQ(display_width("█▏"), 2u);
    EXPECT_EQ(display_width("中文"), 4u);
    EXPECT_EQ(display_width("e\xcc\x81"), 1u);  // combining accent
    EXPECT_EQ(display_width("\x1b[31mred\x1b[0m"), 3u);
    EXPECT_EQ(display_width("\xff\xc3"), 2u);  // stray bytes take a column each
    EXPECT_EQ(display_width("\x1b["), 0u);
}

TEST(Fit, CutsAtColumnsAndClosesColours) {
    EXPECT_EQ(fit("abc", 3), "abc");
    EXPECT_EQ(fit("abcd", 3), "ab~");
    EXPECT_EQ(fit("abcd", 0), "");
    EXPECT_EQ(fit("中文字", 4), "中~");
    EXPECT_EQ(fit("\x1b[31mabcd\x1b[0m", 3), "\x1b[31mab~\x1b[0m");
    EXPECT_EQ(pad("ab", 4, false), "ab  ");
    EXPECT_EQ(pad("ab", 4, true), "  ab");
    EXPECT_EQ(pad("abcdef", 4, true), "abc~");
}

TEST(Wrap, BreaksAtWordsAndIndents) {
    EXPECT_EQ(wrap("one two three", 8, 2), "one two\n  three\n");
    EXPECT_EQ(wrap("  one two", 80, 4), "  one two\n");
    EXPECT_EQ(wrap("abcdefghijkl", 5, 0), "abcd~\n");
    EXPECT_EQ(wrap("", 10, 0), "\n");
    EXPECT_EQ(wrap("a  b", 10, 0), "a b\n");
}

TEST(Wrap, BreaksBetweenWideCharactersButNotBeforeClosingMarks) {
    EXPECT_EQ(wrap("中文没有空格", 8, 2), "中文没有\n  空格\n");
    EXPECT_EQ(wrap("中文没有，空格", 8, 0), "中文没\n有，空格\n");
    EXPECT_EQ(wrap("用 2 个 threads 算", 10, 0), "用 2 个\nthreads 算\n");
    EXPECT_EQ(wrap("（a）b", 20, 0), "（a）b\n");
    EXPECT_EQ(wrap("at most 25.0 % of it", 12, 0), "at most\n25.0 % of it\n");
    for (const size_t width : {7, 12, 30}) {
        const std::string text =
            wrap("阶段（占总时间）：hone explain 的 25.0 %，共 3 项。", width, 2);
        for (const auto line : base::split(text, '\n')) EXPECT_LE(display_width(line), width);
    }
}

TEST(OneLine, TakesControlCharactersOut) {
    EXPECT_EQ(one_line("a\x1b[31mb\n\x7f"), "a?[31mb??");
    EXPECT_EQ(one_line("caf\xc3\xa9 中"), "caf\xc3\xa9 中");
    EXPECT_EQ(one_line("\xc2\x9b"), "?");
    EXPECT_EQ(one_line("\xc2"), "\xc2");
}

TEST(Bar, FillsByShare) {
    Style ascii;
    EXPECT_EQ(bar(ascii, 0.5, 4), "##..");
    EXPECT_EQ(bar(ascii, 7, 4), "####");
    EXPECT_EQ(bar(ascii, -1, 4), "....");
    Style unicode;
    unicode.unicode = true;
    EXPECT_EQ(bar(unicode, 0.5, 4), "██  ");
    EXPECT_EQ(bar(unicode, 1.0 / 32, 4), "▏   ");
    for (int i = 0; i <= 100; ++i) EXPECT_EQ(display_width(bar(unicode, i / 100.0, 10)), 10u);
}

TEST(Paint, OnlyWhenAsked) {
    Style style;
    EXPECT_EQ(paint(style, Ink::bad, "x"), "x");
    style.colour = true;
    EXPECT_EQ(paint(style, Ink::bad, "x"), "\x1b[31mx\x1b[0m");
    EXPECT_EQ(paint(style, Ink::plain, "x"), "x");
    EXPECT_EQ(display_width(paint(style, Ink::warning, "xy")), 2u);
}

}  // namespace
}  // namespace hone::report
