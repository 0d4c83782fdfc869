// Layer "decision": cards. Each is one change, what it would do to the scenario's primary metric,
// why, what it costs, what it risks, how to apply it and how to undo it.
//
// The change is simulated over the whole run (cost/predict.h) and given with an interval; without
// data the prediction is null and says why. Losses are cards too. Nothing is applied here. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cost/note.h"
#include "cost/predict.h"
#include "diagnose/attribution.h"
#include "diagnose/metrics.h"
#include "measure/record.h"

namespace hone::diagnose {

struct Prediction {
    std::string metric;         // "latency_ms_p95", "itl_ms", "kv_bytes", ...
    double change_percent = 0;  // of the metric's own value: -10 = a tenth less
    std::optional<measure::Interval> ci95;
    // The interval leaves no doubt about the sign; with too few pairs for an interval: the change
    // is larger than the spread of the pairs, and larger than what the control changed by nothing.
    bool sure = true;
    bool better = false;  // surely goes the good way for this metric
    size_t pairs = 0;     // interleaved pairs behind it, 0 = none needed
    cost::Provenance tier = cost::Provenance::none;
};

struct Complexity {
    std::string level;  // low | medium | high
    int minutes = 0;
};

struct Risk {
    std::string level;  // exact | epsilon | quality
    bool reversible = true;
};

struct Decision {
    std::string action;  // "threads:1", "without:qkv_merge", ...
    cost::Note title;    // for report
    std::optional<Prediction> predicted;
    cost::Note reason;  // why there is no prediction
    std::vector<cost::Note> evidence;
    Complexity complexity;
    Risk risk;
    // Arguments to add to the command; empty: leave out those of the other side.
    std::vector<std::string> apply;
    std::vector<std::string> undo;
    bool available = true;  // this version can do it
};

// What `what_if` would do to the primary metric of the record's context, re-simulated request by
// request; `reason` says why not.
struct PredictionResult {
    std::optional<Prediction> value;
    cost::Note reason;
};
PredictionResult predict_primary(const measure::RunRecord& record, const cost::WhatIf& what_if);

// Best first: gains by size, then what cannot be predicted, then losses.
std::vector<Decision> decide(const measure::RunRecord& record, const Breakdown& breakdown,
                             const std::vector<Attribution>& attributions,
                             const MeasurementGrade& grade);

}  // namespace hone::diagnose
