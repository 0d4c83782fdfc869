// What every measurement of quality comes to: a value with an interval, and the difference of two
// models that saw the same input. Plain data.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "measure/comparison.h"
#include "measure/metrics.h"
#include "measure/statistics.h"

namespace hone::quality {

struct Score {
    std::string name;
    double value = 0;
    std::optional<measure::Interval> ci95;
    size_t n = 0;  // tokens, or items
};

// Of the candidate (b) against the base (a), paired by window or by item.
struct Difference {
    std::string name;
    measure::Better better = measure::Better::higher;
    double a = 0;
    double b = 0;
    std::optional<measure::Interval> ci95;          // of b - a
    std::optional<double> change_percent;           // of a; absent where a is 0
    std::optional<measure::Interval> percent_ci95;  // of change_percent
    double p = 1;  // of no difference; adjusted by judge_differences()
    measure::Verdict verdict = measure::Verdict::not_enough_data;
    size_t n = 0;

    double change() const { return b - a; }
};

// Verdicts over all of them together: Holm's correction, 5 %. Without an interval, or where p
// or the change is no finite number, there is none.
void judge_differences(std::vector<Difference>& differences);

}  // namespace hone::quality
