#include "measure/rank_tests.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"

namespace hone::measure {
namespace {

constexpr double kIntervalAlpha = 0.05;

struct Ranking {
    std::vector<double> ranks;  // mid-ranks from 1, in the order of the input
    double tie_sum = 0;         // sum of t^3 - t over groups of equal values
};

Ranking rank_all(const std::vector<double>& values) {
    std::vector<size_t> order(values.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(),
              [&](size_t i, size_t j) { return values[i] < values[j]; });
    Ranking out;
    out.ranks.resize(values.size());
    for (size_t first = 0; first < order.size();) {
        size_t last = first;
        while (last < order.size() && !(values[order[first]] < values[order[last]])) ++last;
        const double middle = (static_cast<double>(first + 1) + static_cast<double>(last)) / 2;
        for (size_t i = first; i < last; ++i) out.ranks[order[i]] = middle;
        const double t = static_cast<double>(last - first);
        out.tie_sum += t * t * t - t;
        first = last;
    }
    return out;
}

// How many of the arrangements of n and m samples have U = 0, 1, ..., n m: the coefficients of the
// Gaussian binomial. Whole numbers below 2^53 for n, m <= kExactSamplesMax.
std::vector<double> arrangements(size_t n, size_t m) {
    const size_t size = n * m + 1;
    std::vector<double> count(size, 0);
    count[0] = 1;
    for (size_t i = 1; i <= n; ++i) {
        for (size_t u = size; u-- > m + i;) count[u] -= count[u - m - i];
        for (size_t u = i; u < size; ++u) count[u] += count[u - i];
    }
    return count;
}

double exact_p(double u, size_t n, size_t m) {
    const std::vector<double> count = arrangements(n, m);
    const double total = std::accumulate(count.begin(), count.end(), 0.0);
    const auto last = static_cast<std::ptrdiff_t>(u) + 1;
    return std::min(1.0, 2 * std::accumulate(count.begin(), count.begin() + last, 0.0) / total);
}

// b - a, where two equal infinities are no difference.
double difference(double b, double a) {
    return b == a ? 0 : b - a;
}

std::vector<double> thinned(std::span<const double> samples) {
    std::vector<double> sorted(samples.begin(), samples.end());
    std::sort(sorted.begin(), sorted.end());
    if (sorted.size() <= kShiftSamplesMax) return sorted;
    std::vector<double> out;
    for (size_t i = 0; i < kShiftSamplesMax; ++i) {
        out.push_back(sorted[(2 * i + 1) * sorted.size() / (2 * kShiftSamplesMax)]);
    }
    return out;
}

double median_in_place(std::vector<double>& values) {
    const size_t middle = values.size() / 2;
    const auto at = [&](size_t i) { return values.begin() + static_cast<std::ptrdiff_t>(i); };
    std::nth_element(values.begin(), at(middle), values.end());
    const double upper = values[middle];
    if (values.size() % 2 == 1) return upper;
    const double lower = *std::max_element(values.begin(), at(middle));
    return lower == upper ? upper : (lower + upper) / 2;
}

// The values of 0-based rank `low` from both ends.
Interval outer_pair(std::vector<double>& values, size_t low) {
    const auto at = [&](size_t i) { return values.begin() + static_cast<std::ptrdiff_t>(i); };
    Interval interval;
    std::nth_element(values.begin(), at(low), values.end());
    interval.low = values[low];
    const size_t high = values.size() - 1 - low;
    std::nth_element(values.begin(), at(high), values.end());
    interval.high = values[high];
    return interval;
}

// How many outcomes of U from 0 on are together at most alpha / 2.
std::optional<size_t> rank_sum_tail(size_t n, size_t m, double alpha) {
    const double dn = static_cast<double>(n);
    const double dm = static_cast<double>(m);
    if (n <= kExactSamplesMax && m <= kExactSamplesMax) {
        const std::vector<double> count = arrangements(n, m);
        const double total = std::accumulate(count.begin(), count.end(), 0.0);
        double sum = 0;
        size_t u = 0;
        while (u < count.size() && (sum + count[u]) / total <= alpha / 2) sum += count[u++];
        if (u == 0) return std::nullopt;
        return u;
    }
    const double z = normal_quantile(1 - alpha / 2);
    const double k = std::floor(dn * dm / 2 - z * std::sqrt(dn * dm * (dn + dm + 1) / 12));
    if (k < 1) return std::nullopt;
    return static_cast<size_t>(k);
}

// Continued fraction of the incomplete beta function by Lentz's method (DLMF 8.17.22).
double beta_fraction(double x, double a, double b) {
    constexpr int kTermsMax = 500;
    constexpr double kTiny = 1e-300;
    double c = 1;
    double d = 1 - (a + b) * x / (a + 1);
    d = 1 / (std::fabs(d) < kTiny ? kTiny : d);
    double value = d;
    for (int i = 1; i < kTermsMax; ++i) {
        const double m = i;
        const double terms[] = {m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
                                -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))};
        double change = 1;
        for (const double term : terms) {
            d = 1 + term * d;
            d = 1 / (std::fabs(d) < kTiny ? kTiny : d);
            c = 1 + term / c;
            if (std::fabs(c) < kTiny) c = kTiny;
            change = c * d;
            value *= change;
        }
        if (std::fabs(change - 1) < 1e-15) break;
    }
    return value;
}

}  // namespace

