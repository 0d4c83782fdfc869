#include <algorithm>
#include <cmath>

#include "diagnose/decision.h"
#include "diagnose/scenario.h"

namespace hone::diagnose {
namespace {

using cost::note;
using cost::Ratio;
using cost::Simulation;
using measure::RequestSample;
using measure::RunRecord;

struct Primary {
    std::string metric;
    double percentile = 0.5;
};

Primary primary_of(const RunRecord& record) {
    if (const auto scenario = find_scenario(record.context.scenario)) {
        return {(*scenario)->primary_metric, (*scenario)->primary_percentile};
    }
    if (!record.context.primary_metric.empty()) return {record.context.primary_metric, 0.5};
    return {"decode_tokens_per_s", 0.5};
}

double stage_ns(const RequestSample& request, const char* name) {
    const auto found = request.stage_ns.find(name);
    return found == request.stage_ns.end() ? 0 : found->second;
}

// The same requests with their prefill and decode stages stretched or shrunk.
RunRecord stretched(const RunRecord& record, double prefill, double decode) {
    RunRecord out;
    out.context = record.context;
    out.requests = record.requests;
    for (RequestSample& request : out.requests) {
        const double prefill_change = stage_ns(request, "prefill") * (prefill - 1);
        const double decode_change = stage_ns(request, "decode") * (decode - 1);
        request.ttft_ns += prefill_change;
        request.total_ns += prefill_change + decode_change;
        const double gaps = static_cast<double>(std::max<size_t>(1, request.token_gap_ns.size()));
        for (double& gap : request.token_gap_ns) gap = std::max(0.0, gap + decode_change / gaps);
    }
    return out;
}

struct Needs {
    bool prefill = false;
    bool decode = false;
};

Needs needs_of(const RunRecord& record, const std::string& metric) {
    double prefill = 0;
    double decode = 0;
    for (const RequestSample& request : record.requests) {
        prefill += stage_ns(request, "prefill");
        decode += stage_ns(request, "decode");
    }
    return {prefill > 0 && metric != "itl_ms", decode > 0 && metric != "ttft_ms"};
}

Prediction change(const std::string& metric, double before, const std::vector<double>& after,
                  const Simulation& simulation) {
    Prediction out;
    out.metric = metric;
    out.tier = simulation.tier;
    out.change_percent = 100 * (after[0] / before - 1);
    if (after.size() == 3) {
        const double a = 100 * (after[1] / before - 1);
        const double b = 100 * (after[2] / before - 1);
        out.ci95 = measure::Interval{std::min(a, b), std::max(a, b)};
    }
    const bool up = out.change_percent > 0;
    const bool crosses_zero = out.ci95 && out.ci95->low <= 0 && out.ci95->high >= 0;
    out.better = out.change_percent != 0 && up == higher_is_better(metric) && !crosses_zero;
    return out;
}

bool has_intervals(const Simulation& simulation, const Needs& needs) {
    return (!needs.prefill || simulation.prefill->has_interval) &&
           (!needs.decode || simulation.decode->has_interval);
}

// (value), or (value, at the low ends, at the high ends) when both factors have intervals.
std::vector<std::pair<double, double>> factor_pairs(const Simulation& simulation,
                                                    const Needs& needs) {
    const Ratio prefill = simulation.prefill.value_or(Ratio{});
    const Ratio decode = simulation.decode.value_or(Ratio{});
    std::vector<std::pair<double, double>> out = {{prefill.value, decode.value}};
    if (!has_intervals(simulation, needs)) return out;
    out.emplace_back(prefill.low, decode.low);
    out.emplace_back(prefill.high, decode.high);
    return out;
}

double batch_growth(const RunRecord& record, const Simulation& simulation) {
    return static_cast<double>(simulation.batch) / std::max(1, record.context.batch);
}

// Pure rates of the engine need no requests.
PredictionResult predict_rate(const RunRecord& record, const Simulation& simulation,
                              const std::string& metric) {
    const bool prefill = metric == "prefill_tokens_per_s";
    const auto& ratio = prefill ? simulation.prefill : simulation.decode;
    if (!ratio) return {{}, note("no_slice_data").with("experiment", metric)};
    const double growth = batch_growth(record, simulation);
    std::vector<double> after = {growth / ratio->value};
    if (ratio->has_interval) {
        after.push_back(growth / ratio->low);
        after.push_back(growth / ratio->high);
    }
    return {change(metric, 1.0, after, simulation), {}};
}

PredictionResult predict_requests(const RunRecord& record, const Simulation& simulation,
                                  Primary primary) {
    const Needs needs = needs_of(record, primary.metric);
    if (!needs.prefill && !needs.decode) return {{}, note("no_request_stages")};
    const bool missing =
        (needs.prefill && !simulation.prefill) || (needs.decode && !simulation.decode);
    if (missing && primary.metric == "output_tokens_per_s") {
        return predict_rate(record, simulation, "decode_tokens_per_s");
    }
    if (missing) return {{}, note("no_slice_data").with("experiment", primary.metric)};
    const std::vector<double> before = request_values(record, primary.metric);
    // Too few samples for the percentile's interval: the median of the same quantity.
    if (before.size() < measure::interval_samples_min(primary.percentile)) primary.percentile = 0.5;
    const auto now = measure::percentile(before, primary.percentile);
    if (!now || !std::isfinite(*now) || *now <= 0) {
        return {{}, note("no_samples").with("metric", primary.metric)};
    }
    std::vector<double> after;
    for (const auto& [prefill, decode] : factor_pairs(simulation, needs)) {
        const auto values = request_values(stretched(record, prefill, decode), primary.metric);
        double value = measure::percentile(values, primary.percentile).value_or(*now);
        if (primary.metric == "output_tokens_per_s") value *= batch_growth(record, simulation);
        after.push_back(value);
    }
    return {change(metric_at(primary.metric, primary.percentile), *now, after, simulation), {}};
}

}  // namespace

PredictionResult predict_primary(const RunRecord& record, const cost::WhatIf& what_if) {
    const cost::SimulationResult simulated = cost::simulate(record, what_if);
    if (!simulated.value) return {{}, simulated.reason};
    const Primary primary = primary_of(record);
    if (primary.metric == "decode_tokens_per_s" || primary.metric == "prefill_tokens_per_s") {
        return predict_rate(record, *simulated.value, primary.metric);
    }
    return predict_requests(record, *simulated.value, primary);
}

}  // namespace hone::diagnose
