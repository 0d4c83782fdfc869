// Scores of items, their intervals, and the paired differences of two models on the same items, by
// resampling: the items are the sample, whatever formula makes a score of them.
//
// A metric is a function of sums over items (corpus BLEU: of n-gram counts; accuracy: of hits and
// items), so a resample is a new sum. Intervals are 95 % percentiles of kResamples bootstrap
// resamples of the items (Efron and Tibshirani 1993), for differences the same items on both sides
// (Koehn 2004); shares have Wilson's. The p value of a difference is that of approximate
// randomization (Riezler and Maxwell 2005): the sides of each item change places by a coin, and p
// is the share of such worlds with a difference as large; no distribution is assumed.
//
// Resampling knows nothing of what did not happen: where every resample comes to the same, an
// interval of no width would claim certainty. There it is as wide as the items that may differ
// unseen, of which n items show at most 1 - 0.025^(1/n) (the exact binomial bound), times the most
// that one can count. Of a difference each end is judged by itself: where no item got lower, the
// low end is at least so far below 0, where none got higher, the high end above, so that one item
// that improved proves nothing about those that may have got worse.
//
// Not for tokens of a text, which depend on their neighbours: see quality/scores.h. All numbers
// follow from the seed. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "quality/go_on.h"
#include "quality/score.h"

namespace hone::quality {

inline constexpr size_t kResamples = 2000;
inline constexpr uint64_t kResamplingSeed = 1;
// Fewer items have no interval.
inline constexpr size_t kItemsMin = 10;

struct ItemMetric {
    const char* name = "";
    measure::Better better = measure::Better::higher;
    double highest = 1;  // of its values; the lowest is 0
    bool share = false;  // its sums are [items, hits]
    double (*value)(std::span<const double> sums) = nullptr;
};

// What each item adds to the sums of one metric: [items][width].
struct ItemSums {
    size_t width = 0;
    std::vector<double> rows = {};

    size_t items() const { return width > 0 ? rows.size() / width : 0; }
    std::span<const double> row(size_t item) const {
        return std::span(rows).subspan(item * width, width);
    }
    void add(std::span<const double> row);
};

// sums[1] / sums[0]: of rows [1, score].
double mean_of_sums(std::span<const double> sums);

// At least one item. cancelled, and nothing else.
base::Result<Score> score_items(const ItemMetric& metric, const ItemSums& sums,
                                const GoOn& go_on = {});
// The same items in the same order on both sides, at least one. cancelled.
base::Result<Difference> compare_items(const ItemMetric& metric, const ItemSums& base,
                                       const ItemSums& candidate, const GoOn& go_on = {});

}  // namespace hone::quality
