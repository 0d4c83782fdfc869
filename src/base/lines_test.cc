#include "base/lines.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace hone::base {
namespace {

using Lines = std::vector<std::pair<size_t, std::string>>;

Lines lines_of(std::string_view text) {
    Lines out;
    LineReader reader(text);
    while (const auto line = reader.next()) out.emplace_back(line->number, line->text);
    return out;
}

TEST(LineReader, CountsAllAndSkipsTheBlank) {
    EXPECT_EQ(lines_of("a\n\n \t\r\n  b c \r\nd"), (Lines{{1, "a"}, {4, "b c"}, {5, "d"}}));
    EXPECT_EQ(lines_of("a\n"), (Lines{{1, "a"}}));
    EXPECT_EQ(lines_of("\na"), (Lines{{2, "a"}}));
    EXPECT_EQ(lines_of(""), Lines{});
    EXPECT_EQ(lines_of("\n\n"), Lines{});
    EXPECT_EQ(lines_of(std::string_view("a\0b", 3)), (Lines{{1, std::string("a\0b", 3)}}));
}

}  // namespace
}  // namespace hone::base
