#include "runtime/log_softmax.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace hone::runtime {

LogSoftmax::LogSoftmax(std::span<const float> row) : logits(row) {
    top = static_cast<size_t>(std::max_element(row.begin(), row.end()) - row.begin());
    double sum = 0;
    for (const float logit : row) sum += std::exp(double{logit} - row[top]);
    log_sum = row[top] + std::log(sum);
}

double kl_divergence(const LogSoftmax& p, const LogSoftmax& q) {
    HONE_CHECK_EQ(p.logits.size(), q.logits.size());
    double kl = 0;
    for (size_t i = 0; i < p.logits.size(); ++i) {
        const double log_p = p.logits[i] - p.log_sum;
        kl += std::exp(log_p) * (log_p - (q.logits[i] - q.log_sum));
    }
    return std::max(kl, 0.0);  // rounding may go below
}

}  // namespace hone::runtime
