#include "measure/comparison.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/json.h"
#include "measure/rank_tests.h"

namespace hone::measure {
namespace {

constexpr double kAlpha = 0.05;

// Planned, not measured: one sample is all there is to know.
bool counted(std::string_view name) {
    return name == "weights_bytes" || name == "workspace_bytes" || name == "kv_bytes" ||
           name == "kv_bytes_per_token";
}

bool all_positive(const std::vector<double>& samples) {
    return std::all_of(samples.begin(), samples.end(), [](double value) { return value > 0; });
}

std::vector<double> logs(const std::vector<double>& samples) {
    std::vector<double> out;
    for (const double sample : samples) out.push_back(std::log(sample));
    return out;
}

bool usable(const MetricSamples& metric) {
    return !metric.samples.empty() && std::none_of(metric.samples.begin(), metric.samples.end(),
                                                   [](double value) { return std::isnan(value); });
}

// The change in percent with its interval. Ratios are what a rate or a time changes by; where a
// value is 0 or below, differences in percent of A's median stand in.
void fill_change(MetricComparison& out, const std::vector<double>& a,
                 const std::vector<double>& b) {
    if (all_positive(a) && all_positive(b)) {
        const Shift shift = hodges_lehmann(logs(a), logs(b), kAlpha);
        out.change_percent = percent_of(shift.value);
        out.ci95 = percent_of(shift.interval);
        return;
    }
    const double unit = std::fabs(*out.a) / 100;
    if (!(unit > 0) || !std::isfinite(unit)) return;
    const Shift shift = hodges_lehmann(a, b, kAlpha);
    out.change_percent = shift.value / unit;
    if (shift.interval)
        out.ci95 = Interval{shift.interval->low / unit, shift.interval->high / unit};
}

Verdict verdict_of_percent(double percent, bool differs, Better better, double floor_percent) {
    if (!differs || !(std::fabs(percent) >= floor_percent)) return Verdict::within_noise;
    return (percent > 0) == (better == Better::higher) ? Verdict::improved : Verdict::regressed;
}

base::Json signature_of(const RunRecord& record) {
    const RunContext& context = record.context;
    return {{"model", record.model.file},
            {"model_name", record.model.name},
            {"model_bytes", record.model.file_bytes},
            {"parameters", record.model.parameters},
            {"machine", record.machine.fingerprint},
            {"cpu_model", record.machine.facts.cpu_model},
            {"build", record.build},
            {"isa", record.isa},
            {"threads", context.threads},
            {"scenario", context.scenario},
            {"prompt_tokens", context.prompt_tokens},
            {"output_tokens", context.output_tokens},
            {"batch", context.batch},
            {"warm", context.warm},
            {"command", context.command}};
}

// The command differs whenever anything does, and the seed of prompts is no difference.
std::vector<std::string> differing_keys(const base::Json& a, const base::Json& b) {
    std::vector<std::string> keys;
    for (const auto& [key, value] : a.items()) {
        if (key != "command" && b.contains(key) && b[key] != value) keys.push_back(key);
    }
    return keys;
}

}  // namespace

const char* verdict_name(Verdict verdict) {
    switch (verdict) {
        case Verdict::improved:
            return "improved";
        case Verdict::regressed:
            return "regressed";
        case Verdict::within_noise:
            return "within_noise";
        case Verdict::not_enough_data:
            return "not_enough_data";
    }
    return "not_enough_data";
}

const MetricComparison* Comparison::metric(std::string_view name) const {
    for (const MetricComparison& entry : metrics) {
        if (entry.name == name) return &entry;
    }
    return nullptr;
}

bool Comparison::regressed() const {
    return std::any_of(metrics.begin(), metrics.end(), [](const MetricComparison& metric) {
        return metric.verdict == Verdict::regressed;
    });
}

double percent_of(double log_shift) {
    return 100 * std::expm1(log_shift);
}

std::optional<Interval> percent_of(const std::optional<Interval>& log_interval) {
    if (!log_interval) return std::nullopt;
    return Interval{percent_of(log_interval->low), percent_of(log_interval->high)};
}

Verdict verdict_of(double log_shift, bool differs, Better better, double floor_percent) {
    return verdict_of_percent(percent_of(log_shift), differs, better, floor_percent);
}

Comparison compare_records(const RunRecord& a, const RunRecord& b, double floor_percent) {
    HONE_CHECK(floor_percent >= 0);
    Comparison comparison;
    comparison.method = "mann_whitney";
    comparison.floor_percent = floor_percent;
    comparison.signature_a = signature_of(a);
    comparison.signature_b = signature_of(b);
    comparison.warnings = differing_keys(comparison.signature_a, comparison.signature_b);
    comparison.price_a = a.context.price_per_hour;
    comparison.price_b = b.context.price_per_hour;
    std::vector<size_t> tested;
    std::vector<double> p;
    for (const MetricSamples& from : a.metrics) {
        const MetricSamples* to = b.metric(from.name);
        const bool comparable = to != nullptr && to->unit == from.unit && from.unit != "share";
        if (!comparable || !usable(from) || !usable(*to)) continue;
        MetricComparison& out = comparison.metrics.emplace_back();
        out.name = from.name;
        out.unit = from.unit;
        if (const auto* known = find_metric_definition(from.name)) out.better = known->better;
        out.a = median(from.samples);
        out.b = median(to->samples);
        out.n = std::min(from.samples.size(), to->samples.size());
        fill_change(out, from.samples, to->samples);
        if (counted(from.name) && out.change_percent) {
            out.ci95.reset();
            out.verdict = verdict_of_percent(*out.change_percent, *out.a != *out.b, out.better,
                                             floor_percent);
        } else if (out.n >= kSamplesMin) {
            tested.push_back(comparison.metrics.size() - 1);
            p.push_back(mann_whitney(from.samples, to->samples).p);
        }
    }
    const std::vector<double> adjusted = holm(p);
    for (size_t i = 0; i < tested.size(); ++i) {
        MetricComparison& metric = comparison.metrics[tested[i]];
        metric.p = adjusted[i];
        metric.verdict = verdict_of_percent(metric.change_percent.value_or(0),
                                            adjusted[i] <= kAlpha, metric.better, floor_percent);
    }
    return comparison;
}

}  // namespace hone::measure
