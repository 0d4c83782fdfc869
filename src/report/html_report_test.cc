#include "report/html_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "diagnose/fake_record.h"
#include "report/assets.h"
#include "report/explain_report.h"
#include "report/messages.h"
#include "report/page_data.h"

namespace hone::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string page_of(const measure::RunRecord& record, Style style = {}) {
    return render_html(diagnose::diagnose(record), record, style);
}

size_t count_of(std::string_view text, std::string_view part) {
    size_t count = 0;
    for (size_t at = text.find(part); at != std::string_view::npos;
         at = text.find(part, at + part.size())) {
        ++count;
    }
    return count;
}

base::Json data_of(const std::string& page) {
    constexpr std::string_view kOpening = "type=\"application/json\">";
    const size_t begin = page.find(kOpening) + kOpening.size();
    const auto json = base::parse_json(
        std::string_view(page).substr(begin, page.find("</script>", begin) - begin));
    EXPECT_TRUE(json);
    return json ? *json : base::Json();
}

TEST(Assets, AreWholeAndCannotEndTheirElement) {
    EXPECT_THAT(std::string(chart_js().substr(0, 200)), HasSubstr("Chart.js v3"));
    EXPECT_GT(chart_js().size(), 100'000u);
    for (const std::string_view script : {chart_js(), page_js()}) {
        EXPECT_EQ(script.find("</script"), std::string_view::npos);
        EXPECT_EQ(script.find("<!--"), std::string_view::npos);
    }
    EXPECT_EQ(page_css().find("</style"), std::string_view::npos);
    EXPECT_EQ(page_css().find("url("), std::string_view::npos);
    for (const char* mark : {"@LANGUAGE@", "@TITLE@", "@STYLE@", "@DATA@", "@CHART@", "@SCRIPT@"}) {
        EXPECT_EQ(count_of(page_html(), mark), 1u) << mark;
    }
    // Elements are made with text; markup made of strings would let foreign text in.
    for (const char* risky : {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write",
                              "eval(", "fetch(", "XMLHttpRequest", "import("}) {
        EXPECT_EQ(page_js().find(risky), std::string_view::npos) << risky;
    }
}

TEST(Escapes, LeaveNoWayOut) {
    EXPECT_EQ(script_safe("{\"a\":\"</script>&\"}"), "{\"a\":\"\\u003c/script\\u003e\\u0026\"}");
    EXPECT_EQ(script_safe("\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa"), "\\u2028\\u2029\xe2\x80\xaa");
    EXPECT_EQ(html_safe("<a href=\"x\" b='c'>&\n\x1b"),
              "&lt;a href=&quot;x&quot; b=&#39;c&#39;&gt;&amp;  ");
}

TEST(HtmlReport, IsOnePageWithoutAddresses) {
    const std::string page = page_of(diagnose::experimented_record());
    EXPECT_THAT(page, StartsWith("<!DOCTYPE html>\n<html lang=\"en\">"));
    EXPECT_THAT(page, HasSubstr("<title>model.gguf - hone explain</title>"));
    EXPECT_EQ(count_of(page, "<script"), 3u);
    EXPECT_EQ(count_of(page, "</script>"), 3u);
    for (const char* attribute : {" src=", "<link", "<iframe", "<img", "@DATA@", "@SCRIPT@"}) {
        EXPECT_THAT(page.substr(0, page.find("<script>")), Not(HasSubstr(attribute)));
    }
    Style chinese;
    chinese.language = Language::chinese;
    EXPECT_THAT(page_of(diagnose::experimented_record(), chinese),
                HasSubstr("<html lang=\"zh-CN\">"));
}

TEST(HtmlReport, HostileNamesStayText) {
    measure::RunRecord record = diagnose::experimented_record();
    const std::string hostile =
        "</script><script>alert(1)</script>@SCRIPT@<!--\"'&\xe2\x80\xa8\xff";
    record.model.file = record.model.name = record.context.command = hostile;
    record.nodes[1].name = record.nodes[2].variant = hostile;
    record.experiments[0].subject = record.experiments[0].note = hostile;
    const std::string page = page_of(record);
    EXPECT_EQ(count_of(page, "</script>"), 3u);
    EXPECT_EQ(count_of(page, "<script"), 3u);
    EXPECT_EQ(page.find("<!--"), std::string::npos);
    const base::Json data = data_of(page);
    EXPECT_THAT(data["charts"]["model"]["name"].get<std::string>(),
                StartsWith("</script><script>alert(1)</script>@SCRIPT@"));
}

TEST(HtmlReport, DataIsThatOfJsonInTheSameLanguage) {
    for (const Language language : {Language::english, Language::chinese}) {
        Style style;
        style.language = language;
        for (const auto& record : {diagnose::experimented_record(), measure::RunRecord{}}) {
            const base::Json data = data_of(page_of(record, style));
            EXPECT_EQ(data["explain"], *base::parse_json(base::dump_json(explain_json(
                                           diagnose::diagnose(record), record, style))));
            EXPECT_EQ(data["texts"].size(), messages_en().size());
            EXPECT_EQ(data["texts"]["section_metrics"], say(style, "section_metrics"));
        }
    }
}

TEST(PageData, WaterfallsAreWholeAndInOrder) {
    measure::RunRecord record = diagnose::fake_record();
    record.add_sample("load_ms", "ms", 120);
    record.add_sample("cold_start_ms", "ms", 150);
    cost::add_fake_request(record, "cold", 3.0);
    const base::Json falls = waterfalls(record);
    ASSERT_EQ(falls.size(), 3u);
    EXPECT_EQ(falls[0]["id"], "cold_start");
    EXPECT_EQ(falls[0]["total_ms"], 150);
    std::vector<std::string> names;
    for (const auto& bar : falls[0]["bars"]) names.push_back(bar["name"]);
    EXPECT_THAT(names, ::testing::ElementsAre("process", "open", "plan", "pack", "warm_up",
                                              "unattributed"));
    for (const auto& fall : falls) {
        double end = 0;
        for (const auto& bar : fall["bars"]) {
            EXPECT_DOUBLE_EQ(bar["start_ms"].get<double>(), end);
            end = bar["end_ms"];
        }
        EXPECT_DOUBLE_EQ(end, fall["total_ms"].get<double>());
    }
    EXPECT_DOUBLE_EQ(falls[1]["total_ms"].get<double>(), (115.5e6 * 3 + 1e6) * 1e-6);
    EXPECT_EQ(falls[2]["bars"].back()["name"], "unattributed");
    EXPECT_TRUE(waterfalls(measure::RunRecord{}).empty());
}

TEST(PageData, GapsAreGroupedByPositionAndShareRowsWhenMany) {
    measure::RunRecord record;
    for (int i = 0; i < 11; ++i) {
        measure::RequestSample request;
        request.phase = i == 10 ? "cold" : "warm";
        request.prompt_tokens = 8;
        for (int gap = 0; gap < 3; ++gap) request.token_gap_ns.push_back(1e6 * (gap + 1) + i * 1e5);
        record.requests.push_back(request);
    }
    base::Json rows = latency_by_position(record);
    ASSERT_EQ(rows.size(), 3u);
    EXPECT_EQ(rows[0]["position"], 9);
    EXPECT_EQ(rows[2]["position_last"], 11);
    EXPECT_EQ(rows[0]["n"], 10);
    EXPECT_DOUBLE_EQ(rows[0]["median_ms"].get<double>(), 1.45);
    EXPECT_DOUBLE_EQ(rows[1]["low_ms"].get<double>(), 2.09);
    record.requests[0].token_gap_ns.assign(10 * kPagePositionsMax + 1, 1e6);
    rows = latency_by_position(record);
    EXPECT_LE(rows.size(), kPagePositionsMax);
    EXPECT_EQ(rows.back()["position_last"], 8 + 10 * kPagePositionsMax + 1);
    EXPECT_TRUE(latency_by_position(measure::RunRecord{}).empty());
}

TEST(PageData, RoofsAreThoseOfTheRun) {
    const base::Json json = roofs(diagnose::fake_record());
    EXPECT_EQ(json["threads"], 2);
    ASSERT_EQ(json["bandwidth"].size(), 2u);
    EXPECT_EQ(json["bandwidth"][0]["what"], "memory");
    EXPECT_EQ(json["bandwidth"][0]["gb_per_s"], 20);
    EXPECT_EQ(json["bandwidth"][1]["gb_per_s"], 100);
    ASSERT_EQ(json["peaks"].size(), 2u);
    EXPECT_EQ(json["peaks"][1]["g_per_s"], 800);
    EXPECT_TRUE(roofs(measure::RunRecord{})["bandwidth"].empty());
}

TEST(PageData, WhatIsLeftOutIsCounted) {
    measure::RunRecord record = diagnose::fake_record();
    for (size_t i = 0; i < kPageExperimentsMax + 3; ++i) {
        record.experiments.push_back(
            {"later", "", base::Json::object(), base::Json::object(), true, ""});
    }
    const measure::OperatorSample sample = record.operators[0];
    for (uint32_t i = 0; i < kPageNodesMax; ++i) {
        record.operators.push_back(sample);
        record.operators.back().node = 100 + i;
    }
    const base::Json data = page_data(diagnose::diagnose(record), record, Style{});
    EXPECT_EQ(data["charts"]["experiments"].size(), kPageExperimentsMax);
    EXPECT_EQ(data["charts"]["experiments_left_out"], 3);
    EXPECT_EQ(data["charts"]["nodes"].size(), kPageNodesMax);
    EXPECT_EQ(data["charts"]["nodes_left_out"], 6);
}

}  // namespace
}  // namespace hone::report
