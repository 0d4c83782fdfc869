#include "quality/return_scores.h"

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "measure/statistics.h"

namespace hone::quality {
namespace {

std::vector<double> sorted(std::span<const double> values) {
    HONE_CHECK_GT(values.size(), size_t{0});
    std::vector<double> out(values.begin(), values.end());
    std::sort(out.begin(), out.end());
    return out;
}

}  // namespace

double conditional_value_at_risk(std::span<const double> returns, double fraction) {
    HONE_CHECK_GT(fraction, 0.0);
    const std::vector<double> worst = sorted(returns);
    const double wanted = std::min(fraction, 1.0) * static_cast<double>(worst.size());
    double left = wanted, sum = 0;
    for (const double value : worst) {
        const double weight = std::min(left, 1.0);
        sum += weight * value;
        left -= weight;
    }
    return sum / wanted;
}

double interquartile_mean(std::span<const double> returns) {
    const std::vector<double> values = sorted(returns);
    const size_t cut = values.size() / 4;
    return measure::mean(std::span(values).subspan(cut, values.size() - 2 * cut));
}

double optimality_gap(std::span<const double> scores) {
    HONE_CHECK_GT(scores.size(), size_t{0});
    double sum = 0;
    for (const double score : scores) sum += std::max(1 - score, 0.0);
    return sum / static_cast<double>(scores.size());
}

double probability_of_improvement(std::span<const double> x, std::span<const double> y) {
    HONE_CHECK_GT(x.size(), size_t{0});
    HONE_CHECK_GT(y.size(), size_t{0});
    double wins = 0;
    for (const double a : x) {
        for (const double b : y) wins += a > b ? 1 : a == b ? 0.5 : 0;
    }
    return wins / static_cast<double>(x.size() * y.size());
}

}  // namespace hone::quality
