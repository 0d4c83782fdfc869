// How good the predictions were: what `hone history --accuracy` prints.
//
// Only the first promise that was put to the test counts for an action on a model on a machine:
// later ones know the answer. A promise that was never tested proves nothing either way. Errors are
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
    std::string metric;
    measure::PredictedChange promise;
    double change_percent = 0;  // measured
    std::optional<measure::Interval> ci95;
    measure::Verdict verdict = measure::Verdict::not_enough_data;
};

struct Accuracy {
    std::string group;  // kind of action ("threads"), "" for all
    size_t n = 0;
    std::optional<double> median_error_points;
    std::optional<double> interval_score;  // mean, percentage points
    size_t with_interval = 0;
    size_t covered = 0;  // of with_interval
    size_t with_sign = 0;
    size_t sign_right = 0;  // of with_sign
};

Accuracy accuracy_of(const std::vector<TestedPromise>& promises);
// For all, then by kind of action, most numerous first.
std::vector<Accuracy> accuracy_by_kind(const std::vector<TestedPromise>& promises);

// "threads" of "threads:2".
std::string kind_of(const std::string& action);

}  // namespace hone::ledger
