// How good the predictions were: what `hone history --accuracy` prints.
//
// Only the first promise that was put to the test counts for an action on a model on a machine:
// later ones know the answer. A promise that was never tested proves nothing either way, nor does
// one of a quantity that the test did not measure (bytes, when times were compared). Errors are
// in percentage points of the changed metric. The interval score is that of Gneiting and Raftery
// (2007), eq. 43: width + 2/alpha times the distance by which a result lies outside; lower is
// better. Signs count where the measurement left no doubt about the sign. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "measure/comparison.h"
#include "measure/statistics.h"

namespace hone::ledger {

// The intervals of promises are made to hold this share of the results.
inline constexpr double kPromiseLevel = 0.95;

struct TestedPromise {
    int64_t run = 0;
    std::string action;
    std::string model;
    std::string machine;
    std::string machine_key;
    std::string metric;                // of the promise
    measure::PredictedChange promise;  // as it was made
    measure::PredictedChange raw;      // before learning (ledger/learning.h)
    size_t learned_from = 0;           // results
    double change_percent = 0;         // measured
    std::optional<measure::Interval> ci95;
    measure::Verdict verdict = measure::Verdict::not_enough_data;
    // Results are numbered as they come in; a promise could know those up to `made`.
    int64_t made = 0;
    int64_t settled = 0;
};

struct Accuracy {
    size_t n = 0;
    std::optional<double> median_error_points;
    std::optional<double> interval_score;  // mean, percentage points
    size_t with_interval = 0;
    size_t covered = 0;  // of with_interval
    size_t with_sign = 0;
    size_t sign_right = 0;  // of with_sign
};

// Of one kind of action: its promises without learning, and with what was known of earlier ones.
struct KindAccuracy {
    std::string kind;  // "threads", "" for all
    Accuracy before;
    Accuracy after;
};

Accuracy accuracy_of(const std::vector<TestedPromise>& promises,
                     measure::PredictedChange TestedPromise::*which);
// For all, then by kind of action, most numerous first. Of raw promises and of learned() ones,
// whether the loop learned when it made them or not.
std::vector<KindAccuracy> accuracy_by_kind(const std::vector<TestedPromise>& promises);

// "threads" of "threads:2".
std::string kind_of(const std::string& action);

}  // namespace hone::ledger