double normal_cdf(double z) {
    return 0.5 * std::erfc(-z / std::sqrt(2.0));
}

double normal_quantile(double p) {
    HONE_CHECK(p > 0 && p < 1);
    double low = -40;
    double high = 40;
    for (int i = 0; i < 100; ++i) {
        const double middle = (low + high) / 2;
        (normal_cdf(middle) < p ? low : high) = middle;
    }
    return (low + high) / 2;
}

double incomplete_beta(double x, double a, double b) {
    HONE_CHECK(x >= 0 && x <= 1 && a > 0 && b > 0);
    if (x == 0 || x == 1) return x;
    int sign = 0;
    const double log_front = lgamma_r(a + b, &sign) - lgamma_r(a, &sign) - lgamma_r(b, &sign) +
                             a * std::log(x) + b * std::log1p(-x);
    // The fraction converges fast on one side of the mean only.
    if (x < (a + 1) / (a + b + 2)) return std::exp(log_front) * beta_fraction(x, a, b) / a;
    return 1 - std::exp(log_front) * beta_fraction(1 - x, b, a) / b;
}

double student_p(double t, double df) {
    return incomplete_beta(df / (df + t * t), df / 2, 0.5);
}

double student_quantile(double p, double df) {
    HONE_CHECK(p > 0 && p < 1 && df >= 1);
    if (p < 0.5) return -student_quantile(1 - p, df);
    double low = 0;
    double high = 1e8;
    for (int i = 0; i < 200; ++i) {
        const double t = (low + high) / 2;
        const double above = student_p(t, df) / 2;
        (1 - above < p ? low : high) = t;
    }
    return (low + high) / 2;
}

RankSumTest mann_whitney(std::span<const double> a, std::span<const double> b) {
    HONE_CHECK(!a.empty() && !b.empty());
    std::vector<double> all(a.begin(), a.end());
    all.insert(all.end(), b.begin(), b.end());
    const Ranking ranking = rank_all(all);
    const double n = static_cast<double>(a.size());
    const double m = static_cast<double>(b.size());
    double sum = 0;
    for (size_t i = 0; i < a.size(); ++i) sum += ranking.ranks[i];
    const double u_a = sum - n * (n + 1) / 2;
    RankSumTest test;
    test.u = std::min(u_a, n * m - u_a);
    test.exact =
        ranking.tie_sum == 0 && a.size() <= kExactSamplesMax && b.size() <= kExactSamplesMax;
    if (test.exact) {
        test.p = exact_p(test.u, a.size(), b.size());
        return test;
    }
    const double total = n + m;
    const double variance = n * m / 12 * (total + 1 - ranking.tie_sum / (total * (total - 1)));
    if (!(variance > 0)) return test;
    const double z = std::max(0.0, n * m / 2 - test.u - 0.5) / std::sqrt(variance);
    test.p = std::min(1.0, 2 * normal_cdf(-z));
    return test;
}

