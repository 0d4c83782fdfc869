#include "report/comparison_report.h"

#include <cmath>

#include "base/json.h"
#include "diagnose/scenario.h"
#include "machine/json_fields.h"
#include "measure/record_json.h"
#include "report/bench_report.h"
#include "report/explain_sections.h"
#include "report/page.h"

namespace hone::report {
namespace {

using base::Json;
using diagnose::note;
using machine::json_number;
using machine::json_optional;
using measure::Comparison;
using measure::interval_json;
using measure::MetricComparison;
using measure::Verdict;

constexpr int kComparisonSchema = 1;

// Which rates make which price: METRICS.md, cost per 1K tokens.
struct Cost {
    const char* name;
    const char* rate;
};
constexpr Cost kCosts[] = {{"cost_per_1k_prompt_tokens", "prefill_tokens_per_s"},
                           {"cost_per_1k_output_tokens", "decode_tokens_per_s"}};

std::optional<double> change_percent(const std::optional<double>& a,
                                     const std::optional<double>& b) {
    if (!a || !b || !(*a > 0)) return std::nullopt;
    return 100 * (*b / *a - 1);
}

Json metric_json(const MetricComparison& metric) {
    Json predicted = nullptr;
    if (metric.predicted) {
        predicted = {{"change_percent", json_number(metric.predicted->change_percent)},
                     {"ci95", interval_json(metric.predicted->ci95)},
                     {"basis", metric.predicted->basis},
                     {"simulated_percent", json_optional(metric.predicted->simulated_percent)},
                     {"simulated_ci95", interval_json(metric.predicted->simulated_ci95)}};
    }
    return {{"name", metric.name},
            {"unit", metric.unit},
            {"a", json_optional(metric.a)},
            {"b", json_optional(metric.b)},
            {"change_percent", json_optional(metric.change_percent)},
            {"ci95", interval_json(metric.ci95)},
            {"better", metric.verdict == Verdict::improved},
            {"good", metric.better == measure::Better::higher ? "higher" : "lower"},
            {"verdict", verdict_name(metric.verdict)},
            {"n", metric.n},
            {"p", json_optional(metric.p)},
            {"predicted", std::move(predicted)}};
}

Json quality_json(const Comparison& comparison) {
    if (!comparison.quality) return nullptr;
    const measure::QualityComparison& quality = *comparison.quality;
    const auto same = measure::wilson_interval(quality.same_top, quality.n);
    const double n = static_cast<double>(quality.n);
    return {{"kl_mean", json_number(quality.kl_mean)},
            {"kl_max", json_number(quality.kl_max)},
            {"kl_direction", "KL(A, B), nats per position"},
            {"top1_agreement",
             quality.n > 0 ? Json(static_cast<double>(quality.same_top) / n) : Json(nullptr)},
            {"top1_ci95", Json::array({same.low, same.high})},
            {"nll_a", json_number(quality.nll_a)},
            {"nll_b", json_number(quality.nll_b)},
            {"nll_change_ci95", interval_json(quality.nll_change_ci95)},
            {"verdict", verdict_name(quality.verdict)},
            {"n", quality.n},
            {"text", quality.text}};
}

Json cost_json(const Comparison& comparison) {
    if (!comparison.price_a && !comparison.price_b) return nullptr;
    Json out = {{"currency", "EUR"},
                {"price_per_hour_a", json_optional(comparison.price_a)},
                {"price_per_hour_b", json_optional(comparison.price_b)}};
    for (const Cost& cost : kCosts) {
        const MetricComparison* rate = comparison.metric(cost.rate);
        if (rate == nullptr) continue;
        const auto a = cost_per_1k(comparison.price_a, rate->a);
        const auto b = cost_per_1k(comparison.price_b, rate->b);
        out[cost.name] = {{"a", json_optional(a)},
                          {"b", json_optional(b)},
                          {"change_percent", json_optional(change_percent(a, b))}};
    }
    return out;
}

std::string percent_text(double percent) {
    if (std::isinf(percent)) return percent > 0 ? "+inf" : "-inf";
    // Minus zero would print its sign.
    return fmt::format("{:+.1f} %", std::fabs(percent) < 0.05 ? 0.0 : percent);
}

std::string optional_value(const std::string& unit, const std::optional<double>& value) {
    return value ? metric_value(unit, *value) : "-";
}

std::string interval_text(const std::optional<measure::Interval>& interval) {
    if (!interval) return "-";
    return fmt::format("[{:+.1f}, {:+.1f}]", interval->low, interval->high);
}

Ink ink_of(Verdict verdict) {
    if (verdict == Verdict::improved) return Ink::good;
    if (verdict == Verdict::regressed) return Ink::bad;
    return Ink::dim;
}

std::string text_of(const Json& signature, const char* key) {
    const auto found = signature.find(key);
    if (found == signature.end() || found->is_null()) return "";
    return found->is_string() ? found->get<std::string>() : base::dump_json(*found, -1);
}

void add_side(Page& page, const char* id, const Json& signature) {
    std::string flags = text_of(signature, "flags");
    if (flags.empty()) flags = text_of(signature, "command");
    page.note(note(id)
                  .with("model", text_of(signature, "model"))
                  .with("flags", flags.empty() ? say(page.style(), "ab_no_flags") : flags)
                  .with("threads", text_of(signature, "threads"))
                  .with("isa", text_of(signature, "isa")),
              0);
}

void add_metrics(Page& page, const Comparison& comparison) {
    const Style& style = page.style();
    Table table({{say(style, "head_metric"), false, true},
                 {"A", true, false},
                 {"B", true, false},
                 {say(style, "head_change"), true, false},
                 {say(style, "head_interval"), true, false},
                 {say(style, "head_n"), true, false},
                 {say(style, "head_verdict"), false, true}});
    for (const MetricComparison& metric : comparison.metrics) {
        const std::string change =
            metric.change_percent ? percent_text(*metric.change_percent) : "-";
        const std::string id = std::string("compare_") + verdict_name(metric.verdict);
        table.add({metric.name, optional_value(metric.unit, metric.a),
                   optional_value(metric.unit, metric.b), change, interval_text(metric.ci95),
                   fmt::format("{}", metric.n),
                   paint(style, ink_of(metric.verdict), say(style, id))});
    }
    if (table.empty()) {
        page.line("  " + say(style, "compare_nothing"));
    } else {
        page.table(table);
    }
    for (const MetricComparison& metric : comparison.metrics) {
        if (!metric.predicted) continue;
        page.note(note("compare_predicted")
                      .with("metric", metric.name)
                      .with("change_percent", metric.predicted->change_percent)
                      .with("interval", interval_text(metric.predicted->ci95))
                      .with("basis", metric.predicted->basis));
    }
}

void add_quality(Page& page, const Comparison& comparison) {
    if (!comparison.quality_missing.empty()) {
        page.note(note(comparison.quality_missing));
        return;
    }
    if (!comparison.quality) return;
    const measure::QualityComparison& quality = *comparison.quality;
    if (quality.kl_max == 0 && quality.same_top == quality.n) {
        page.note(note("ab_quality_same").with("n", quality.n).with("text", quality.text));
        return;
    }
    page.note(note("ab_quality")
                  .with("kl", quality.kl_mean)
                  .with("top1_share", static_cast<double>(quality.same_top) /
                                          static_cast<double>(std::max<size_t>(quality.n, 1)))
                  .with("perplexity_a", std::exp(quality.nll_a))
                  .with("perplexity_b", std::exp(quality.nll_b))
                  .with("verdict",
                        say(page.style(), std::string("compare_") + verdict_name(quality.verdict)))
                  .with("n", quality.n)
                  .with("text", quality.text));
}

void add_cost(Page& page, const Comparison& comparison) {
    for (const Cost& cost : kCosts) {
        const MetricComparison* rate = comparison.metric(cost.rate);
        if (rate == nullptr) continue;
        const auto a = cost_per_1k(comparison.price_a, rate->a);
        const auto b = cost_per_1k(comparison.price_b, rate->b);
        const auto change = change_percent(a, b);
        if (!change) continue;
        page.note(note("compare_cost")
                      .with("name", cost.name)
                      .with("a", *a)
                      .with("b", *b)
                      .with("change_percent", *change));
    }
}

void add_warnings(Page& page, const Comparison& comparison) {
    for (const std::string& key : comparison.warnings) {
        page.note(note("compare_differs")
                      .with("key", key)
                      .with("a", text_of(comparison.signature_a, key.c_str()))
                      .with("b", text_of(comparison.signature_b, key.c_str())));
    }
}

}  // namespace

std::string render_comparison(const Comparison& comparison, const Style& style) {
    Page page(style);
    add_side(page, "side_a", comparison.signature_a);
    add_side(page, "side_b", comparison.signature_b);
    page.blank();
    add_metrics(page, comparison);
    add_quality(page, comparison);
    add_cost(page, comparison);
    add_warnings(page, comparison);
    const std::string method = "method_" + comparison.method;
    page.note(note(method).with("floor", comparison.floor_percent));
    const std::string ended = "ab_ended_" + comparison.ended;
    if (!comparison.ended.empty()) page.note(note(ended).with("wall_s", comparison.wall_s));
    return page.take();
}

Json comparison_json(const Comparison& comparison) {
    Json metrics = Json::array();
    for (const MetricComparison& metric : comparison.metrics) {
        metrics.push_back(metric_json(metric));
    }
    return {{"schema", kComparisonSchema},
            {"method", comparison.method},
            {"ended", comparison.ended.empty() ? Json(nullptr) : Json(comparison.ended)},
            {"wall_s", comparison.wall_s > 0 ? Json(comparison.wall_s) : Json(nullptr)},
            {"floor_percent", comparison.floor_percent},
            {"metrics", std::move(metrics)},
            {"quality", quality_json(comparison)},
            {"cost", cost_json(comparison)},
            {"signature", {{"a", comparison.signature_a}, {"b", comparison.signature_b}}},
            {"warnings", comparison.warnings}};
}

std::string regressions_text(const Comparison& comparison) {
    std::string out;
    for (const MetricComparison& metric : comparison.metrics) {
        if (metric.verdict != Verdict::regressed) continue;
        out += out.empty() ? "" : ", ";
        out += metric.name + " " + percent_text(metric.change_percent.value_or(0));
    }
    return out;
}

}  // namespace hone::report
