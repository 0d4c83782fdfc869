// What earlier promises and results teach about the next promise.
//
// In logarithms of ratios, since a change is a factor and an error of 5 % is as bad upward as
// downward: residual = ln(result) - ln(promise), of a promise as it was before any learning.
//
//   shift     n/(n + k) times the median residual of the n results of the same kind of action
//   widening  how far beyond the ends of the shifted interval 9 of 10 results of the kind lay
//             (conformalized quantile regression: Romano, Patterson, Candes 2019, eq. 8), shrunk
//             with n/(n + k) toward the same of all kinds, and that toward none
//
// So one result moves little, an interval never becomes narrower than it was, and a kind without
// results borrows from the others how far promises miss here, never the direction: which way one
// kind errs says nothing of another. Only results of the same machine count, and only those that
// were there when the promise was made. Not a model of the machine: that is cost/predict.h. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ledger/accuracy.h"

namespace hone::ledger {

// The k of both shrinkages, in results. Between 2 and 8 the larger erred less on the first 23
// results that were looked at; a bias has to be seen some times before it is believed.
inline constexpr double kLearningPrior = 8;
// Of the results, for the widening. At the 95 % that intervals are made for, a single miss would
// decide until there are 39 results.
inline constexpr double kLearningCoverage = 0.9;

struct Correction {
    double shift = 0;     // ln of a factor on times and bytes; on rates the other way round
    double widening = 0;  // >= 0, ln of the factor by which both ends move out
    size_t results = 0;   // behind it, of all kinds
};

// From `tested`: promises of one machine with their results.
Correction correction_for(const std::string& action, const std::vector<TestedPromise>& tested);

// Percentages of `metric`, as promises have them. "Less by 99 %" and more stays.
double corrected(double change_percent, std::string_view metric, const Correction& correction);
measure::Interval corrected(const measure::Interval& interval, std::string_view metric,
                            const Correction& correction);

// Each with the promise that was to be made of its raw one, given what was known then.
std::vector<TestedPromise> learned(std::vector<TestedPromise> tested);

}  // namespace hone::ledger
