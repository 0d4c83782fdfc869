#include "report/optimize_report.h"

#include <algorithm>
#include <ctime>

#include "base/json.h"
#include "ledger/journal_text.h"
#include "machine/json_fields.h"
#include "measure/record_json.h"
#include "report/comparison_report.h"
#include "report/html_report.h"
#include "report/page.h"

namespace hone::report {
namespace {

using base::Json;
using diagnose::note;
using ledger::Run;
using ledger::RunStatus;
using ledger::Trial;
using ledger::TrialStatus;
using machine::json_number;
using machine::json_optional;
using measure::interval_json;

constexpr int kOptimizationSchema = 1;

Ink ink_of(TrialStatus status) {
    if (status == TrialStatus::kept) return Ink::good;
    if (status == TrialStatus::rolled_back) return Ink::warning;
    return Ink::dim;
}

std::string interval_suffix(const std::optional<measure::Interval>& interval) {
    if (!interval) return {};
    return fmt::format(" [{:+.1f}, {:+.1f}]", interval->low, interval->high);
}

std::string change_text(std::optional<double> percent,
                        const std::optional<measure::Interval>& interval) {
    if (!percent) return "-";
    return fmt::format("{:+.1f} %", *percent) + interval_suffix(interval);
}

std::string promised_text(const Trial& trial) {
    if (!trial.promise) return "-";
    const std::string text = change_text(trial.promise->change_percent, trial.promise->ci95);
    const bool own = trial.measured.empty() || trial.measured.front().name == trial.promise_metric;
    return own ? text : trial.promise_metric + " " + text;
}

// What a promise owes to earlier results; empty where that is nothing.
diagnose::Note learned_note(const Trial& trial) {
    if (!trial.raw || trial.learned_from == 0) return {};
    return note(trial.learned_from == 1 ? "promise_learned_once" : "promise_learned")
        .with("n", trial.learned_from)
        .with("change_percent", trial.raw->change_percent);
}

std::string measured_text(const Trial& trial) {
    const auto* result = trial.result();
    return result == nullptr ? "-" : change_text(result->change_percent, result->ci95);
}

std::string status_text(const Style& style, TrialStatus status) {
    return paint(style, ink_of(status),
                 say(style, std::string("trial_") + ledger::status_name(status)));
}

Json notes_json(const Style& style, const std::vector<diagnose::Note>& notes) {
    Json json = Json::array();
    for (const diagnose::Note& note : notes) json.push_back(note_json(style, note));
    return json;
}

Json trial_json(const Style& style, const Trial& trial) {
    Json promised = nullptr;
    if (trial.promise) {
        promised = {{"metric", trial.promise_metric},
                    {"change_percent", json_number(trial.promise->change_percent)},
                    {"interval", interval_json(trial.promise->ci95)},
                    {"basis", trial.promise->basis},
                    {"learned_from", trial.learned_from},
                    {"learned", note_json(style, learned_note(trial))}};
        const measure::PredictedChange& raw = trial.raw ? *trial.raw : *trial.promise;
        promised["raw_change_percent"] = json_number(raw.change_percent);
        promised["raw_interval"] = interval_json(raw.ci95);
    }
    Json measured = Json::array();
    for (const measure::MetricComparison& metric : trial.measured) {
        measured.push_back({{"metric", metric.name},
                            {"change_percent", json_optional(metric.change_percent)},
                            {"ci95", interval_json(metric.ci95)},
                            {"n", metric.n},
                            {"verdict", measure::verdict_name(metric.verdict)}});
    }
    return {{"action", trial.action},
            {"title", note_json(style, trial.title)},
            {"status", ledger::status_name(trial.status)},
            {"reason", note_json(style, trial.reason)},
            {"apply", ledger::changes_json(trial.apply)},
            {"undo", ledger::changes_json(trial.undo)},
            {"risk", trial.risk},
            {"minutes", trial.minutes},
            {"evidence", notes_json(style, trial.evidence)},
            {"promised", std::move(promised)},
            {"measured", std::move(measured)},
            {"quality", trial.quality ? ledger::quality_json(*trial.quality) : Json(nullptr)}};
}

std::string plain_text(const ledger::Changes& changes) {
    std::string out;
    for (const auto& [name, value] : changes) {
        if (value.empty() || value == "0") continue;
        out += (out.empty() ? "" : " ") + name + "=" + value;
    }
    return out;
}

// "default" where nothing is set.
std::string value_in(const ledger::Changes& settings, std::string_view name) {
    for (const auto& [key, value] : settings) {
        if (key == name && !value.empty() && value != "0") return value;
    }
    return "default";
}

// The end as `hone ab` would print it.
measure::Comparison after_of(const Run& run, const Economy& economy) {
    measure::Comparison comparison;
    comparison.method = "group_sequential_signed_ranks";
    comparison.ended = run.after_ended;
    comparison.wall_s = run.after_wall_s;
    comparison.metrics = run.after;
    comparison.quality = run.after_quality;
    comparison.price_a = comparison.price_b = economy.price_per_hour;
    const auto signature = [&](const ledger::Changes& settings) -> Json {
        return {{"model", run.subject.model},
                {"flags", plain_text(settings)},
                {"threads", value_in(settings, "threads")},
                {"isa", value_in(settings, "isa")}};
    };
    comparison.signature_a = signature(run.start);
    comparison.signature_b = signature(run.best);
    return comparison;
}

// Neither promised nor tested: only why not is of interest.
bool has_nothing_to_show(const Trial& trial) {
    return trial.status == TrialStatus::refused && !trial.promise && trial.measured.empty();
}

// A line for each reason, with everything that it kept from a test.
void add_untried(Page& page, const Run& run) {
    const Style& style = page.style();
    std::vector<std::pair<std::string, std::string>> actions_by_reason;
    for (const Trial& trial : run.trials) {
        if (!has_nothing_to_show(trial)) continue;
        const std::string reason = one_line(say(style, trial.reason));
        const auto known = std::find_if(actions_by_reason.begin(), actions_by_reason.end(),
                                        [&](const auto& row) { return row.first == reason; });
        if (known == actions_by_reason.end()) {
            actions_by_reason.emplace_back(reason, one_line(trial.action));
        } else {
            known->second += ", " + one_line(trial.action);
        }
    }
    for (const auto& [reason, actions] : actions_by_reason) {
        page.line(
            "  " +
            say(style, note("trials_untried").with("actions", actions).with("reason", reason)));
    }
}

void add_trials(Page& page, const Run& run) {
    const Style& style = page.style();
    page.section("section_trials");
    Table table({{say(style, "head_action"), false, true},
                 {say(style, "head_promised"), true, false},
                 {say(style, "head_measured"), true, false},
                 {say(style, "head_became"), false, false}});
    for (const Trial& trial : run.trials) {
        if (has_nothing_to_show(trial)) continue;
        table.add({one_line(trial.action), promised_text(trial), measured_text(trial),
                   status_text(style, trial.status)});
    }
    if (run.trials.empty()) page.line("  " + say(style, "no_trials"));
    if (!table.empty()) page.table(table);
    for (const Trial& trial : run.trials) {
        if (has_nothing_to_show(trial)) continue;
        const diagnose::Note learned = learned_note(trial);
        page.line("  " + one_line(trial.action) + ": " + say(style, trial.title) + ". " +
                  (learned.empty() ? "" : say(style, learned) + ". ") +
                  one_line(say(style, trial.reason)));
    }
    add_untried(page, run);
}

std::string started_text(int64_t utc_s) {
    const std::time_t at = utc_s;
    std::tm fields{};
    if (gmtime_r(&at, &fields) == nullptr) return "-";
    return fmt::format("{:04}-{:02}-{:02} {:02}:{:02} UTC", fields.tm_year + int64_t{1900},
                       fields.tm_mon + 1, fields.tm_mday, fields.tm_hour, fields.tm_min);
}

// Before and after learning.
std::string counts_text(size_t before, size_t after, size_t whole) {
    return whole == 0 ? "-" : fmt::format("{} -> {} of {}", before, after, whole);
}

std::string points_text(std::optional<double> before, std::optional<double> after) {
    return before && after ? fmt::format("{:.1f} -> {:.1f}", *before, *after) : "-";
}

Json accuracy_json(const ledger::Accuracy& accuracy) {
    return {{"median_error_points", json_optional(accuracy.median_error_points)},
            {"interval_score", json_optional(accuracy.interval_score)},
            {"with_interval", accuracy.with_interval},
            {"covered", accuracy.covered},
            {"with_sign", accuracy.with_sign},
            {"sign_right", accuracy.sign_right}};
}

}  // namespace

std::string changes_text(const ledger::Changes& start, const ledger::Changes& best) {
    const auto shown = [](const ledger::Changes& all, const std::string& name) {
        const std::string value = value_in(all, name);
        return value == "default" && name.starts_with("pass:") ? std::string("on") : value;
    };
    std::string out;
    const auto add = [&](const std::string& name) {
        const std::string from = shown(start, name);
        const std::string to = shown(best, name);
        if (from == to) return;
        out += (out.empty() ? "" : ", ") + name + " " + from + " -> " + to;
    };
    for (const auto& [name, value] : best) add(name);
    for (const auto& [name, value] : start) {
        const bool there = std::any_of(best.begin(), best.end(),
                                       [&](const auto& change) { return change.first == name; });
        if (!there) add(name);
    }
    return out;
}

std::string trial_line(const Trial& trial, const Style& style) {
    return say(style, note("trial_line")
                          .with("action", one_line(trial.action))
                          .with("promised", promised_text(trial))
                          .with("measured", measured_text(trial))
                          .with("outcome", status_text(style, trial.status)));
}

std::string render_optimization(const Run& run, const Economy& economy, const Style& style) {
    Page page(style);
    const std::string changed = changes_text(run.start, run.best);
    page.note(note("optimize_head")
                  .with("model", one_line(run.subject.model))
                  .with("machine", one_line(run.subject.machine))
                  .with("scenario", one_line(run.subject.scenario))
                  .with("metric", one_line(run.subject.metric)),
              0);
    if (run.grade.size() == 1) page.line("  " + say(style, "trust_" + run.grade));
    add_trials(page, run);
    if (!run.after.empty()) page.section("section_after");
    Page end(style);
    end.section("section_end");
    end.note(note("optimize_changes")
                 .with("changes", changed.empty() ? say(style, "optimize_no_changes") : changed));
    for (const diagnose::Note& line : run.ending) end.note(line);
    for (const diagnose::Note& line : roi_notes(run, economy, style)) end.note(line);
    end.note(note("optimize_spent").with("run", run.id).with("spent_s", run.spent_s));
    const std::string after =
        run.after.empty() ? "" : render_comparison(after_of(run, economy), style);
    return page.take() + after + end.take();
}

Json optimization_json(const Run& run, const Economy& economy, const Style& style) {
    Json trials = Json::array();
    for (const Trial& trial : run.trials) trials.push_back(trial_json(style, trial));
    return {{"schema", kOptimizationSchema},
            {"run", run.id},
            {"started_utc_s", run.started_utc_s},
            {"model", run.subject.model},
            {"machine", run.subject.machine},
            {"scenario", run.subject.scenario},
            {"metric", run.subject.metric},
            {"build", run.subject.build},
            {"status", ledger::status_name(run.status)},
            {"grade", run.grade},
            {"spent_s", json_number(run.spent_s)},
            {"start", ledger::changes_json(run.start)},
            {"best", ledger::changes_json(run.best)},
            {"changes", changes_text(run.start, run.best)},
            {"trials", std::move(trials)},
            {"after", run.after.empty() ? Json(nullptr) : comparison_json(after_of(run, economy))},
            {"roi", roi_json(run, economy, style)},
            {"ending", notes_json(style, run.ending)}};
}

std::string optimization_page(const Run& run, const Economy& economy, const Style& style) {
    const std::string title = say(style, note("optimize_title").with("model", run.subject.model));
    return render_page(title, {{"optimization", optimization_json(run, economy, style)}}, style);
}

std::string render_history(const std::vector<Run>& runs, const Style& style) {
    Page page(style);
    Table table({{say(style, "head_run"), true, false},
                 {say(style, "head_started"), false, false},
                 {say(style, "head_model"), false, true},
                 {say(style, "head_scenario"), false, false},
                 {say(style, "head_became"), false, false},
                 {say(style, "head_changes"), false, true}});
    for (const Run& run : runs) {
        table.add({fmt::format("{}", run.id), started_text(run.started_utc_s),
                   one_line(run.subject.model), one_line(run.subject.scenario),
                   say(style, std::string("run_") + ledger::status_name(run.status)),
                   one_line(changes_text(run.start, run.best))});
    }
    if (table.empty()) {
        page.line(say(style, "no_runs"));
    } else {
        page.table(table, 0);
    }
    return page.take();
}

Json history_json(const std::vector<Run>& runs) {
    Json json = Json::array();
    for (const Run& run : runs) {
        json.push_back({{"run", run.id},
                        {"started_utc_s", run.started_utc_s},
                        {"model", run.subject.model},
                        {"machine", run.subject.machine},
                        {"scenario", run.subject.scenario},
                        {"status", ledger::status_name(run.status)},
                        {"spent_s", json_number(run.spent_s)},
                        {"changes", changes_text(run.start, run.best)}});
    }
    return json;
}

std::string render_accuracy(const std::vector<ledger::KindAccuracy>& groups, const Style& style) {
    Page page(style);
    page.line(say(style, "accuracy_head"));
    if (groups.empty() || groups.front().before.n == 0) {
        page.line("  " + say(style, "accuracy_none"));
        return page.take();
    }
    Table table({{say(style, "head_kind"), false, true},
                 {say(style, "head_n"), true, false},
                 {say(style, "head_error"), true, false},
                 {say(style, "head_coverage"), true, false},
                 {say(style, "head_score"), true, false},
                 {say(style, "head_sign"), true, false}});
    for (const auto& [kind, before, after] : groups) {
        table.add({kind.empty() ? say(style, "accuracy_all") : one_line(kind),
                   fmt::format("{}", before.n),
                   points_text(before.median_error_points, after.median_error_points),
                   counts_text(before.covered, after.covered, before.with_interval),
                   points_text(before.interval_score, after.interval_score),
                   counts_text(before.sign_right, after.sign_right, before.with_sign)});
    }
    page.table(table);
    page.line("  " + say(style, "accuracy_learning"));
    return page.take();
}

Json accuracy_json(const std::vector<ledger::KindAccuracy>& groups,
                   const std::vector<ledger::TestedPromise>& promises) {
    Json rows = Json::array();
    for (const auto& [kind, before, after] : groups) {
        Json row = accuracy_json(before);
        row["kind"] = kind;
        row["n"] = before.n;
        row["learned"] = accuracy_json(after);
        rows.push_back(std::move(row));
    }
    Json tested = Json::array();
    for (const ledger::TestedPromise& promise : promises) {
        tested.push_back({{"run", promise.run},
                          {"action", promise.action},
                          {"model", promise.model},
                          {"machine", promise.machine},
                          {"metric", promise.metric},
                          {"promised_percent", json_number(promise.promise.change_percent)},
                          {"interval", interval_json(promise.promise.ci95)},
                          {"raw_percent", json_number(promise.raw.change_percent)},
                          {"raw_interval", interval_json(promise.raw.ci95)},
                          {"learned_from", promise.learned_from},
                          {"basis", promise.promise.basis},
                          {"measured_percent", json_number(promise.change_percent)},
                          {"ci95", interval_json(promise.ci95)},
                          {"verdict", measure::verdict_name(promise.verdict)}});
    }
    return {{"level", ledger::kPromiseLevel},
            {"groups", std::move(rows)},
            {"promises", std::move(tested)}};
}

}  // namespace hone::report
