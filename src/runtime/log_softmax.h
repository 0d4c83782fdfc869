// One row of logits as log-probabilities: what likelihoods and divergences of predictions are made
// of. Sums in double. Borrows the logits, which are at least one and no NaN. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace hone::runtime {

struct LogSoftmax {
    explicit LogSoftmax(std::span<const float> row);

    // -ln p(token), in nats.
    double nll(int32_t token) const { return log_sum - logits[static_cast<size_t>(token)]; }

    std::span<const float> logits;
    double log_sum = 0;  // ln sum e^logit
    size_t top = 0;      // the likeliest token, the first of equal ones
};

// KL(p || q) = sum p ln(p / q) in nats over the whole vocabulary, which is the same for both. Never
// below 0; equal logits give exactly 0.
double kl_divergence(const LogSoftmax& p, const LogSoftmax& q);

}  // namespace hone::runtime
