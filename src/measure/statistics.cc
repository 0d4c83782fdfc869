#include "measure/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/check.h"

namespace hone::measure {
namespace {

constexpr double kTail = 0.025;                   // each side of a 95 % interval
constexpr double kNormal975 = 1.959963984540054;  // 97.5 % quantile of the standard normal

// NaN sorts last, so that a bad sample cannot break the ordering.
bool sample_less(double a, double b) {
    if (std::isnan(a)) return false;
    if (std::isnan(b)) return true;
    return a < b;
}

std::vector<double> sorted_copy(std::span<const double> samples) {
    std::vector<double> sorted(samples.begin(), samples.end());
    std::sort(sorted.begin(), sorted.end(), sample_less);
    return sorted;
}

double percentile_of_sorted(const std::vector<double>& sorted, double p) {
    const double rank = p * static_cast<double>(sorted.size() - 1);
    const size_t below = static_cast<size_t>(rank);
    const size_t above = std::min(below + 1, sorted.size() - 1);
    const double fraction = rank - static_cast<double>(below);
    // Without the shortcut two infinities would subtract to NaN.
    if (fraction == 0 || sorted[below] == sorted[above]) return sorted[below];
    return sorted[below] + fraction * (sorted[above] - sorted[below]);
}

double log_factorial(double n) {
    int sign = 0;
    return lgamma_r(n + 1, &sign);
}

// Natural logarithm of the binomial probability of k successes.
double log_binomial(size_t n, size_t k, double p) {
    const double dn = static_cast<double>(n);
    const double dk = static_cast<double>(k);
    return log_factorial(dn) - log_factorial(dk) - log_factorial(dn - dk) + dk * std::log(p) +
           (dn - dk) * std::log1p(-p);
}

// How many of the smallest outcomes of Binomial(n, p) together stay within the tail. Starts 40
// standard deviations below the mean, where probabilities are below 1e-300.
size_t outcomes_in_lower_tail(size_t n, double p) {
    const double centre = static_cast<double>(n) * p;
    const double reach = 40 * std::sqrt(centre * (1 - p)) + 40;
    size_t k = centre > reach ? static_cast<size_t>(centre - reach) : 0;
    double sum = 0;
    for (; k <= n; ++k) {
        sum += std::exp(log_binomial(n, k, p));
        if (sum > kTail) return k;
    }
    return n;
}

}  // namespace

std::optional<double> percentile(std::span<const double> samples, double p) {
    HONE_CHECK(p >= 0 && p <= 1);
    if (samples.empty()) return std::nullopt;
    return percentile_of_sorted(sorted_copy(samples), p);
}

std::optional<double> median(std::span<const double> samples) {
    return percentile(samples, 0.5);
}

double mean(std::span<const double> samples) {
    if (samples.empty()) return std::numeric_limits<double>::quiet_NaN();
    double sum = 0;
    for (const double sample : samples) sum += sample;
    return sum / static_cast<double>(samples.size());
}

size_t interval_samples_min(double p) {
    HONE_CHECK(p >= 0 && p <= 1);
    const double rarer = std::max(p, 1 - p);
    if (rarer >= 1) return std::numeric_limits<size_t>::max();
    // All samples on one side of the percentile must be rarer than the tail.
    return static_cast<size_t>(std::ceil(std::log(kTail) / std::log(rarer)));
}

// With B ~ Binomial(n, p) samples below the percentile, the order statistic of 0-based rank r lies
// above it with P(B <= r). The lowest rank is the largest r with P(B <= r) within the tail; the
// highest, by symmetry, that of the n - B samples above.
std::optional<Interval> percentile_interval(std::span<const double> samples, double p) {
    HONE_CHECK(p >= 0 && p <= 1);
    const size_t n = samples.size();
    if (n < interval_samples_min(p)) return std::nullopt;
    const size_t below = outcomes_in_lower_tail(n, p);
    const size_t above = outcomes_in_lower_tail(n, 1 - p);
    if (below == 0 || above == 0) return std::nullopt;
    const std::vector<double> sorted = sorted_copy(samples);
    return Interval{sorted[below - 1], sorted[n - above]};
}

std::optional<double> relative_spread(std::span<const double> samples) {
    if (samples.size() < 4) return std::nullopt;
    const std::vector<double> sorted = sorted_copy(samples);
    const double middle = percentile_of_sorted(sorted, 0.5);
    const double range = percentile_of_sorted(sorted, 0.75) - percentile_of_sorted(sorted, 0.25);
    const double spread = range / std::fabs(middle);
    if (!std::isfinite(spread)) return std::nullopt;
    return spread;
}

// Wilson 1927; the form in Brown, Cai and DasGupta 2001, section 3.1.1.
Interval wilson_interval(size_t successes, size_t trials) {
    HONE_CHECK_LE(successes, trials);
    if (trials == 0) return {0, 1};
    const double n = static_cast<double>(trials);
    const double share = static_cast<double>(successes) / n;
    const double z2 = kNormal975 * kNormal975;
    const double centre = (share + z2 / (2 * n)) / (1 + z2 / n);
    const double half =
        kNormal975 / (1 + z2 / n) * std::sqrt(share * (1 - share) / n + z2 / (4 * n * n));
    return {successes == 0 ? 0 : std::max(0.0, centre - half),
            successes == trials ? 1 : std::min(1.0, centre + half)};
}

std::optional<Line> fit_line(std::span<const double> x, std::span<const double> y) {
    HONE_CHECK_EQ(x.size(), y.size());
    if (x.size() < 2) return std::nullopt;
    const double mean_x = mean(x);
    const double mean_y = mean(y);
    double xx = 0;
    double xy = 0;
    double yy = 0;
    for (size_t i = 0; i < x.size(); ++i) {
        xx += (x[i] - mean_x) * (x[i] - mean_x);
        xy += (x[i] - mean_x) * (y[i] - mean_y);
        yy += (y[i] - mean_y) * (y[i] - mean_y);
    }
    const bool distinct =
        std::any_of(x.begin(), x.end(), [&](double value) { return value != x[0]; });
    if (!distinct || !(xx > 0) || !std::isfinite(xx) || !std::isfinite(yy)) return std::nullopt;
    Line line;
    line.slope = xy / xx;
    line.intercept = mean_y - line.slope * mean_x;
    // A constant y is explained by any flat line.
    line.r_squared = yy == 0 ? 1 : xy * xy / (xx * yy);
    return line;
}

}  // namespace hone::measure
