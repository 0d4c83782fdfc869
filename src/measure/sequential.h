// Comparing two sides pair by pair, looking while sampling, and stopping as soon as the answer is
// known, without fooling oneself.
//
// Method "group-sequential signed ranks": each pair gives ln(b / a) of every metric; its two
// measurements come in an order drawn by a coin for each pair. Were the sides the same, the sign of
// every difference would be such a coin, whatever drift, outliers or dependence between neighbours
// the machine adds. The signed-rank statistic is looked at a few times; the chance of a false
// verdict is spent over the looks as alpha (spent budget)^2 (Lan and DeMets 1983; Kim and DeMets
// 1987), with critical values by the recursion of Armitage, McPherson and Rowe 1969. Several
// metrics share alpha by Holm, each held to its own boundary (Maurer and Bretz 2013). Intervals are
// repeated confidence intervals: shifts that the boundary of the look does not reject (Jennison and
// Turnbull 1989). Looks must not be timed by what the differences show; how much of the budget is
// spent is the only clock. Not a test of stored runs: see measure/comparison.h. One owner at a
// time.
#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <vector>

#include "measure/rank_tests.h"

namespace hone::measure {

// Two-sided critical values for the looks of one test at level `alpha`.
class SpendingBoundary {
  public:
    explicit SpendingBoundary(double alpha) : alpha_(alpha) {}

    // The value that |z| must reach at a look with `information` (pairs so far, more than at the
    // look before) when `spent_share` of the budget is gone; infinite when nothing may be spent.
    double next(double information, double spent_share);

  private:
    // Chance that a path which crossed at no look before lies beyond +-z at the new one.
    double crossing(double z, double information) const;
    void advance(double z, double information);

    double alpha_;
    double spent_ = 0;        // of alpha
    double information_ = 0;  // at the last look
    // Density of the score z sqrt(information) of the paths that crossed nothing yet, at evenly
    // spaced points from -reach_ to reach_.
    double reach_ = 0;
    std::vector<double> density_;
};

inline constexpr double kSequentialAlpha = 0.05;
// Fewer pairs have no interval at that level.
inline constexpr size_t kPairsMin = 6;

// Pairs that let all of `metrics` differ if they agree, with two to spare: for one of them that
// does not, and for what looks before the last one spend.
size_t pairs_to_decide(size_t metrics);

// What is known about one metric.
struct PairedState {
    size_t n = 0;
    double shift = 0;                  // of ln(b / a)
    std::optional<Interval> interval;  // 95 %, for this metric alone
    bool differs = false;              // by Holm over the metrics
};

class SequentialComparison {
  public:
    // `floor`: smallest shift of ln(b / a) that anybody would act on.
    SequentialComparison(size_t metrics, double floor);

    // One pair: ln(b / a) of every metric.
    void add(const std::vector<double>& log_ratios);
    size_t pairs() const { return pairs_; }
    // Looks at what there is, unless it is too little to decide and more follows; `spent_share`
    // grows from look to look and is 1 at the last. True when no more pairs are needed: every
    // metric differs by the floor at least, or its interval lies within the floor.
    bool look(double spent_share);
    const PairedState& state(size_t metric) const { return states_[metric]; }

  private:
    bool decided(const PairedState& state) const;
    void reject_by_holm(const std::vector<double>& critical);

    double floor_;
    size_t pairs_to_decide_;
    size_t pairs_ = 0;
    size_t pairs_seen_ = 0;                        // at the last look
    std::vector<std::vector<double>> log_ratios_;  // [metric][pair]
    std::vector<PairedState> states_;
    std::vector<SpendingBoundary> boundaries_;  // [k - 1] at alpha / k
};

}  // namespace hone::measure
