#include "cli/quality_report.h"

#include <fmt/format.h>

#include "base/json.h"
#include "machine/json_fields.h"
#include "measure/record_json.h"
#include "report/messages.h"
#include "report/table.h"

namespace hone::cli {
namespace {

using base::Json;
using machine::json_number;
using machine::json_optional;
using measure::interval_json;

Json score_json(const quality::Score& score) {
    return {{"name", score.name},
            {"value", json_number(score.value)},
            {"ci95", interval_json(score.ci95)},
            {"n", score.n}};
}

// The keys of hone ab; the change in the metric's own unit beside that in percent.
Json difference_json(const quality::Difference& difference) {
    return {{"name", difference.name},
            {"a", json_number(difference.a)},
            {"b", json_number(difference.b)},
            {"change", json_number(difference.change())},
            {"change_ci95", interval_json(difference.ci95)},
            {"change_percent", json_optional(difference.change_percent)},
            {"ci95", interval_json(difference.percent_ci95)},
            {"better", difference.verdict == measure::Verdict::improved},
            {"good", difference.better == measure::Better::higher ? "higher" : "lower"},
            {"verdict", measure::verdict_name(difference.verdict)},
            {"p", difference.ci95 ? json_number(difference.p) : Json(nullptr)},
            {"n", difference.n}};
}

Json gate_json(const QualityReport& report) {
    if (!report.gate) return nullptr;
    Json terms = Json::array();
    for (const quality::TermVerdict& term : report.verdict.terms) {
        terms.push_back({{"term", term.term},
                         {"verdict", quality::gate_outcome_name(term.outcome)},
                         {"value", json_optional(term.reading.value)},
                         {"ci95", interval_json(term.reading.ci95)}});
    }
    return {{"gate", report.gate->text()},
            {"verdict", quality::gate_outcome_name(report.verdict.outcome)},
            {"terms", std::move(terms)}};
}

std::string interval_text(const std::optional<measure::Interval>& interval) {
    return interval ? fmt::format("[{:.6g}, {:.6g}]", interval->low, interval->high) : "-";
}

std::string scores_table(const QualityReport& report, const report::Style& style) {
    report::Table table({{report::say(style, "head_metric")},
                         {report::say(style, "head_value"), true},
                         {report::say(style, "head_interval"), true},
                         {report::say(style, "head_n"), true}});
    for (const quality::Score& score : report.scores) {
        table.add({score.name, fmt::format("{:.6g}", score.value), interval_text(score.ci95),
                   fmt::format("{}", score.n)});
    }
    return table.render(static_cast<size_t>(style.width));
}

std::string differences_table(const QualityReport& report, const report::Style& style) {
    if (report.differences.empty()) return "";
    report::Table table({{report::say(style, "head_metric")},
                         {report::say(style, "head_base"), true},
                         {report::say(style, "head_value"), true},
                         {report::say(style, "head_change"), true},
                         {report::say(style, "head_interval"), true},
                         {report::say(style, "head_verdict")}});
    for (const quality::Difference& difference : report.differences) {
        table.add({difference.name, fmt::format("{:.6g}", difference.a),
                   fmt::format("{:.6g}", difference.b), fmt::format("{:+.4g}", difference.change()),
                   interval_text(difference.ci95),
                   report::say(style, std::string("compare_") +
                                          measure::verdict_name(difference.verdict))});
    }
    return "\n" + table.render(static_cast<size_t>(style.width));
}

std::string outcome_text(quality::GateOutcome outcome, const report::Style& style) {
    return report::say(style, std::string("gate_outcome_") + quality::gate_outcome_name(outcome));
}

std::string gate_text(const QualityReport& report, const report::Style& style) {
    using diagnose::note;
    if (!report.gate) return "";
    std::string out =
        "\n" +
        report::say(style, note("quality_gate")
                               .with("gate", report.gate->text())
                               .with("outcome", outcome_text(report.verdict.outcome, style))) +
        "\n";
    if (report.verdict.terms.size() < 2) return out;
    for (const quality::TermVerdict& term : report.verdict.terms) {
        const std::string reading =
            term.reading.value
                ? fmt::format("{:.4g} {}", *term.reading.value, interval_text(term.reading.ci95))
                : report::say(style, "quality_no_reading");
        out += "  " +
               report::say(style, note("quality_term")
                                      .with("term", term.term)
                                      .with("outcome", outcome_text(term.outcome, style))
                                      .with("reading", reading)) +
               "\n";
    }
    return out;
}

}  // namespace

Json quality_json(const QualityReport& report) {
    Json metrics = Json::array();
    for (const quality::Score& score : report.scores) metrics.push_back(score_json(score));
    Json differences = Json::array();
    for (const quality::Difference& difference : report.differences) {
        differences.push_back(difference_json(difference));
    }
    return {{"schema", 1},
            {"model", report.model.empty() ? Json(nullptr) : Json(report.model)},
            {"signature", *report.signature},
            {"metrics", std::move(metrics)},
            {"differences", report.compared ? std::move(differences) : Json(nullptr)},
            {"gate", gate_json(report)}};
}

std::string quality_text(const QualityReport& report, const report::Style& style) {
    return scores_table(report, style) + differences_table(report, style) +
           gate_text(report, style);
}

}  // namespace hone::cli
