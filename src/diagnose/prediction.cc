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

struct Change {
    std::string metric;
    double before = 0;
    std::vector<double> after;  // (value), or (value, at the low ends, at the high ends)
    bool is_interval = false;   // the ends are those of 95 % intervals
    size_t pairs = 0;
};

bool is_sure(const Prediction& prediction, const Change& change, double low, double high,
             double noise_percent) {
    if (change.pairs == 0) return true;
    if (low <= 0 && high >= 0) return false;
    if (change.is_interval) return true;
    const double size = std::fabs(prediction.change_percent);
    return change.pairs >= 2 && size > high - low && size > noise_percent;
}

Prediction prediction_of(const RunRecord& record, const Change& change,
                         const Simulation& simulation) {
    Prediction out;
    out.metric = change.metric;
    out.tier = simulation.tier;
    out.pairs = change.pairs;
    const auto percent = [&](double value) { return 100 * (value / change.before - 1); };
    out.change_percent = percent(change.after[0]);
    double low = out.change_percent;
    double high = low;
    if (change.after.size() == 3) {
        low = std::min(percent(change.after[1]), percent(change.after[2]));
        high = std::max(percent(change.after[1]), percent(change.after[2]));
        if (change.is_interval) out.ci95 = measure::Interval{low, high};
    }
    out.sure = is_sure(out, change, low, high, 100 * cost::control_noise(record).value_or(0));
    const bool up = out.change_percent > 0;
    out.better = out.sure && out.change_percent != 0 && up == higher_is_better(change.metric);
    return out;
}

bool has_intervals(const Simulation& simulation, const Needs& needs) {
    return (!needs.prefill || simulation.prefill->has_interval) &&
           (!needs.decode || simulation.decode->has_interval);
}

size_t pairs_of(const Simulation& simulation, const Needs& needs) {
    const size_t prefill = needs.prefill ? simulation.prefill->n : 0;
    const size_t decode = needs.decode ? simulation.decode->n : 0;
    return needs.prefill && needs.decode ? std::min(prefill, decode) : std::max(prefill, decode);
}

// The factors, then both at their low ends, then both at their high ends.
std::vector<std::pair<double, double>> factor_pairs(const Simulation& simulation,
                                                    const Needs& needs) {
    const Ratio prefill = simulation.prefill.value_or(Ratio{});
    const Ratio decode = simulation.decode.value_or(Ratio{});
    std::vector<std::pair<double, double>> out = {{prefill.value, decode.value}};
    if (pairs_of(simulation, needs) == 0) return out;
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
    Change change{metric, 1.0, {growth / ratio->value}, ratio->has_interval, ratio->n};
    if (ratio->n > 0) {
        change.after.push_back(growth / ratio->low);
        change.after.push_back(growth / ratio->high);
    }
    return {prediction_of(record, change, simulation), {}};
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
    Change change{metric_at(primary.metric, primary.percentile),
                  *now,
                  {},
                  has_intervals(simulation, needs),
                  pairs_of(simulation, needs)};
    for (const auto& [prefill, decode] : factor_pairs(simulation, needs)) {
        const auto values = request_values(stretched(record, prefill, decode), primary.metric);
        double value = measure::percentile(values, primary.percentile).value_or(*now);
        if (primary.metric == "output_tokens_per_s") value *= batch_growth(record, simulation);
        change.after.push_back(value);
    }
    return {prediction_of(record, change, simulation), {}};
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
