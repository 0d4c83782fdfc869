// Quality metrics with intervals, from the sums of scored windows (METRICS.md, family LLM).
//
//   perplexity           exp(mean nll)                       better lower
//   bits_per_byte        nll in bits over the bytes of the scored tokens: comparable between
//                        vocabularies
//   reference_perplexity the same of the reference
//   kl                   mean KL(reference || model), nats   better lower
//   top1_agreement       share of tokens with the same likeliest token
//   delta_p              mean change of the true token's probability
//   delta_p_rms          root of its mean square
// The interval is 95 % by Student's t over window means (windows of unequal size weigh by tokens in
// the value and alike in the spread); absent below kWindowsMin windows. The difference of the two
// perplexities is paired by window: its interval is that of the mean difference of nll. Pure.
#pragma once

#include <span>
#include <vector>

#include "quality/score.h"
#include "quality/text_scorer.h"

namespace hone::quality {

inline constexpr size_t kWindowsMin = 6;

// Without reference only perplexity. Requires at least one scored token.
std::vector<Score> scores_of(std::span<const ScoredWindow> windows, bool has_reference);
// Of perplexity, the reference being the base.
Difference perplexity_difference(std::span<const ScoredWindow> windows);

}  // namespace hone::quality
