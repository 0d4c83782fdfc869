#include "quality/scores.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/check.h"
#include "measure/rank_tests.h"

namespace hone::quality {
namespace {

using measure::Interval;

struct Mean {
    double value = 0;
    double error = 0;  // standard error, with the interval
    std::optional<Interval> ci95;
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
    mean.error = std::sqrt(squares / (n - 1) / n);
    const double reach = measure::student_quantile(0.975, n - 1) * mean.error;
    mean.ci95 = Interval{mean.value - reach, mean.value + reach};
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

// Nothing where the tokens have no text.
std::optional<Score> bits_per_byte(std::span<const ScoredWindow> windows, const Mean& nll,
                                   size_t n) {
    double bytes = 0;
    for (const ScoredWindow& window : windows) {
        bytes += static_cast<double>(window.bytes);
    }
    if (bytes == 0) return std::nullopt;
    const double scale = static_cast<double>(n) / bytes / std::numbers::ln2;
    Score score{"bits_per_byte", nll.value * scale, std::nullopt, n};
    if (nll.ci95) score.ci95 = Interval{nll.ci95->low * scale, nll.ci95->high * scale};
    return score;
}

}  // namespace

std::vector<Score> scores_of(std::span<const ScoredWindow> windows, bool has_reference) {
    size_t n = 0;
    for (const ScoredWindow& window : windows) n += window.n;
    HONE_CHECK_GT(n, size_t{0});
    const Mean nll = mean_of(windows, [](const ScoredWindow& w) { return w.nll; });
    std::vector<Score> scores{perplexity("perplexity", nll, n)};
    if (auto bits = bits_per_byte(windows, nll, n)) scores.push_back(std::move(*bits));
    if (!has_reference) return scores;
    const Mean other = mean_of(windows, [](const ScoredWindow& w) { return w.nll_reference; });
    const Mean kl = mean_of(windows, [](const ScoredWindow& w) { return w.kl; });
    const Mean same =
        mean_of(windows, [](const ScoredWindow& w) { return static_cast<double>(w.same_top); });
    scores.push_back(perplexity("reference_perplexity", other, n));
    scores.push_back(bounded("kl", kl, HUGE_VAL, n));
    scores.push_back(bounded("top1_agreement", same, 1.0, n));
    const Mean change = mean_of(windows, [](const ScoredWindow& w) { return w.delta_p; });
    const Mean square = mean_of(windows, [](const ScoredWindow& w) { return w.delta_p_squared; });
    scores.push_back({"delta_p", change.value, change.ci95, n});
    Score rms = bounded("delta_p_rms", square, 1.0, n);
    rms.value = std::sqrt(rms.value);
    if (rms.ci95) rms.ci95 = Interval{std::sqrt(rms.ci95->low), std::sqrt(rms.ci95->high)};
    scores.push_back(std::move(rms));
    return scores;
}

Difference perplexity_difference(std::span<const ScoredWindow> windows) {
    HONE_CHECK_GT(windows.size(), size_t{0});
    const auto model = [](const ScoredWindow& w) { return w.nll; };
    const auto reference = [](const ScoredWindow& w) { return w.nll_reference; };
    const Mean shift =
        mean_of(windows, [&](const ScoredWindow& w) { return model(w) - reference(w); });
    Difference out;
    out.name = "perplexity";
    out.better = measure::Better::lower;
    out.a = std::exp(mean_of(windows, reference).value);
    out.b = std::exp(mean_of(windows, model).value);
    for (const ScoredWindow& window : windows) out.n += window.n;
    out.change_percent = measure::percent_of(shift.value);
    if (!shift.ci95) return out;
    out.percent_ci95 = measure::percent_of(shift.ci95);
    out.ci95 = Interval{out.a * out.percent_ci95->low / 100, out.a * out.percent_ci95->high / 100};
    const auto degrees = static_cast<double>(windows.size() - 1);
    out.p = shift.error > 0 ? measure::student_p(shift.value / shift.error, degrees)
                            : (shift.value == 0 ? 1 : 0);
    return out;
}

}  // namespace hone::quality
