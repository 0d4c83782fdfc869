#include "quality/resampling.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/random.h"
#include "measure/rank_tests.h"

namespace hone::quality {
namespace {

using measure::Interval;

constexpr double kTail = 0.025;

void add_row(std::span<const double> row, std::vector<double>& sums) {
    for (size_t i = 0; i < row.size(); ++i) sums[i] += row[i];
}

std::vector<double> total(const ItemSums& sums) {
    std::vector<double> out(sums.width, 0);
    for (size_t item = 0; item < sums.items(); ++item) add_row(sums.row(item), out);
    return out;
}

Interval percentiles(std::span<const double> samples) {
    return {*measure::percentile(samples, kTail), *measure::percentile(samples, 1 - kTail)};
}

// How far what n items did not show could move the value.
double unseen_by(const ItemMetric& metric, size_t n) {
    return metric.highest * (1 - std::pow(kTail, 1 / static_cast<double>(n)));
}

base::Result<Interval> interval_of(const ItemMetric& metric, const ItemSums& sums,
                                   const GoOn& go_on) {
    const size_t n = sums.items();
    if (metric.share) {
        const double hits = total(sums)[1];
        return measure::wilson_interval(static_cast<size_t>(std::lround(hits)), n);
    }
    base::Random random(kResamplingSeed);
    std::vector<double> values;
    std::vector<double> resample(sums.width);
    for (size_t r = 0; r < kResamples; ++r) {
        HONE_TRY_STATUS(check_go_on(go_on, r, kResamples));
        std::fill(resample.begin(), resample.end(), 0.0);
        for (size_t i = 0; i < n; ++i) add_row(sums.row(random.next_below(n)), resample);
        values.push_back(metric.value(resample));
    }
    const Interval found = percentiles(values);
    if (found.low < found.high) return found;
    const double unseen = unseen_by(metric, n);
    return Interval{std::max(found.low - unseen, 0.0),
                    std::min(found.high + unseen, metric.highest)};
}

// A direction in which no item moved, judged by its own rows, was not resampled: there the interval
// reaches as far as unseen items could move the value, whatever happened in the other one.
Interval with_unseen(const ItemMetric& metric, const ItemSums& base, const ItemSums& candidate,
                     Interval found) {
    bool fell = false, grew = false;
    for (size_t item = 0; item < base.items(); ++item) {
        const double before = metric.value(base.row(item));
        const double after = metric.value(candidate.row(item));
        fell = fell || after < before;
        grew = grew || after > before;
    }
    const double unseen = unseen_by(metric, base.items());
    if (!fell) found.low = std::min(found.low, -unseen);
    if (!grew) found.high = std::max(found.high, unseen);
    return found;
}

base::Result<Interval> interval_of_change(const ItemMetric& metric, const ItemSums& base,
                                          const ItemSums& candidate, const GoOn& go_on) {
    const size_t n = base.items();
    base::Random random(kResamplingSeed);
    std::vector<double> changes;
    std::vector<double> a(base.width), b(base.width);
    for (size_t r = 0; r < kResamples; ++r) {
        HONE_TRY_STATUS(check_go_on(go_on, r, kResamples));
        std::fill(a.begin(), a.end(), 0.0);
        std::fill(b.begin(), b.end(), 0.0);
        for (size_t i = 0; i < n; ++i) {
            const size_t item = random.next_below(n);
            add_row(base.row(item), a);
            add_row(candidate.row(item), b);
        }
        changes.push_back(metric.value(b) - metric.value(a));
    }
    return with_unseen(metric, base, candidate, percentiles(changes));
}

// Two-sided; the world as it is counts as one of those that chance could make.
base::Result<double> randomization_p(const ItemMetric& metric, const ItemSums& base,
                                     const ItemSums& candidate, double change, const GoOn& go_on) {
    if (change == 0) return 1;
    base::Random random(kResamplingSeed);
    std::vector<double> a(base.width), b(base.width);
    size_t as_large = 1;
    for (size_t r = 0; r < kResamples; ++r) {
        HONE_TRY_STATUS(check_go_on(go_on, r, kResamples));
        std::fill(a.begin(), a.end(), 0.0);
        std::fill(b.begin(), b.end(), 0.0);
        for (size_t item = 0; item < base.items(); ++item) {
            const bool swapped = random.next_below(2) == 1;
            add_row(swapped ? candidate.row(item) : base.row(item), a);
            add_row(swapped ? base.row(item) : candidate.row(item), b);
        }
        // Sums of the same terms in another order must not count as smaller.
        constexpr double kRounding = 1e-9;
        const double apart = std::abs(metric.value(b) - metric.value(a));
        if (apart >= std::abs(change) * (1 - kRounding)) ++as_large;
    }
    return static_cast<double>(as_large) / static_cast<double>(kResamples + 1);
}

}  // namespace

void ItemSums::add(std::span<const double> row) {
    if (rows.empty()) width = row.size();
    HONE_CHECK_EQ(row.size(), width);
    rows.insert(rows.end(), row.begin(), row.end());
}

double mean_of_sums(std::span<const double> sums) {
    return sums[1] / sums[0];
}

base::Result<Score> score_items(const ItemMetric& metric, const ItemSums& sums, const GoOn& go_on) {
    HONE_CHECK_GT(sums.items(), size_t{0});
    Score score{metric.name, metric.value(total(sums)), std::nullopt, sums.items()};
    if (score.n >= kItemsMin) {
        HONE_TRY(score.ci95, interval_of(metric, sums, go_on));
    }
    return score;
}

base::Result<Difference> compare_items(const ItemMetric& metric, const ItemSums& base,
                                       const ItemSums& candidate, const GoOn& go_on) {
    HONE_CHECK_EQ(base.items(), candidate.items());
    HONE_CHECK_GT(base.items(), size_t{0});
    Difference out;
    out.name = metric.name;
    out.better = metric.better;
    out.a = metric.value(total(base));
    out.b = metric.value(total(candidate));
    out.n = base.items();
    if (out.a > 0) out.change_percent = 100 * out.change() / out.a;
    if (out.n < kItemsMin) return out;
    HONE_TRY(out.ci95, interval_of_change(metric, base, candidate, go_on));
    HONE_TRY(out.p, randomization_p(metric, base, candidate, out.change(), go_on));
    if (out.a > 0) {
        out.percent_ci95 = Interval{100 * out.ci95->low / out.a, 100 * out.ci95->high / out.a};
    }
    return out;
}

void judge_differences(std::vector<Difference>& differences) {
    constexpr double kAlpha = 0.05;
    // What is no number shows nothing, and would sort anywhere.
    const auto is_judged = [](const Difference& difference) {
        return difference.ci95 && std::isfinite(difference.p) && std::isfinite(difference.change());
    };
    std::vector<double> p;
    for (const Difference& difference : differences) {
        if (is_judged(difference)) p.push_back(difference.p);
    }
    const std::vector<double> adjusted = measure::holm(p);
    size_t next = 0;
    for (Difference& difference : differences) {
        if (!is_judged(difference)) continue;
        difference.p = adjusted[next++];
        const bool grew = difference.change() > 0;
        const bool better = grew == (difference.better == measure::Better::higher);
        difference.verdict = difference.p >= kAlpha ? measure::Verdict::within_noise
                             : better               ? measure::Verdict::improved
                                                    : measure::Verdict::regressed;
    }
}

}  // namespace hone::quality
