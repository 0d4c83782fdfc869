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
#include "diagnose/attribution.h"
#include "diagnose/prediction.h"
#include "measure/record.h"

namespace hone::diagnose {

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

// Best first: gains by size, then what cannot be predicted, then losses.
std::vector<Decision> decide(const measure::RunRecord& record, const Breakdown& breakdown,
                             const std::vector<Attribution>& attributions,
                             const MeasurementGrade& grade);

// What the cards come to. "Nothing pays" is an answer: it says what was looked at.
struct Outcome {
    enum class Verdict : uint8_t { gains, nothing_pays, not_enough_data };
    Verdict verdict = Verdict::not_enough_data;
    // Cards that this version can apply and that keep the answers, by what their prediction of the
    // primary metric says.
    size_t gains = 0;
    size_t losses = 0;
    size_t too_close = 0;
    size_t not_predicted = 0;
    size_t gains_at_risk = 0;  // would pay, if the quality of the answers allows it
    // The measurement itself is not to be trusted (grade D): then no gain found means little.
    bool untrusted = false;
    // Kinds of change with at least one prediction: "threads", "without", "isa", ...
    std::vector<std::string> checked;
};
const char* verdict_name(Outcome::Verdict verdict);
// "Nothing pays" takes a measurement to be trusted and at least half of the cards predicted.
Outcome conclude(const std::vector<Decision>& decisions, const MeasurementGrade& grade);

}  // namespace hone::diagnose