Shift hodges_lehmann(std::span<const double> a, std::span<const double> b, double alpha) {
    HONE_CHECK(!a.empty() && !b.empty());
    const std::vector<double> from = thinned(a);
    const std::vector<double> to = thinned(b);
    std::vector<double> differences;
    differences.reserve(from.size() * to.size());
    for (const double x : from) {
        for (const double y : to) differences.push_back(difference(y, x));
    }
    Shift shift;
    shift.value = median_in_place(differences);
    if (const auto outside = rank_sum_tail(from.size(), to.size(), alpha)) {
        shift.interval = outer_pair(differences, *outside - 1);
    }
    return shift;
}

double signed_rank_z(std::span<const double> differences) {
    std::vector<double> sizes;
    for (const double d : differences) sizes.push_back(std::fabs(d));
    const Ranking ranking = rank_all(sizes);
    double sum = 0;
    double squares = 0;
    for (size_t i = 0; i < sizes.size(); ++i) {
        if (differences[i] == 0) continue;
        sum += differences[i] > 0 ? ranking.ranks[i] : -ranking.ranks[i];
        squares += ranking.ranks[i] * ranking.ranks[i];
    }
    return squares > 0 ? sum / std::sqrt(squares) : 0;
}

Shift paired_shift(std::span<const double> differences, double z) {
    HONE_CHECK(!differences.empty());
    std::vector<double> walsh;
    walsh.reserve(differences.size() * (differences.size() + 1) / 2);
    for (size_t i = 0; i < differences.size(); ++i) {
        for (size_t j = i; j < differences.size(); ++j) {
            walsh.push_back((differences[i] + differences[j]) / 2);
        }
    }
    Shift shift;
    shift.value = median_in_place(walsh);
    // Of M averages, j below the shift give a signed-rank sum of M - 2 j (in steps of one average).
    const double n = static_cast<double>(differences.size());
    const double reach = z * std::sqrt(n * (n + 1) * (2 * n + 1) / 6) / 2;
    const double low = std::floor(static_cast<double>(walsh.size()) / 2 - reach);
    if (low >= 0) shift.interval = outer_pair(walsh, static_cast<size_t>(low));
    return shift;
}

std::vector<double> holm(std::span<const double> p) {
    std::vector<size_t> order(p.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(), [&](size_t i, size_t j) { return p[i] < p[j]; });
    std::vector<double> adjusted(p.size());
    double running = 0;
    for (size_t i = 0; i < order.size(); ++i) {
        running = std::max(running, p[order[i]] * static_cast<double>(p.size() - i));
        adjusted[order[i]] = std::min(1.0, running);
    }
    return adjusted;
}

std::optional<Interval> mean_interval(std::span<const double> samples) {
    if (samples.size() < 2) return std::nullopt;
    const double n = static_cast<double>(samples.size());
    const double centre = mean(samples);
    double squares = 0;
    for (const double sample : samples) squares += (sample - centre) * (sample - centre);
    const double half = student_quantile(1 - kIntervalAlpha / 2, n - 1) *
                        std::sqrt(squares / (n - 1)) / std::sqrt(n);
    return Interval{centre - half, centre + half};
}

std::optional<Interval> serial_mean_interval(std::span<const double> samples) {
    const auto batches = static_cast<size_t>(std::sqrt(static_cast<double>(samples.size())));
    std::vector<double> means;
    for (size_t batch = 0; batch < batches; ++batch) {
        const size_t begin = samples.size() * batch / batches;
        const size_t end = samples.size() * (batch + 1) / batches;
        means.push_back(mean(samples.subspan(begin, end - begin)));
    }
    return mean_interval(means);
}

}  // namespace hone::measure
