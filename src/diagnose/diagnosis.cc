#include "diagnose/diagnosis.h"

#include <cmath>

#include "base/json.h"
#include "machine/json_fields.h"
#include "measure/record_json.h"

namespace hone::diagnose {
namespace {

using base::Json;
using machine::json_number;
using machine::json_optional;
using measure::interval_json;
using measure::RunRecord;

Json notes(const std::vector<cost::Note>& list) {
    Json out = Json::array();
    for (const cost::Note& item : list) out.push_back(cost::to_json(item));
    return out;
}

Json note_or_null(const cost::Note& item) {
    return item.empty() ? Json(nullptr) : cost::to_json(item);
}

Json slo_json(const Diagnosis& diagnosis) {
    Json out = Json::array();
    for (const SloVerdict& verdict : diagnosis.slo) {
        out.push_back({{"term", verdict.term.text},
                       {"metric", metric_at(verdict.term.metric, verdict.term.percentile)},
                       {"limit_ms", verdict.term.limit_ms},
                       {"verdict", verdict_name(verdict.verdict)},
                       {"value_ms", json_optional(verdict.value_ms)},
                       {"ci95", interval_json(verdict.ci95)},
                       {"certain", verdict.certain},
                       {"n", verdict.n},
                       {"n_needed", verdict.n_needed}});
    }
    return out;
}

Json context_json(const Diagnosis& diagnosis, const RunRecord& record) {
    const auto& context = record.context;
    Json price = json_optional(context.price_per_hour);
    return {{"scenario", context.scenario},
            {"primary_metric", context.primary_metric},
            {"slo", slo_json(diagnosis)},
            {"slo_error", note_or_null(diagnosis.slo_error)},
            {"prompt_tokens", context.prompt_tokens},
            {"output_tokens", context.output_tokens},
            {"batch", context.batch},
            {"threads", context.threads},
            {"repeats", context.repeats},
            {"seed", context.seed},
            {"warm", context.warm},
            {"price_per_hour", price},
            {"command", context.command},
            {"model", record.model.file},
            {"machine", record.machine.facts.cpu_model},
            {"fingerprint", record.machine.fingerprint},
            {"isa", record.isa},
            {"build", record.build}};
}

Json metrics_json(const std::vector<MetricSummary>& metrics) {
    Json out = Json::array();
    for (const MetricSummary& metric : metrics) {
        Json item = {{"name", metric.name},
                     {"unit", metric.unit},
                     {"median", json_optional(metric.median)},
                     {"ci95", interval_json(metric.ci95)},
                     {"n", metric.n}};
        if (metric.p95) {
            item["p95"] = json_optional(metric.p95);
            item["p95_ci95"] = interval_json(metric.p95_ci95);
        }
        if (metric.p99) item["p99"] = json_optional(metric.p99);
        item["samples"] = machine::json_numbers(metric.samples);
        out.push_back(item);
    }
    return out;
}

Json stages_json(const Breakdown& breakdown) {
    Json out = Json::array();
    for (const Stage& stage : breakdown.stages) {
        Json parts = Json::array();
        for (const StagePart& part : stage.parts) {
            parts.push_back(
                {{"name", part.name}, {"ms", part.ns / 1e6}, {"time_share", part.share}});
        }
        Json ms = stage.ns ? Json(*stage.ns / 1e6) : Json(nullptr);
        out.push_back({{"stage", stage.id},
                       {"ms", ms},
                       {"time_share", stage.ns ? Json(stage.share) : Json(nullptr)},
                       {"parts", parts}});
    }
    return out;
}

Json operator_json(const OperatorRow& row) {
    Json bound = nullptr;
    if (row.light.bound_ns()) bound = row.light.memory_side() ? "memory" : "compute";
    Json out = Json::object();
    if (!row.name.empty()) out["node"] = row.name;
    out["kind"] = row.kind;
    if (!row.slice.empty()) out["slice"] = row.slice;
    out["variant"] = row.variant;
    out["time_share"] = row.share;
    out["ms"] = row.wall_ns / 1e6;
    out["calls"] = row.calls;
    out["flops"] = row.flops;
    out["bytes"] = row.bytes;
    out["roof_share"] = json_optional(row.roof_share());
    out["roof"] = bound;
    out["compute_ms"] = row.compute_ns / 1e6;
    out["barrier_ms"] = row.barrier_ns / 1e6;
    out["dispatch_ms"] = row.dispatch_ns / 1e6;
    return out;
}

Json operators_json(const Breakdown& breakdown) {
    constexpr size_t kNodesPerKind = 5;
    Json out = Json::array();
    for (const OperatorRow& row : breakdown.operators) {
        Json item = operator_json(row);
        Json slices = Json::array();
        for (const OperatorRow& slice : breakdown.operators_by_slice) {
            if (slice.kind == row.kind) slices.push_back(operator_json(slice));
        }
        Json nodes = Json::array();
        for (const OperatorRow& node : breakdown.nodes) {
            if (node.kind == row.kind && nodes.size() < kNodesPerKind) {
                nodes.push_back(operator_json(node));
            }
        }
        item["slices"] = slices;
        item["nodes"] = nodes;
        out.push_back(item);
    }
    return out;
}

Json sequence_row(const SequenceRow& row) {
    return {{"slice", row.slice},
            {"tokens", row.tokens},
            {"ms", row.wall_ns / 1e6},
            {"time_share", row.share},
            {"ms_per_token", row.ns_per_token() / 1e6}};
}

Json sequence_json(const Breakdown& breakdown) {
    Json out = Json::array();
    for (const SequenceRow& row : breakdown.sequence) {
        Json item = sequence_row(row);
        Json buckets = Json::array();
        for (const SequenceRow& bucket : breakdown.sequence_buckets) {
            if (bucket.slice != row.slice) continue;
            Json entry = {{"position", bucket.position_bucket}};
            entry.update(sequence_row(bucket));
            entry.erase("slice");
            buckets.push_back(entry);
        }
        item["buckets"] = buckets;
        out.push_back(item);
    }
    return out;
}

Json attribution_json(const std::vector<Attribution>& attributions) {
    Json out = Json::array();
    for (const Attribution& item : attributions) {
        out.push_back({{"subject", item.subject},
                       {"class", bottleneck_name(item.bottleneck)},
                       {"confidence", item.confidence},
                       {"time_share", item.time_share},
                       {"evidence", notes(item.evidence)}});
    }
    return out;
}

Json decision_json(const Decision& card) {
    Json predicted = nullptr;
    if (card.predicted) {
        predicted = {{"metric", card.predicted->metric},
                     {"change_percent", json_number(card.predicted->change_percent)},
                     {"ci95", interval_json(card.predicted->ci95)},
                     {"interval", interval_json(card.predicted->interval)},
                     {"better", card.predicted->better},
                     {"sure", card.predicted->sure},
                     {"pairs", card.predicted->pairs},
                     {"tier", cost::provenance_name(card.predicted->tier)}};
    }
    return {
        {"action", card.action},
        {"title", note_or_null(card.title)},
        {"predicted", predicted},
        {"reason", note_or_null(card.reason)},
        {"evidence", notes(card.evidence)},
        {"complexity", {{"level", card.complexity.level}, {"minutes", card.complexity.minutes}}},
        {"risk", {{"level", card.risk.level}, {"reversible", card.risk.reversible}}},
        {"apply", card.apply},
        {"undo", card.undo},
        {"available", card.available}};
}

Json outcome_json(const Outcome& outcome) {
    return {{"verdict", verdict_name(outcome.verdict)},
            {"gains", outcome.gains},
            {"losses", outcome.losses},
            {"too_close", outcome.too_close},
            {"not_predicted", outcome.not_predicted},
            {"gains_at_risk", outcome.gains_at_risk},
            {"untrusted", outcome.untrusted},
            {"checked", outcome.checked}};
}

Json experiments_json(const ExperimentPlan& plan) {
    Json out = Json::array();
    for (const ExperimentRequest& request : plan.requests) {
        out.push_back({{"name", request.name},
                       {"subject", request.subject},
                       {"slice", request.slice},
                       {"settings", request.settings},
                       {"reason", cost::to_json(request.reason)}});
    }
    return out;
}

Json measurement_json(const MeasurementGrade& grade) {
    Json reasons = Json::array();
    for (const GradeReason& reason : grade.reasons) {
        Json item = cost::to_json(reason.note);
        item["grade"] = std::string(1, reason.grade);
        reasons.push_back(item);
    }
    return {{"grade", std::string(1, grade.grade)}, {"reasons", reasons}};
}

}  // namespace

Diagnosis diagnose(const RunRecord& record) {
    Diagnosis out;
    out.metrics = summarize_metrics(record);
    if (const auto slo = parse_slo(record.context.slo)) {
        out.slo = judge(*slo, record);
    } else {
        out.slo_error = cost::note("slo_error").with("error", slo.error().message);
    }
    out.breakdown = break_down(record);
    out.measurement = grade_measurement(record, out.breakdown, out.metrics);
    out.attribution = attribute(record, out.breakdown, out.measurement);
    out.decisions = decide(record, out.breakdown, out.attribution, out.measurement);
    out.outcome = conclude(out.decisions, out.measurement);
    out.experiments = plan_experiments(record);
    return out;
}

Json to_json(const Diagnosis& diagnosis, const RunRecord& record) {
    Json decisions = Json::array();
    for (const Decision& card : diagnosis.decisions) decisions.push_back(decision_json(card));
    return {{"context", context_json(diagnosis, record)},
            {"metrics", metrics_json(diagnosis.metrics)},
            {"decomposition",
             {{"stages", stages_json(diagnosis.breakdown)},
              {"operators", operators_json(diagnosis.breakdown)},
              {"sequence", sequence_json(diagnosis.breakdown)},
              {"unattributed_share", json_optional(diagnosis.breakdown.unattributed_share)}}},
            {"attribution", attribution_json(diagnosis.attribution)},
            {"decisions", decisions},
            {"outcome", outcome_json(diagnosis.outcome)},
            {"measurement", measurement_json(diagnosis.measurement)},
            {"experiments", experiments_json(diagnosis.experiments)}};
}

}  // namespace hone::diagnose
