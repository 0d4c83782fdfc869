// The metrics layer: samples of a record summarized by the definitions of the metric catalogue.
//
// Request metrics (ttft_ms, itl_ms, latency_ms, output_tokens_per_s) are derived from the warm
// requests; everything else comes from the record's own samples. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "measure/record.h"
#include "measure/statistics.h"

namespace hone::diagnose {

struct MetricSummary {
    std::string name;
    std::string unit;
    size_t n = 0;
    std::optional<double> median;
    std::optional<measure::Interval> ci95;  // of the median, n >= 6
    std::optional<double> p95;              // n >= 72
    std::optional<measure::Interval> p95_ci95;
    std::optional<double> p99;  // n >= 368
    std::optional<double> spread;
    std::vector<double> samples;
};

// ttft_ms, itl_ms, latency_ms: one value per request. output_tokens_per_s: one per round of `batch`
// requests. Requests of another phase ("cold" | "warm") are left out.
std::vector<double> request_values(const measure::RunRecord& record, std::string_view metric,
                                   std::string_view phase = "warm");
MetricSummary summarize(std::string name, std::string unit, std::vector<double> samples);
std::vector<MetricSummary> summarize_metrics(const measure::RunRecord& record);
const MetricSummary* find_metric(const std::vector<MetricSummary>& metrics, std::string_view name);
// Rates and shares of a roof are better when higher; times and bytes when lower.
bool higher_is_better(std::string_view metric);

}  // namespace hone::diagnose
