#include "report/explain_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "base/text.h"
#include "diagnose/fake_record.h"
#include "report/explain_sections.h"

namespace hone::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string report_of(const measure::RunRecord& record, Style style = {}) {
    return render_explain(diagnose::diagnose(record), record, style);
}

void expect_narrow(const std::string& text, size_t width) {
    for (const auto line : base::split(text, '\n')) {
        EXPECT_LE(display_width(line), width) << line;
        EXPECT_TRUE(line.empty() || line.back() != ' ') << "'" << line << "'";
    }
}

std::vector<measure::RunRecord> all_records() {
    return {diagnose::experimented_record(),
            diagnose::tiny_record(),
            diagnose::inefficient_record(),
            diagnose::weak_arithmetic_record(),
            diagnose::stolen_record(),
            diagnose::cold_record(),
            diagnose::wasteful_record(),
            diagnose::oversubscribed_record(),
            diagnose::unfused_record(),
            diagnose::denormal_record(),
            diagnose::shared_prefix_record(),
            diagnose::shared_prefix_record(true),
            diagnose::padded_record(),
            diagnose::traffic_record(),
            diagnose::throttled_record(),
            cost::fake_record(),
            measure::RunRecord{}};
}

TEST(ExplainReport, NoLineIsLongerThanTheWidth) {
    for (const auto& record : all_records()) {
        for (const int width : {60, 80, 120}) {
            for (const bool rich : {false, true}) {
                Style style;
                style.width = width;
                style.colour = style.unicode = rich;
                expect_narrow(report_of(record, style), static_cast<size_t>(width));
            }
        }
    }
}

TEST(ExplainReport, ChineseFitsAsWell) {
    for (const auto& record : all_records()) {
        for (const int width : {60, 80, 120}) {
            Style style;
            style.width = width;
            style.colour = style.unicode = width == 80;
            style.language = Language::chinese;
            const std::string text = report_of(record, style);
            expect_narrow(text, static_cast<size_t>(width));
            EXPECT_THAT(text, HasSubstr("测量："));
            EXPECT_THAT(text, Not(HasSubstr("=")));
        }
    }
}

TEST(ExplainReport, ForeignNamesDriveNoTerminal) {
    measure::RunRecord record = diagnose::experimented_record();
    record.model.name = "\x1b[2Jgone\x07";
    record.context.command = "explain\r\nroot#";
    const std::string text = report_of(record);
    EXPECT_THAT(text, Not(HasSubstr("\x1b")));
    EXPECT_THAT(text, HasSubstr("?[2Jgone?"));
    EXPECT_THAT(text, HasSubstr("explain??root#"));
}

TEST(ExplainReport, PlainIsAscii) {
    for (const auto& record : all_records()) {
        for (const char c : report_of(record)) {
            EXPECT_TRUE(c == '\n' || (c >= 0x20 && c < 0x7f)) << static_cast<int>(c);
        }
    }
}

TEST(ExplainReport, TrustComesFirstThenTheLayersInOrder) {
    const std::string text = report_of(diagnose::experimented_record());
    EXPECT_THAT(text, StartsWith("Measurement: grade A"));
    size_t last = 0;
    for (const char* section :
         {"\nContext\n", "\nMetrics\n", "\nDecomposition\n", "\nAttribution\n", "\nDecisions\n"}) {
        const size_t at = text.find(section);
        ASSERT_NE(at, std::string::npos) << section;
        EXPECT_GT(at, last);
        last = at;
    }
    EXPECT_THAT(report_of(diagnose::stolen_record()), StartsWith("Measurement: grade D"));
}

TEST(ExplainReport, NoSentenceIsMissing) {
    for (const auto& record : all_records()) {
        // A note without a sentence is printed as "id name=value".
        EXPECT_THAT(report_of(record), Not(HasSubstr("=")));
    }
}

TEST(ExplainReport, SaysWhatWasFoundAndWhatToDo) {
    Style wide;
    wide.width = 120;
    const std::string text = report_of(diagnose::experimented_record(), wide);
    EXPECT_THAT(text, HasSubstr("scenario realtime: 64 tokens in, 16 out"));
    EXPECT_THAT(text, HasSubstr("judged by latency_ms_p95"));
    EXPECT_THAT(text, HasSubstr("memory bandwidth"));
    EXPECT_THAT(text, HasSubstr("hot copy: -60"));
    EXPECT_THAT(text, HasSubstr("Threads: 4 instead of 2: +"));
    EXPECT_THAT(text, HasSubstr("would lose"));
    EXPECT_THAT(text, HasSubstr("4 threads share 2 CPUs"));
    EXPECT_THAT(text, HasSubstr("apply: --threads 4"));
    EXPECT_THAT(text, HasSubstr("undo: --threads 2"));
    EXPECT_THAT(text, HasSubstr("ttft_p95<200ms"));
    EXPECT_THAT(text, HasSubstr("unattributed: 2.0 %"));
    const std::string cold = report_of(diagnose::cold_record(), wide);
    EXPECT_THAT(cold, HasSubstr("I/O"));
    EXPECT_THAT(cold, HasSubstr("not enough data"));
}

TEST(ExplainReport, NothingPaysIsSaidWithWhatWasTried) {
    Style wide;
    wide.width = 120;
    EXPECT_THAT(report_of(diagnose::experimented_record(), wide),
                HasSubstr("Nothing pays: none of 3 changes tried surely gains (3 would lose, 0 are "
                          "too close to call). Tried: threads"));
    EXPECT_THAT(report_of(diagnose::experimented_record(), wide),
                HasSubstr("1 more would pay if quality allows"));
    EXPECT_THAT(report_of(diagnose::unfused_record(), wide),
                HasSubstr("1 of 1 changes tried would surely pay"));
    EXPECT_THAT(report_of(cost::fake_record(), wide),
                HasSubstr("no change could be predicted from this record"));
}

TEST(ExplainReport, ReasonsStandWhereNumbersAreMissing) {
    Style wide;
    wide.width = 120;
    const std::string text = report_of(cost::fake_record(), wide);
    EXPECT_THAT(text, HasSubstr("Not predicted, for want of data:"));
    EXPECT_THAT(text, HasSubstr("no thread_sweep of '1' in the record"));
    EXPECT_THAT(text, HasSubstr("What would make this surer"));
}

TEST(ExplainReport, ColourOnlyWhenAsked) {
    EXPECT_THAT(report_of(diagnose::stolen_record()), Not(HasSubstr("\x1b[")));
    Style style;
    style.colour = true;
    EXPECT_THAT(report_of(diagnose::stolen_record(), style), HasSubstr("\x1b[31m"));
}

TEST(ExplainJson, NotesCarryTheirSentence) {
    const auto record = diagnose::experimented_record();
    const auto json = explain_json(diagnose::diagnose(record), record, Style{});
    EXPECT_FALSE(json["measurement"]["reasons"][0]["text"].get<std::string>().empty());
    for (const auto& item : json["attribution"]) {
        for (const auto& line : item["evidence"]) EXPECT_TRUE(line.contains("text"));
    }
}

TEST(MetricValue, FollowsTheUnit) {
    EXPECT_EQ(metric_value("bytes", 2048), "2.00 KiB");
    EXPECT_EQ(metric_value("share", 0.5), "50.0 %");
    EXPECT_EQ(metric_value("bytes/token", 23040), "23040");
    EXPECT_EQ(metric_value("ms", 1.23456), "1.235");
    EXPECT_EQ(metric_value("ms", std::numeric_limits<double>::infinity()), "+inf");
}

}  // namespace
}  // namespace hone::report
