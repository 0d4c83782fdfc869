#include "ledger/accuracy.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace hone::ledger {
namespace {

double interval_score(const measure::Interval& interval, double result) {
    constexpr double kAlpha = 1 - kPromiseLevel;
    const double below = std::max(0.0, interval.low - result);
    const double above = std::max(0.0, result - interval.high);
    return interval.high - interval.low + 2 / kAlpha * (below + above);
}

}  // namespace

std::string kind_of(const std::string& action) {
    return action.substr(0, action.find(':'));
}

Accuracy accuracy_of(const std::vector<TestedPromise>& promises) {
    Accuracy out;
    std::vector<double> errors;
    std::vector<double> scores;
    for (const TestedPromise& tested : promises) {
        errors.push_back(std::fabs(tested.promise.change_percent - tested.change_percent));
        if (const auto& interval = tested.promise.ci95) {
            scores.push_back(interval_score(*interval, tested.change_percent));
            const bool covered =
                tested.change_percent >= interval->low && tested.change_percent <= interval->high;
            out.covered += covered ? 1 : 0;
        }
        const bool sure = tested.verdict == measure::Verdict::improved ||
                          tested.verdict == measure::Verdict::regressed;
        if (!sure) continue;
        ++out.with_sign;
        out.sign_right += tested.promise.change_percent * tested.change_percent > 0 ? 1 : 0;
    }
    out.n = errors.size();
    out.with_interval = scores.size();
    out.median_error_points = measure::median(errors);
    if (!scores.empty()) out.interval_score = measure::mean(scores);
    return out;
}

std::vector<Accuracy> accuracy_by_kind(const std::vector<TestedPromise>& promises) {
    std::map<std::string, std::vector<TestedPromise>> kinds;
    for (const TestedPromise& tested : promises) kinds[kind_of(tested.action)].push_back(tested);
    std::vector<Accuracy> out;
    for (const auto& [kind, members] : kinds) {
        out.push_back(accuracy_of(members));
        out.back().group = kind;
    }
    std::stable_sort(out.begin(), out.end(),
                     [](const Accuracy& a, const Accuracy& b) { return a.n > b.n; });
    out.insert(out.begin(), accuracy_of(promises));
    return out;
}

}  // namespace hone::ledger
