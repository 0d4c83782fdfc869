// What a change would do to the scenario's primary metric, re-simulated request by request.
//
// Factors come from cost::simulate or from whoever measured them; a factor is never invented: no
// data gives a reason instead. Not a proof: applying the change and measuring is the only one.
// Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "cost/note.h"
#include "cost/predict.h"
#include "measure/record.h"
#include "measure/statistics.h"

namespace hone::diagnose {

struct Prediction {
    std::string metric;         // "latency_ms_p95", "itl_ms", "kv_bytes", ...
    double change_percent = 0;  // of the metric's own value: -10 = a tenth less
    // Of the factors' median: what the pairs say about themselves. Absent below 6 pairs.
    std::optional<measure::Interval> ci95;
    // Where a run with the change is expected to be found: the factors' ends, widened by what the
    // control says that nothing changes and by what experiments miss of real requests.
    measure::Interval interval;
    // The interval of the factors, at a level that holds for all cards of a report together, leaves
    // no doubt about the sign, and lies beyond what the control changed by nothing and beyond
    // measure::kEffectFloorPercent; below 6 pairs it must also be narrower than the change.
    bool sure = true;
    bool better = false;  // surely goes the good way for this metric
    size_t pairs = 0;     // interleaved pairs behind it, 0 = none needed
    cost::Provenance tier = cost::Provenance::none;
};

struct PredictionResult {
    std::optional<Prediction> value;
    cost::Note reason;  // why there is none
};

// What `what_if` would do to the primary metric of the record's context.
PredictionResult predict_primary(const measure::RunRecord& record, const cost::WhatIf& what_if);

// The same for factors that are already there.
PredictionResult predict_simulated(const measure::RunRecord& record,
                                   const cost::Simulation& simulation);

// Every request's prefill takes its own factor, estimated from this run: n = 0 in the factors.
using PrefillFactor = std::function<cost::Ratio(const measure::RequestSample&)>;
PredictionResult predict_prefill(const measure::RunRecord& record, const PrefillFactor& factor);

// The factor of a prefill whose computed tokens become `tokens_left` times as many: between "every
// token costs the same" and "a step costs at least what a decode step does, and the rest is per
// token"; a length sweep of the record narrows it.
cost::Ratio prefill_factor(const measure::RunRecord& record, const measure::RequestSample& request,
                           double tokens_left);

// Of a time that is not part of requests (loading): factors as measured.
Prediction predict_time(const measure::RunRecord& record, std::string metric,
                        const cost::Ratio& ratio, cost::Provenance tier);

}  // namespace hone::diagnose
