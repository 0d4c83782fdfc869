#include "report/table.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "report/style.h"

namespace hone::report {
namespace {

TEST(Table, AlignsColumns) {
    Table table({{"name", false, false}, {"n", true, false}});
    EXPECT_TRUE(table.empty());
    table.add({"a", "1"});
    table.add({"long", "100"});
    EXPECT_EQ(table.render(80), "name    n\na       1\nlong  100\n");
    EXPECT_EQ(table.render(80, 2), "  name    n\n  a       1\n  long  100\n");
}

TEST(Table, WithoutTitlesThereIsNoHeadAndMissingCellsAreEmpty) {
    Table table({{"", false, false}, {"", false, false}});
    table.add({"a"});
    table.add({"b", "c"});
    EXPECT_EQ(table.render(80), "a\nb  c\n");
}

TEST(Table, TextGivesWayBeforeNumbers) {
    Table table({{"text", false, true}, {"number", true, false}});
    table.add({"a very long piece of text", "123456789"});
    EXPECT_EQ(table.render(24), "text              number\na very long ~  123456789\n");
}

TEST(Table, NeverWiderThanAsked) {
    Table table({{"text", false, true}, {"µ-title", true, false}, {"more", true, false}});
    table.add({"中文中文中文中文", "123456789", "\x1b[31m99999\x1b[0m"});
    for (size_t width = 1; width < 60; ++width) {
        const std::string text = table.render(width);
        for (const auto line : base::split(text, '\n')) {
            EXPECT_LE(display_width(line), width) << width;
        }
    }
}

}  // namespace
}  // namespace hone::report
