#include "ledger/accuracy.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "ledger/learning.h"

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

Accuracy accuracy_of(const std::vector<TestedPromise>& promises,
                     measure::PredictedChange TestedPromise::*which) {
    Accuracy out;
    std::vector<double> errors;
    std::vector<double> scores;
    for (const TestedPromise& tested : promises) {
        const measure::PredictedChange& promise = tested.*which;
        errors.push_back(std::fabs(promise.change_percent - tested.change_percent));
        if (const auto& interval = promise.ci95) {
            scores.push_back(interval_score(*interval, tested.change_percent));
            const bool covered =
                tested.change_percent >= interval->low && tested.change_percent <= interval->high;
            out.covered += covered ? 1 : 0;
        }
        const bool sure = tested.verdict == measure::Verdict::improved ||
                          tested.verdict == measure::Verdict::regressed;
        if (!sure) continue;
        ++out.with_sign;
        out.sign_right += promise.change_percent * tested.change_percent > 0 ? 1 : 0;
    }
    out.n = errors.size();
    out.with_interval = scores.size();
    out.median_error_points = measure::median(errors);
    if (!scores.empty()) out.interval_score = measure::mean(scores);
    return out;
}

std::vector<KindAccuracy> accuracy_by_kind(const std::vector<TestedPromise>& promises) {
    const auto both = [](std::string kind, const std::vector<TestedPromise>& members) {
        return KindAccuracy{std::move(kind), accuracy_of(members, &TestedPromise::raw),
                            accuracy_of(members, &TestedPromise::promise)};
    };
    const std::vector<TestedPromise> all = learned(promises);
    std::map<std::string, std::vector<TestedPromise>> kinds;
    for (const TestedPromise& tested : all) kinds[kind_of(tested.action)].push_back(tested);
    std::vector<KindAccuracy> out;
    for (const auto& [kind, members] : kinds) out.push_back(both(kind, members));
    std::stable_sort(out.begin(), out.end(), [](const KindAccuracy& a, const KindAccuracy& b) {
        return a.before.n > b.before.n;
    });
    out.insert(out.begin(), both("", all));
    return out;
}

}  // namespace hone::ledger
