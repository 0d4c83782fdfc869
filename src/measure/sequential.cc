#include "measure/sequential.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace hone::measure {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Steps of sqrt(information) / 15 and less: a fraction of any increment that is integrated over.
constexpr size_t kPoints = 97;
// Below this growth of information the grid is too coarse for the increment's density.
constexpr double kGrowthMin = 0.02;
constexpr double kCriticalMax = 10;
constexpr double kPi = 3.141592653589793;

double normal_density(double x) {
    return std::exp(-x * x / 2) / std::sqrt(2 * kPi);
}

double point(double reach, size_t i) {
    return -reach + 2 * reach * static_cast<double>(i) / static_cast<double>(kPoints - 1);
}

// Weights of the trapezoid rule, which is accurate far beyond its order for these densities.
double weight(double reach, size_t i) {
    const double step = 2 * reach / static_cast<double>(kPoints - 1);
    return i == 0 || i + 1 == kPoints ? step / 2 : step;
}

}  // namespace

double SpendingBoundary::crossing(double z, double information) const {
    const double score = z * std::sqrt(information);
    if (density_.empty()) return 2 * normal_cdf(-z);
    const double deviation = std::sqrt(information - information_);
    double sum = 0;
    // Symmetric: twice the upper side.
    for (size_t i = 0; i < kPoints; ++i) {
        const double s = point(reach_, i);
        sum += 2 * weight(reach_, i) * density_[i] * normal_cdf((s - score) / deviation);
    }
    return sum;
}

void SpendingBoundary::advance(double z, double information) {
    const double reach = z * std::sqrt(information);
    std::vector<double> density(kPoints, 0);
    const double deviation = std::sqrt(information - information_);
    for (size_t i = 0; i < kPoints; ++i) {
        const double to = point(reach, i);
        if (density_.empty()) {
            density[i] = normal_density(to / deviation) / deviation;
            continue;
        }
        for (size_t j = 0; j < kPoints; ++j) {
            const double x = (to - point(reach_, j)) / deviation;
            density[i] += weight(reach_, j) * density_[j] * normal_density(x) / deviation;
        }
    }
    density_ = std::move(density);
    reach_ = reach;
    information_ = information;
}

double SpendingBoundary::next(double information, double spent_share) {
    HONE_CHECK_GT(information, information_);
    const double share = std::clamp(spent_share, 0.0, 1.0);
    const double budget = std::max(0.0, alpha_ * share * share - spent_);
    if (!(budget > 1e-12)) return kInfinity;
    spent_ += budget;
    // For a tiny step the paths that crossed before are left out of nothing: this is on the safe
    // side, and the next look goes on from the last one that was integrated.
    const bool tiny = !density_.empty() && information < information_ * (1 + kGrowthMin);
    if (tiny) return -normal_quantile(budget / 2);
    double low = 0;
    double high = kCriticalMax;
    for (int i = 0; i < 40; ++i) {
        const double middle = (low + high) / 2;
        (crossing(middle, information) > budget ? low : high) = middle;
    }
    advance(high, information);
    return high;
}

size_t pairs_to_decide(size_t metrics) {
    const double wanted =
        normal_quantile(1 - kSequentialAlpha / (2 * static_cast<double>(metrics)));
    std::vector<double> differences;  // no two alike
    while (differences.size() < kPairsMin || signed_rank_z(differences) < wanted) {
        differences.push_back(static_cast<double>(differences.size() + 1));
    }
    return differences.size() + 2;
}

SequentialComparison::SequentialComparison(size_t metrics, double floor)
    : floor_(floor),
      pairs_to_decide_(pairs_to_decide(metrics)),
      log_ratios_(metrics),
      states_(metrics) {
    HONE_CHECK_GE(metrics, size_t{1});
    for (size_t k = 1; k <= metrics; ++k) {
        boundaries_.emplace_back(kSequentialAlpha / static_cast<double>(k));
    }
}

void SequentialComparison::add(const std::vector<double>& log_ratios) {
    HONE_CHECK_EQ(log_ratios.size(), log_ratios_.size());
    for (size_t i = 0; i < log_ratios.size(); ++i) log_ratios_[i].push_back(log_ratios[i]);
    ++pairs_;
}

// A difference below the floor is noise to the user; an interval that ends within it says so.
bool SequentialComparison::decided(const PairedState& state) const {
    if (state.differs && std::fabs(state.shift) >= floor_) return true;
    return state.interval && state.interval->low > -floor_ && state.interval->high < floor_;
}

void SequentialComparison::reject_by_holm(const std::vector<double>& critical) {
    for (bool again = true; again;) {
        again = false;
        const auto left = static_cast<size_t>(std::count_if(
            states_.begin(), states_.end(), [](const PairedState& s) { return !s.differs; }));
        for (size_t i = 0; i < states_.size(); ++i) {
            if (states_[i].differs) continue;
            if (std::fabs(signed_rank_z(log_ratios_[i])) < critical[left - 1]) continue;
            states_[i].differs = again = true;
            break;
        }
    }
}

bool SequentialComparison::look(double spent_share) {
    for (size_t i = 0; i < states_.size(); ++i) {
        if (pairs_ == 0) return false;
        states_[i].n = pairs_;
        states_[i].shift = paired_shift(log_ratios_[i], kInfinity).value;
    }
    // What cannot be decided yet should not be paid for.
    const size_t least = spent_share < 1 ? pairs_to_decide_ : kPairsMin;
    if (pairs_ < least || pairs_ == pairs_seen_) return false;
    pairs_seen_ = pairs_;
    std::vector<double> critical;
    for (SpendingBoundary& boundary : boundaries_) {
        critical.push_back(boundary.next(static_cast<double>(pairs_), spent_share));
    }
    reject_by_holm(critical);
    for (size_t i = 0; i < states_.size(); ++i) {
        states_[i].interval = paired_shift(log_ratios_[i], critical.front()).interval;
    }
    return std::all_of(states_.begin(), states_.end(),
                       [&](const PairedState& s) { return decided(s); });
}

}  // namespace hone::measure
