#include "models/rope.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace hone::models {
namespace {

// The pair that turns `turns` times within the original context; between pairs.
double pair_of_turns(uint32_t dims, double base, const RopeScaling& scaling, double turns) {
    return dims * std::log(scaling.original_context / (turns * 2 * M_PI)) / (2 * std::log(base));
}

// How far each pair is shrunk, 0 to 1: a ramp between the two limits, which are whole pairs.
std::vector<double> yarn_ramp(uint32_t dims, double base, const RopeScaling& scaling) {
    const double fast = std::floor(pair_of_turns(dims, base, scaling, double{scaling.beta_fast}));
    const double slow = std::ceil(pair_of_turns(dims, base, scaling, double{scaling.beta_slow}));
    const double low = std::max(fast, 0.0);
    const double high = std::min(slow, static_cast<double>(dims) - 1);
    std::vector<double> ramp(dims / 2);
    for (size_t i = 0; i < ramp.size(); ++i) {
        // Limits that meet are a step.
        const double at = (static_cast<double>(i) - low) / std::max(high - low, 0.001);
        ramp[i] = std::clamp(at, 0.0, 1.0);
    }
    return ramp;
}

}  // namespace

std::vector<float> rope_frequencies(uint32_t dims, float base, const RopeScaling& scaling,
                                    std::span<const float> factors) {
    HONE_CHECK(factors.empty() || factors.size() == dims / 2);
    std::vector<float> out(dims / 2);
    for (size_t i = 0; i < out.size(); ++i) {
        out[i] = static_cast<float>(std::pow(double{base}, -2.0 * static_cast<double>(i) / dims));
        if (!factors.empty()) out[i] /= factors[i];
    }
    if (scaling.kind != RopeScaling::Kind::yarn) return out;
    const std::vector<double> ramp = yarn_ramp(dims, double{base}, scaling);
    for (size_t i = 0; i < out.size(); ++i) {
        const double shrink = ramp[i] / double{scaling.factor} + (1 - ramp[i]);
        out[i] = static_cast<float>(double{out[i]} * shrink);
    }
    return out;
}

}  // namespace hone::models
