#include "diagnose/prediction.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "diagnose/metrics.h"
#include "diagnose/scenario.h"
#include "measure/comparison.h"

namespace hone::diagnose {
namespace {

using cost::note;
using cost::Provenance;
using cost::Ratio;
using cost::Simulation;
using measure::RequestSample;
using measure::RunRecord;

// What experiments miss of real requests, as a share of the change: they time short prompts and a
// few steps, and an estimate from this run's own samples misses more than a measured factor.
constexpr double kTransferMeasured = 0.10;
constexpr double kTransferEstimated = 0.20;

// A report has some sixteen cards. So that in 95 of 100 reports none of them is sure for nothing,
// each interval of 95 % counts as one of 99.7 % (Bonferroni), which is so many times as wide.
constexpr double kFamilyWidth = 1.5;

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

struct Factors {
    Ratio prefill;
    Ratio decode;
};
using FactorsOf = std::function<Factors(const RequestSample&)>;

// The estimate, the low end and the high end.
enum class End : uint8_t { middle, low, high };

double at(const Ratio& ratio, End end) {
    return end == End::middle ? ratio.value : end == End::low ? ratio.low : ratio.high;
}

// The same requests with their prefill and decode stages stretched or shrunk.
RunRecord stretched(const RunRecord& record, const FactorsOf& factors_of, End end) {
    RunRecord out;
    out.context = record.context;
    out.requests = record.requests;
    for (RequestSample& request : out.requests) {
        const Factors factors = factors_of(request);
        const double prefill_change = stage_ns(request, "prefill") * (at(factors.prefill, end) - 1);
        const double decode_change = stage_ns(request, "decode") * (at(factors.decode, end) - 1);
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
    double after = 0;
    double after_low = 0;  // at the factors' ends, in any order
    double after_high = 0;
    bool is_interval = false;  // the ends are those of 95 % intervals
    size_t pairs = 0;
    Provenance tier = Provenance::none;
    // Half of the interval of the metric in the run itself, as a share of it: a run with the change
    // has only its own sample of it again.
    double own_noise_share = 0;
};

bool is_sure(const Prediction& prediction, const Change& change, double low, double high,
             double floor_percent) {
    if (change.pairs > 0) {
        low -= (kFamilyWidth - 1) * std::max(0.0, prediction.change_percent - low);
        high += (kFamilyWidth - 1) * std::max(0.0, high - prediction.change_percent);
    }
    if (low <= floor_percent && high >= -floor_percent) return false;
    if (change.is_interval || change.pairs == 0) return true;
    return change.pairs >= 2 && std::fabs(prediction.change_percent) > high - low;
}

Prediction prediction_of(const RunRecord& record, const Change& change) {
    Prediction out;
    out.metric = change.metric;
    out.tier = change.tier;
    out.pairs = change.pairs;
    const auto percent = [&](double value) { return 100 * (value / change.before - 1); };
    out.change_percent = percent(change.after);
    const double ends[] = {percent(change.after_low), percent(change.after_high),
                           out.change_percent};
    const auto [low, high] = std::minmax({ends[0], ends[1], ends[2]});
    if (change.is_interval) out.ci95 = measure::Interval{low, high};
    const double noise = 100 * cost::control_noise(record).value_or(0);
    const double transfer = change.pairs > 0 ? kTransferMeasured : kTransferEstimated;
    const double margin =
        std::max(noise, 100 * change.own_noise_share) + transfer * std::fabs(out.change_percent);
    // Nothing shrinks to less than nothing.
    out.interval = {std::max(-100.0, low - margin), high + margin};
    out.sure = is_sure(out, change, low, high, std::max(measure::kEffectFloorPercent, noise));
    const bool up = out.change_percent > 0;
    out.better = out.sure && out.change_percent != 0 && up == higher_is_better(change.metric);
    return out;
}

double batch_growth(const RunRecord& record, int batch) {
    return static_cast<double>(batch) / std::max(1, record.context.batch);
}

// Pure rates of the engine need no requests.
PredictionResult predict_rate(const RunRecord& record, const Simulation& simulation,
                              const std::string& metric) {
    const bool prefill = metric == "prefill_tokens_per_s";
    const auto& ratio = prefill ? simulation.prefill : simulation.decode;
    if (!ratio) return {{}, note("no_slice_data").with("experiment", metric)};
    const double growth = batch_growth(record, simulation.batch);
    Change change;
    change.metric = metric;
    change.before = 1;
    change.after = growth / ratio->value;
    change.after_low = growth / ratio->low;
    change.after_high = growth / ratio->high;
    change.is_interval = ratio->has_interval;
    change.pairs = ratio->n;
    change.tier = simulation.tier;
    return {prediction_of(record, change), {}};
}

double own_noise_share(const std::vector<double>& values, double percentile) {
    const auto middle = measure::percentile(values, percentile);
    const auto interval = measure::percentile_interval(values, percentile);
    if (!middle || !interval || !(*middle > 0) || !std::isfinite(interval->high)) return 0;
    return (interval->high - interval->low) / (2 * *middle);
}

// `change` has everything but its metric and values.
PredictionResult predict_requests(const RunRecord& record, Primary primary, Change change,
                                  const FactorsOf& factors_of, double growth) {
    const std::vector<double> before = request_values(record, primary.metric);
    // Too few samples for the percentile's interval: the median of the same quantity.
    if (before.size() < measure::interval_samples_min(primary.percentile)) primary.percentile = 0.5;
    const auto now = measure::percentile(before, primary.percentile);
    if (!now || !std::isfinite(*now) || *now <= 0) {
        return {{}, note("no_samples").with("metric", primary.metric)};
    }
    const bool rate = primary.metric == "output_tokens_per_s";
    const auto value_at = [&](End end) {
        const auto values = request_values(stretched(record, factors_of, end), primary.metric);
        const double value = measure::percentile(values, primary.percentile).value_or(*now);
        return rate ? value * growth : value;
    };
    change.metric = metric_at(primary.metric, primary.percentile);
    change.before = *now;
    change.after = value_at(End::middle);
    change.after_low = value_at(End::low);
    change.after_high = value_at(End::high);
    change.own_noise_share = own_noise_share(before, primary.percentile);
    return {prediction_of(record, change), {}};
}

// Over both slices as far as the metric needs them.
Change change_of(const Simulation& simulation, const Needs& needs) {
    Change change;
    change.tier = simulation.tier;
    change.is_interval = (!needs.prefill || simulation.prefill->has_interval) &&
                         (!needs.decode || simulation.decode->has_interval);
    const size_t prefill = needs.prefill ? simulation.prefill->n : 0;
    const size_t decode = needs.decode ? simulation.decode->n : 0;
    change.pairs =
        needs.prefill && needs.decode ? std::min(prefill, decode) : std::max(prefill, decode);
    return change;
}

// Prefill ns of a prompt of `tokens` tokens, straight between the lengths of the sweep.
std::optional<double> swept_prefill_ns(const cost::Sweep& sweep, double tokens) {
    double below = 0;
    double below_ns = 0;
    for (const cost::SweepPoint& point : sweep.points) {
        int length = 0;
        const char* end = point.setting.data() + point.setting.size();
        if (std::from_chars(point.setting.data(), end, length).ptr != end) return std::nullopt;
        const auto ns = measure::median(point.prefill_ns);
        if (!ns || length <= below) return std::nullopt;
        if (length >= tokens && below > 0) {
            return below_ns + (*ns - below_ns) * (tokens - below) / (length - below);
        }
        if (length == tokens) return ns;
        below = length;
        below_ns = *ns;
    }
    return std::nullopt;
}

}  // namespace

PredictionResult predict_simulated(const RunRecord& record, const Simulation& simulation) {
    const Primary primary = primary_of(record);
    if (primary.metric == "decode_tokens_per_s" || primary.metric == "prefill_tokens_per_s") {
        return predict_rate(record, simulation, primary.metric);
    }
    const Needs needs = needs_of(record, primary.metric);
    if (!needs.prefill && !needs.decode) return {{}, note("no_request_stages")};
    const bool missing =
        (needs.prefill && !simulation.prefill) || (needs.decode && !simulation.decode);
    if (missing && primary.metric == "output_tokens_per_s") {
        return predict_rate(record, simulation, "decode_tokens_per_s");
    }
    if (missing) return {{}, note("no_slice_data").with("experiment", primary.metric)};
    const Factors factors{simulation.prefill.value_or(Ratio{}),
                          simulation.decode.value_or(Ratio{})};
    return predict_requests(
        record, primary, change_of(simulation, needs),
        [&](const RequestSample&) { return factors; }, batch_growth(record, simulation.batch));
}

PredictionResult predict_primary(const RunRecord& record, const cost::WhatIf& what_if) {
    const cost::SimulationResult simulated = cost::simulate(record, what_if);
    if (!simulated.value) return {{}, simulated.reason};
    return predict_simulated(record, *simulated.value);
}

PredictionResult predict_prefill(const RunRecord& record, const PrefillFactor& factor) {
    const Primary primary = primary_of(record);
    if (!needs_of(record, primary.metric).prefill) {
        return {{}, note("metric_without_prefill").with("metric", primary.metric)};
    }
    Change change;
    change.tier = Provenance::interpolated;
    return predict_requests(
        record, primary, change,
        [&](const RequestSample& request) {
            return Factors{factor(request), Ratio{}};
        },
        1);
}

Ratio prefill_factor(const RunRecord& record, const RequestSample& request, double tokens_left) {
    const double now_ns = stage_ns(request, "prefill");
    const double steps = static_cast<double>(request.token_gap_ns.size());
    if (now_ns <= 0 || tokens_left == 1 || tokens_left < 0) return {};
    const double step_ns = steps > 0 ? stage_ns(request, "decode") / steps : 0;
    // Of the prefill, what even one token would cost.
    const double fixed = std::clamp(step_ns / now_ns, 0.0, 1.0);
    const double line = fixed + (1 - fixed) * tokens_left;
    const double proportional = std::max(tokens_left, tokens_left < 1 ? fixed : 0.0);
    Ratio out;
    out.low = std::min(line, proportional);
    out.high = std::max(line, proportional);
    out.value = (out.low + out.high) / 2;
    const double tokens = request.prompt_tokens - request.prompt_tokens_reused;
    const auto sweep = cost::find_sweep(record, "length_sweep");
    if (!sweep || tokens <= 0) return out;
    const auto before = swept_prefill_ns(*sweep, tokens);
    const auto after = swept_prefill_ns(*sweep, tokens * tokens_left);
    if (before && after && *before > 0) {
        out.value = *after / *before;
        out.low = std::min(out.low, out.value);
        out.high = std::max(out.high, out.value);
    }
    return out;
}

Prediction predict_time(const RunRecord& record, std::string metric, const Ratio& ratio,
                        Provenance tier) {
    Change change;
    change.metric = std::move(metric);
    change.before = 1;
    change.after = ratio.value;
    change.after_low = ratio.low;
    change.after_high = ratio.high;
    change.is_interval = ratio.has_interval;
    change.pairs = ratio.n;
    change.tier = tier;
    return prediction_of(record, change);
}

}  // namespace hone::diagnose
