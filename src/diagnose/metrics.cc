#include "diagnose/metrics.h"

#include <algorithm>
#include <cmath>

#include "measure/metrics.h"

namespace hone::diagnose {
namespace {

using measure::RequestSample;
using measure::RunRecord;

constexpr double kNsPerMs = 1e6;

// (last token - first token) / (tokens - 1); a single token has no pace.
std::optional<double> pace_ms(const RequestSample& request) {
    if (request.token_gap_ns.empty()) return std::nullopt;
    return measure::mean(request.token_gap_ns) / kNsPerMs;
}

std::optional<double> value_of(const RequestSample& request, std::string_view metric) {
    if (metric == "ttft_ms") return request.ttft_ns / kNsPerMs;
    if (metric == "latency_ms") return request.total_ns / kNsPerMs;
    if (metric == "itl_ms") return pace_ms(request);
    return std::nullopt;
}

// Requests of one round run side by side, so the round lasts as long as its slowest.
std::vector<double> round_rates(const RunRecord& record, std::string_view phase) {
    std::vector<double> out;
    const int batch = std::max(1, record.context.batch);
    double tokens = 0;
    double slowest = 0;
    int in_round = 0;
    for (const RequestSample& request : record.requests) {
        if (request.phase != phase) continue;
        tokens += request.output_tokens;
        slowest = std::max(slowest, request.total_ns);
        if (++in_round < batch) continue;
        if (slowest > 0 && std::isfinite(slowest)) out.push_back(tokens / (slowest * 1e-9));
        tokens = slowest = 0;
        in_round = 0;
    }
    return out;
}

}  // namespace

std::vector<double> request_values(const RunRecord& record, std::string_view metric,
                                   std::string_view phase) {
    if (metric == "output_tokens_per_s") return round_rates(record, phase);
    std::vector<double> out;
    for (const RequestSample& request : record.requests) {
        if (request.phase != phase) continue;
        if (const auto value = value_of(request, metric)) out.push_back(*value);
    }
    return out;
}

MetricSummary summarize(std::string name, std::string unit, std::vector<double> samples) {
    MetricSummary out;
    out.name = std::move(name);
    out.unit = std::move(unit);
    out.n = samples.size();
    out.median = measure::median(samples);
    out.ci95 = measure::percentile_interval(samples, 0.5);
    out.p95_ci95 = measure::percentile_interval(samples, 0.95);
    if (out.n >= measure::interval_samples_min(0.95)) out.p95 = measure::percentile(samples, 0.95);
    if (out.n >= measure::interval_samples_min(0.99)) out.p99 = measure::percentile(samples, 0.99);
    out.spread = measure::relative_spread(samples);
    out.samples = std::move(samples);
    return out;
}

std::vector<MetricSummary> summarize_metrics(const RunRecord& record) {
    std::vector<MetricSummary> out;
    for (const auto& [name, unit] :
         {std::pair{"latency_ms", "ms"}, std::pair{"ttft_ms", "ms"},
          std::pair{"itl_ms", "ms/token"}, std::pair{"output_tokens_per_s", "tokens/s"}}) {
        auto samples = request_values(record, name);
        if (!samples.empty()) out.push_back(summarize(name, unit, std::move(samples)));
    }
    auto cold = request_values(record, "ttft_ms", "cold");
    if (!cold.empty()) out.push_back(summarize("ttft_ms_cold", "ms", std::move(cold)));
    for (const measure::MetricSamples& metric : record.metrics) {
        if (find_metric(out, metric.name) != nullptr) continue;
        out.push_back(summarize(metric.name, metric.unit, metric.samples));
    }
    return out;
}

const MetricSummary* find_metric(const std::vector<MetricSummary>& metrics, std::string_view name) {
    for (const MetricSummary& metric : metrics) {
        if (metric.name == name) return &metric;
    }
    return nullptr;
}

bool higher_is_better(std::string_view metric) {
    // A percentile has the direction of its metric: "latency_ms_p95" is "latency_ms".
    const size_t suffix = metric.rfind("_p");
    if (suffix != std::string_view::npos && suffix + 2 < metric.size() &&
        metric[suffix + 2] >= '0' && metric[suffix + 2] <= '9') {
        metric = metric.substr(0, suffix);
    }
    if (const auto* known = measure::find_metric_definition(metric)) {
        return known->better == measure::Better::higher;
    }
    return metric.ends_with("_per_s") || metric.ends_with("_share");
}

}  // namespace hone::diagnose
