#include "report/tensor_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "base/text.h"
#include "report/column_chart.h"

namespace hone::report {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(ColumnChart, EighthsFromBelow) {
    const Style style{.unicode = true};
    const std::vector<uint64_t> values = {0, 1, 4, 8, 16};
    EXPECT_EQ(column_chart(style, values, 2), (std::vector<std::string>{"    █", " ▁▄██"}));
    EXPECT_EQ(column_chart(style, values, 1), (std::vector<std::string>{" ▁▂▄█"}));
    const std::vector<uint64_t> small = {1, 1000000};
    EXPECT_EQ(column_chart(style, small, 1).front(), "▁█");
}

TEST(ColumnChart, AsciiAndNothing) {
    const std::vector<uint64_t> values = {0, 2, 4, 6, 8};
    EXPECT_EQ(column_chart(Style{}, values, 1).front(), " .:+#");
    EXPECT_TRUE(column_chart(Style{}, {}, 3).empty());
    const std::vector<uint64_t> zeros(3);
    EXPECT_EQ(column_chart(Style{}, zeros, 1).front(), "   ");
}

TEST(ColumnChart, MergedNeighboursAddUp) {
    const std::vector<uint64_t> values = {1, 2, 3, 4, 5};
    EXPECT_EQ(merged(values, 5), values);
    EXPECT_EQ(merged(values, 3), (std::vector<uint64_t>{3, 7, 5}));
    EXPECT_EQ(merged(values, 1), (std::vector<uint64_t>{15}));
    EXPECT_TRUE(merged({}, 4).empty());
}

measure::ValueProfile values(double low, double high) {
    measure::ValueProfile out;
    out.count = 120;
    out.min = low;
    out.max = high;
    out.stddev = 0.25;
    out.outlier_share = 0.0005;
    out.bins = {low, high, std::vector<uint64_t>(120, 1), 0, 0};
    return out;
}

measure::TensorProfile tensor(const std::string& name) {
    measure::TensorProfile out;
    out.name = name;
    out.type = "F32";
    out.dims = {8, 15};
    out.bytes = 480;
    out.bits_per_weight = 32;
    out.values = values(-1.5, 2.5);
    measure::StoredAs stored;
    stored.asked = "Q4_K";
    stored.type = "Q5_0";
    stored.bits_per_weight = 5.5;
    stored.bytes = 83;
    stored.rmse = 0.0125;
    stored.relative_rmse = 0.05;
    stored.max_error = 0.0625;
    stored.snr_db = 26.0206;
    stored.error = values(-0.03125, 0.03125);
    stored.scales = values(0.5, 0.75);
    stored.block = measure::BlockView{0, 0.5, 0, {-0.5, 0, 0.5}, {0.4, -0.1}, {0.5, -0.0}, {1, 0}};
    measure::StoredAs broken;
    broken.asked = broken.type = "F16";
    broken.reason = "row 0, column 3: 70000 does not fit into F16";
    out.stored_as = {stored, broken};
    return out;
}

TEST(TensorReport, OneTensorIsASheet) {
    const std::vector<measure::TensorProfile> one = {tensor("blk.0.w")};
    const Style style{.width = 80, .unicode = true};
    const std::string text = render_tensors({"m.gguf", one, true, "b"}, style);
    for (const char* part :
         {"blk.0.w", "8 x 15, stored as F32: 32 bits per weight, 480 B", "from -1.5 to 2.5",
          "0.05 %", "Q4_K (as Q5_0)   5.5", "26.0", "5.00 %", "0.0125", "0.0625",
          "F16: not possible, row 0, column 3: 70000 does not fit into F16", "from -0.03125 to",
          "Scales of its blocks", "Q5_0: scale 0.5, minimum 0, 3 levels", "-0.1000", "0.5000"}) {
        EXPECT_THAT(text, HasSubstr(part));
    }
    EXPECT_THAT(text, Not(HasSubstr("-0.0000")));
    const std::string brief = render_tensors({"m.gguf", one, false, "b"}, style);
    EXPECT_THAT(brief, Not(HasSubstr("3 levels")));
    EXPECT_THAT(text, Not(HasSubstr("--as")));
}

TEST(TensorReport, ABlockThatCannotBeShownSaysSo) {
    std::vector<measure::TensorProfile> one = {tensor("blk.0.w")};
    one[0].stored_as[0].block.reset();
    const Style style{.width = 100};
    EXPECT_THAT(render_tensors({"m.gguf", one, true, "b"}, style),
                HasSubstr("stored as F32, Q5_0: no block with a grid to show"));
    EXPECT_THAT(render_tensors({"m.gguf", one, false, "b"}, style), Not(HasSubstr("no block")));
    const std::vector<measure::TensorProfile> two = {one[0], one[0]};
    EXPECT_THAT(render_tensors({"m.gguf", two, true, "b"}, style), HasSubstr("--json has them"));
}

TEST(TensorReport, SeveralAreALineEach) {
    const std::vector<measure::TensorProfile> two = {tensor("a"), tensor("b\x1b[2J")};
    const std::string text = render_tensors({"m.gguf", two, false, "b"}, Style{.width = 120});
    EXPECT_THAT(text, HasSubstr("8 x 15"));
    EXPECT_THAT(text, HasSubstr("5.00 % (Q5_0)"));
    EXPECT_THAT(text, Not(HasSubstr("\x1b[2J")));
    EXPECT_EQ(render_tensors({"m.gguf", {}, false, "b"}, Style{}), "");
}

TEST(TensorReport, NoLineIsWiderThanTheTerminal) {
    const std::vector<measure::TensorProfile> one = {tensor("blk.0.w")}, two = {one[0], one[0]};
    for (const Language language : {Language::english, Language::chinese}) {
        for (const int width : {40, 60, 80, 120}) {
            const Style style{.width = width, .unicode = true, .language = language};
            for (const auto& part : {render_tensors({"m", one, true, "b"}, style),
                                     render_tensors({"m", two, true, "b"}, style)}) {
                for (const auto line : base::split(part, '\n')) {
                    EXPECT_LE(display_width(line), static_cast<size_t>(width)) << line;
                }
            }
        }
    }
}

TEST(TensorReport, JsonHasEverything) {
    const std::vector<measure::TensorProfile> one = {tensor("blk.0.w")};
    const base::Json json = tensors_json({"m.gguf", one, false, "b"});
    EXPECT_EQ(json["schema"], 1);
    EXPECT_EQ(json["model"], "m.gguf");
    const base::Json& first = json["tensors"][0];
    EXPECT_EQ(first["values"]["bins"]["counts"].size(), 120u);
    EXPECT_EQ(first["stored_as"][0]["snr_db"], 26.0206);
    EXPECT_EQ(first["stored_as"][0]["block"]["codes"][0], 1);
    EXPECT_EQ(first["stored_as"][1]["reason"], one[0].stored_as[1].reason);
    EXPECT_TRUE(first["block"].is_null());
}

TEST(TensorReport, ThePageHasTheJson) {
    const std::vector<measure::TensorProfile> one = {tensor("</script>")};
    Style style;
    style.language = Language::chinese;
    const std::string page = render_tensors_html({"m.gguf", one, false, "the build"}, style);
    EXPECT_THAT(page, HasSubstr("\"inspection\":{"));
    EXPECT_THAT(page, HasSubstr("the build"));
    EXPECT_THAT(page, HasSubstr("lang=\"zh-CN\""));
    EXPECT_THAT(page, HasSubstr("\\u003c/script\\u003e"));
}

}  // namespace
}  // namespace hone::report
