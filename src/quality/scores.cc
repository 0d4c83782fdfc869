#include "quality/scores.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"

namespace hone::quality {
namespace {

// Two-sided 95 % quantiles of Student's t for 5 to 30 degrees of freedom (any table of it); beyond,
// the normal quantile with the first term of the Cornish-Fisher expansion, 0.1 % off at most.
double t_quantile(size_t degrees) {
    constexpr std::array<double, 26> kTable = {
        2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281, 2.2010, 2.1788, 2.1604,
        2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860, 2.0796, 2.0739,
        2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423};
    if (degrees < 5 + kTable.size()) return kTable[degrees - 5];
    constexpr double z = 1.959964;
    return z + (z * z * z + z) / (4 * static_cast<double>(degrees));
}

struct Mean {
    double value = 0;
    std::optional<measure::Interval> ci95;
};

template <class Sum>
Mean mean_of(std::span<const ScoredWindow> windows, Sum sum) {
    double total = 0;
    double tokens = 0;
    for (const ScoredWindow& window : windows) {
        total += sum(window);
        tokens += static_cast<double>(window.n);
    }
    Mean mean;
    mean.value = total / tokens;
    if (windows.size() < kWindowsMin) return mean;
    double squares = 0;
    for (const ScoredWindow& window : windows) {
        const double apart = sum(window) / static_cast<double>(window.n) - mean.value;
        squares += apart * apart;
    }
    const auto n = static_cast<double>(windows.size());
    const double reach = t_quantile(windows.size() - 1) * std::sqrt(squares / (n - 1) / n);
    mean.ci95 = measure::Interval{mean.value - reach, mean.value + reach};
    return mean;
}

Score perplexity(std::string name, const Mean& nll, size_t n) {
    Score score{std::move(name), std::exp(nll.value), std::nullopt, n};
    if (nll.ci95) score.ci95 = {std::exp(nll.ci95->low), std::exp(nll.ci95->high)};
    return score;
}

// A mean that cannot leave [0, highest], however wide its spread.
Score bounded(std::string name, const Mean& mean, double highest, size_t n) {
    Score score{std::move(name), mean.value, std::nullopt, n};
    if (mean.ci95) {
        score.ci95 = {std::max(mean.ci95->low, 0.0), std::min(mean.ci95->high, highest)};
    }
    return score;
}

}  // namespace

std::vector<Score> scores_of(std::span<const ScoredWindow> windows, bool has_reference) {
    size_t n = 0;
    for (const ScoredWindow& window : windows) n += window.n;
    HONE_CHECK_GT(n, size_t{0});
    const Mean nll = mean_of(windows, [](const ScoredWindow& w) { return w.nll; });
    std::vector<Score> scores{perplexity("perplexity", nll, n)};
    if (!has_reference) return scores;
    const Mean other = mean_of(windows, [](const ScoredWindow& w) { return w.nll_reference; });
    const Mean kl = mean_of(windows, [](const ScoredWindow& w) { return w.kl; });
    const Mean same =
        mean_of(windows, [](const ScoredWindow& w) { return static_cast<double>(w.same_top); });
    scores.push_back(perplexity("reference_perplexity", other, n));
    scores.push_back(bounded("kl", kl, HUGE_VAL, n));
    scores.push_back(bounded("top1_agreement", same, 1.0, n));
    return scores;
}

}  // namespace hone::quality
