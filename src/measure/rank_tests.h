// Tests and intervals that look at ranks only, so that one outlier counts as one sample.
//
// Two independent sets of samples (Mann-Whitney, Hodges-Lehmann shift) for stored runs, and paired
// differences (Wilcoxon signed ranks with Pratt's zeros, Walsh averages) for interleaved runs; Holm
// for several metrics at a time; and the few distributions they need. Infinite samples sort last.
// Sources: Hollander, Wolfe and Chicken 2014, sections 3.1, 3.3, 4.1, 4.3; Pratt 1959; Holm 1979.
// Pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "measure/statistics.h"

namespace hone::measure {

// Standard normal distribution function, and its inverse for p in (0, 1).
double normal_cdf(double z);
double normal_quantile(double p);
// Inverse of Student's t distribution function for p in (0, 1) and df >= 1.
double student_quantile(double p, double df);
// Two-sided p of a t: the share of Student's distribution that is farther from 0.
double student_p(double t, double df);
// Regularized incomplete beta I_x(a, b), a and b > 0, x in [0, 1].
double incomplete_beta(double x, double a, double b);

struct RankSumTest {
    double u = 0;  // smaller of the two U statistics
    double p = 1;  // two-sided
    bool exact = false;
};
// Exact without ties and with at most kExactSamplesMax a side; else normal with the correction for
// ties and for continuity. Both sides at least one sample.
inline constexpr size_t kExactSamplesMax = 25;
RankSumTest mann_whitney(std::span<const double> a, std::span<const double> b);

struct Shift {
    double value = 0;
    std::optional<Interval> interval;  // absent when there are too few samples for the level
};
// Median of all differences b - a, and the interval that inverts mann_whitney at level alpha. Two
// equal infinities differ by 0. Above kShiftSamplesMax samples a side, evenly spaced ones of the
// sorted samples stand for all: the interval is then that of fewer samples, hence wider.
inline constexpr size_t kShiftSamplesMax = 1000;
Shift hodges_lehmann(std::span<const double> a, std::span<const double> b, double alpha);

// Sum of signed ranks over its standard deviation under random signs; 0 when all are 0.
double signed_rank_z(std::span<const double> differences);
// Median of the Walsh averages, and those shifts that signed_rank_z does not reach `z` for.
Shift paired_shift(std::span<const double> differences, double z);

// Holm's adjusted p values, in the order of the input.
std::vector<double> holm(std::span<const double> p);

// Student's 95 % interval of the mean; nullopt below two samples.
std::optional<Interval> mean_interval(std::span<const double> samples);
// The same for samples in order of which neighbours are alike: of the means of about sqrt(n)
// batches, so long that one says little about the next (batch means; Law and Kelton 1984).
// Nullopt below four samples.
std::optional<Interval> serial_mean_interval(std::span<const double> samples);

}  // namespace hone::measure
