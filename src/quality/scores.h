// Quality metrics with intervals, from the sums of scored windows (METRICS.md, family LLM).
//
//   perplexity           exp(mean nll)                       better lower
//   reference_perplexity the same of the reference
//   kl                   mean KL(reference || model), nats   better lower
//   top1_agreement       share of tokens with the same likeliest token
// The interval is 95 % by Student's t over window means (windows of unequal size weigh by tokens in
// the value and alike in the spread); absent below kWindowsMin windows. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "measure/statistics.h"
#include "quality/text_scorer.h"

namespace hone::quality {

inline constexpr size_t kWindowsMin = 6;

struct Score {
    std::string name;
    double value = 0;
    std::optional<measure::Interval> ci95;
    size_t n = 0;  // tokens
};

// Without reference only perplexity. Requires at least one scored token.
std::vector<Score> scores_of(std::span<const ScoredWindow> windows, bool has_reference);

}  // namespace hone::quality
