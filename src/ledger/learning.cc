#include "ledger/learning.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "diagnose/metrics.h"

namespace hone::ledger {
namespace {

using measure::Interval;

// "Less by 99 %" and a million times: beyond them a logarithm says nothing of use.
constexpr double kRatioLeast = 0.01;
constexpr double kRatioMost = 1e6;

double log_ratio(double change_percent) {
    return std::log(std::clamp(1 + change_percent / 100, kRatioLeast, kRatioMost));
}

// By a step in logarithms; what has no logarithm of use stays.
double moved(double change_percent, double step) {
    const double ratio = 1 + change_percent / 100;
    if (step == 0 || ratio <= kRatioLeast || ratio >= kRatioMost) return change_percent;
    return 100 * std::expm1(std::log(ratio) + step);
}

// Shifts are of times; a rate is one over a time.
double direction(std::string_view metric) {
    return diagnose::higher_is_better(metric) ? -1 : 1;
}

double share(size_t n) {
    return static_cast<double>(n) / (static_cast<double>(n) + kLearningPrior);
}

double residual(const TestedPromise& tested) {
    return direction(tested.metric) *
           (log_ratio(tested.change_percent) - log_ratio(tested.raw.change_percent));
}

// How far results lay outside of their shifted intervals, at the share that is to be covered.
double miss(const std::vector<TestedPromise>& tested, double shift) {
    std::vector<double> distances;
    for (const TestedPromise& promise : tested) {
        if (!promise.raw.ci95) continue;
        const double result = log_ratio(promise.change_percent) - direction(promise.metric) * shift;
        distances.push_back(std::max(log_ratio(promise.raw.ci95->low) - result,
                                     result - log_ratio(promise.raw.ci95->high)));
    }
    if (distances.empty()) return 0;
    std::sort(distances.begin(), distances.end());
    const auto rank = static_cast<size_t>(
        std::ceil(kLearningCoverage * static_cast<double>(distances.size() + 1)));
    return std::max(0.0, distances[std::min(rank, distances.size()) - 1]);
}

}  // namespace

Correction correction_for(const std::string& action, const std::vector<TestedPromise>& tested) {
    std::vector<TestedPromise> same_kind;
    std::copy_if(tested.begin(), tested.end(), std::back_inserter(same_kind),
                 [&](const TestedPromise& t) { return kind_of(t.action) == kind_of(action); });
    std::vector<double> residuals;
    for (const TestedPromise& promise : same_kind) residuals.push_back(residual(promise));
    Correction out;
    out.results = tested.size();
    const double own = share(same_kind.size());
    out.shift = own * measure::median(residuals).value_or(0);
    out.widening =
        own * miss(same_kind, out.shift) + (1 - own) * share(tested.size()) * miss(tested, 0);
    return out;
}

double corrected(double change_percent, std::string_view metric, const Correction& correction) {
    return moved(change_percent, direction(metric) * correction.shift);
}

Interval corrected(const Interval& interval, std::string_view metric,
                   const Correction& correction) {
    const double shift = direction(metric) * correction.shift;
    return {moved(interval.low, shift - correction.widening),
            moved(interval.high, shift + correction.widening)};
}

std::vector<TestedPromise> learned(std::vector<TestedPromise> tested) {
    const std::vector<TestedPromise> all = tested;
    for (TestedPromise& promise : tested) {
        std::vector<TestedPromise> known;
        std::copy_if(all.begin(), all.end(), std::back_inserter(known),
                     [&](const TestedPromise& earlier) {
                         return earlier.machine_key == promise.machine_key &&
                                earlier.settled <= promise.made;
                     });
        const Correction correction = correction_for(promise.action, known);
        promise.promise = promise.raw;
        promise.promise.change_percent =
            corrected(promise.raw.change_percent, promise.metric, correction);
        if (promise.raw.ci95) {
            promise.promise.ci95 = corrected(*promise.raw.ci95, promise.metric, correction);
        }
        promise.learned_from = correction.results;
    }
    return tested;
}

}  // namespace hone::ledger
