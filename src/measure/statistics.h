// Statistics of measurements: medians, percentiles, intervals. Pure functions on samples.
//
// Percentiles are linear-interpolated (rank p * (n - 1), as numpy's default). Intervals are 95 %,
// distribution-free from order statistics (binomial ranks; Hahn and Meeker 1991), and absent
// (nullopt) below the number of samples that supports them: median n >= 6, p95 n >= 72, p99 n >=
// 368.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace hone::measure {

struct Interval {
    double low = 0;
    double high = 0;
};

// nullopt when there are no samples. p in [0, 1].
std::optional<double> percentile(std::span<const double> samples, double p);
std::optional<double> median(std::span<const double> samples);
double mean(std::span<const double> samples);
// Order-statistic 95 % interval of a percentile; infinite samples sort last.
std::optional<Interval> percentile_interval(std::span<const double> samples, double p);
// Spread: interquartile range / median; nullopt below 4 samples.
std::optional<double> relative_spread(std::span<const double> samples);
// Wilson 95 % interval of a proportion.
Interval wilson_interval(size_t successes, size_t trials);
// Smallest n for which percentile_interval(p) exists.
size_t interval_samples_min(double p);

struct Line {
    double intercept = 0;
    double slope = 0;
    double r_squared = 0;
};
// Ordinary least squares of y on x; nullopt below two distinct x.
std::optional<Line> fit_line(std::span<const double> x, std::span<const double> y);

}  // namespace hone::measure
