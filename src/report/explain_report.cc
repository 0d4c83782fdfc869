#include "report/explain_report.h"

#include <cmath>

#include "base/json.h"
#include "base/text.h"
#include "report/explain_sections.h"

namespace hone::report {
namespace {

using base::Json;
using diagnose::Diagnosis;
using diagnose::note;
using measure::RunRecord;

Ink grade_ink(char grade) {
    return grade <= 'B' ? Ink::good : grade == 'C' ? Ink::warning : Ink::bad;
}

// First of all: can this measurement be trusted? Good checks are one dim line, bad ones stand out.
void add_trust(Page& page, const Diagnosis& diagnosis) {
    const char grade = diagnosis.measurement.grade;
    page.line(
        paint(page.style(), grade_ink(grade), say(page.style(), std::string("trust_") + grade)));
    std::string fine;
    for (const diagnose::GradeReason& reason : diagnosis.measurement.reasons) {
        const std::string text = say(page.style(), reason.note);
        if (reason.grade == 'A') {
            fine += (fine.empty() ? "" : "; ") + text;
            continue;
        }
        page.line("  " +
                  paint(page.style(), grade_ink(reason.grade), std::string(1, reason.grade)) + " " +
                  text);
    }
    // Only the two lines that say how much was measured; the rest is fine and says nothing.
    if (grade == 'A' && !fine.empty()) page.line("  " + fine);
}

void add_context(Page& page, const Diagnosis& diagnosis, const RunRecord& record) {
    page.section("section_context");
    const auto& context = record.context;
    diagnose::Note use = note(context.scenario.empty() ? "context_workload" : "context_scenario")
                             .with("prompt", context.prompt_tokens)
                             .with("output", context.output_tokens)
                             .with("batch", context.batch);
    if (const auto scenario = diagnose::find_scenario(context.scenario)) {
        use = use.with("scenario", context.scenario)
                  .with("metric", diagnose::metric_at((*scenario)->primary_metric,
                                                      (*scenario)->primary_percentile));
    } else {
        use = use.with("scenario", context.scenario).with("metric", context.primary_metric);
    }
    page.note(use);
    page.note(
        note("context_model")
            .with("file", one_line(record.model.file))
            .with("name", one_line(record.model.name))
            .with("architecture", one_line(record.model.architecture))
            .with("size_bytes", static_cast<int64_t>(record.model.file_bytes))
            .with("parameters", base::format_count(static_cast<double>(record.model.parameters))));
    const auto& facts = record.machine.facts;
    page.note(note("context_machine")
                  .with("cpu", one_line(facts.cpu_model))
                  .with("cpus", facts.cpus_allowed)
                  .with("memory_bytes", static_cast<int64_t>(facts.memory_bytes))
                  .with("threads", context.threads)
                  .with("isa", one_line(record.isa)));
    page.note(note("context_build")
                  .with("build", one_line(record.build))
                  .with("command", one_line(context.command)));
    if (!diagnosis.slo_error.empty()) page.note(diagnosis.slo_error);
}

std::string milliseconds(const std::optional<double>& value) {
    if (!value) return "n/a";
    return std::isfinite(*value) ? fmt::format("{:.4g} ms", *value) : "failed";
}

void add_slo(Page& page, const Diagnosis& diagnosis) {
    if (diagnosis.slo.empty()) return;
    const Style& style = page.style();
    Table table({{say(style, "head_slo"), false, true},
                 {say(style, "head_value"), true, false},
                 {say(style, "head_verdict"), false, true}});
    for (const diagnose::SloVerdict& verdict : diagnosis.slo) {
        const bool known = verdict.verdict != diagnose::Verdict::not_enough_data;
        const bool met = verdict.verdict == diagnose::Verdict::met;
        std::string text =
            paint(style,
                  !known ? Ink::warning
                  : met  ? Ink::good
                         : Ink::bad,
                  say(style, std::string("verdict_") + diagnose::verdict_name(verdict.verdict)));
        if (!known) {
            text +=
                " (" +
                say(style,
                    note("slo_samples").with("n", verdict.n).with("n_needed", verdict.n_needed)) +
                ")";
        } else if (!verdict.certain) {
            text += " (" + say(style, "slo_border") + ")";
        }
        table.add({verdict.term.text, milliseconds(verdict.value_ms), text});
    }
    page.table(table);
}

// Gives every object that is a note ("id" and "parameters") its sentence.
void add_texts(Json& json, const Style& style) {
    if (json.is_object() && json.contains("id") && json.contains("parameters")) {
        diagnose::Note note{json["id"].get<std::string>(), {}};
        for (const auto& [name, value] : json["parameters"].items()) {
            if (value.is_string()) note = note.with(name, value.get<std::string>());
            if (value.is_number_integer()) note = note.with(name, value.get<int64_t>());
            if (value.is_number_float()) note = note.with(name, value.get<double>());
        }
        json["text"] = say(style, note);
        return;
    }
    if (!json.is_structured()) return;
    for (auto& item : json) add_texts(item, style);
}

}  // namespace

std::string render_explain(const Diagnosis& diagnosis, const RunRecord& record,
                           const Style& style) {
    Page page(style);
    add_trust(page, diagnosis);
    add_context(page, diagnosis, record);
    page.section("section_metrics");
    add_metric_table(page, diagnosis.metrics);
    add_slo(page, diagnosis);
    add_decomposition(page, diagnosis.breakdown);
    add_attribution(page, diagnosis.attribution);
    add_decisions(page, diagnosis);
    add_experiments(page, diagnosis.experiments);
    return page.take();
}

Json explain_json(const Diagnosis& diagnosis, const RunRecord& record, const Style& style) {
    Json json = diagnose::to_json(diagnosis, record);
    add_texts(json, style);
    return json;
}

}  // namespace hone::report
