#include "graph/constant_ops.h"

#include <cmath>

#include "base/check.h"

namespace hone::graph {

void scale_values(std::span<const float> x, float factor, std::span<float> out) {
    HONE_CHECK_EQ(x.size(), out.size());
    for (size_t i = 0; i < x.size(); ++i) out[i] = x[i] * factor;
}

void rope_table_values(std::span<const float> inverse_frequencies, uint32_t positions,
                       float magnitude, std::span<float> out) {
    const size_t n = inverse_frequencies.size();
    HONE_CHECK_EQ(out.size(), size_t{positions} * n * 2);
    for (uint32_t p = 0; p < positions; ++p) {
        for (size_t i = 0; i < n; ++i) {
            const double angle = double{inverse_frequencies[i]} * p;
            out[(size_t{p} * n + i) * 2] = static_cast<float>(double{magnitude} * std::cos(angle));
            out[(size_t{p} * n + i) * 2 + 1] =
                static_cast<float>(double{magnitude} * std::sin(angle));
        }
    }
}

}  // namespace hone::graph
