#include "compress/block_fit.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace hone::compress {
namespace {

// Four floats of one SSE register (an extension of GCC and Clang): sums that are kept in lanes are
// added in one order on every machine, which a compiler may not do with a plain loop.
using Lanes = float __attribute__((vector_size(16)));
constexpr int kLanes = 4;
// Adding and subtracting 1.5 * 2^23 rounds |x| < 2^22 to the nearest whole number, ties to even.
constexpr float kRounder = 12582912.0f;
constexpr int kPolishRounds = 3;
// Below this share of its largest value a determinant is rounding.
constexpr float kDeterminantMin = 1e-6f;

Lanes load(const float* from) {
    Lanes lanes;
    __builtin_memcpy(&lanes, from, sizeof(lanes));
    return lanes;
}

Lanes spread(float value) {
    return Lanes{value, value, value, value};
}

float sum(Lanes lanes) {
    return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
}

Lanes clamp_round(Lanes x, Lanes low, Lanes high) {
    const Lanes above = x > low ? x : low;
    const Lanes inside = above < high ? above : high;
    return (inside + kRounder) - kRounder;
}

template <int N>
float largest_magnitude(const float* x) {
    float magnitude = 0;
    for (int i = 0; i < N; ++i) magnitude = std::max(magnitude, std::fabs(x[i]));
    return magnitude;
}

// Where the largest magnitude may land among the codes: [first, last] in steps.
struct Reach {
    float first;
    float last;
    float step;
};

Reach reach_of(float low) {
    if (low <= -100) return {125.5f, 128.0f, 0.5f};
    if (low <= -32) return {26.0f, 32.75f, 0.75f};
    if (low <= -16) return {11.0f, 16.75f, 0.375f};
    return {4.5f, 8.75f, 0.25f};
}

template <int N>
CodeSums level_sums(const float* x, const float* w, float inverse_scale) {
    Lanes qq{}, xq{};
    for (int i = 0; i < N; i += kLanes) {
        const Lanes value = load(x + i);
        const Lanes scaled = value * inverse_scale;
        Lanes level = spread(kNonlinearLevels[0]);
        for (size_t k = 1; k < kNonlinearLevels.size(); ++k) {
            const Lanes middle = spread(0.5f * (kNonlinearLevels[k - 1] + kNonlinearLevels[k]));
            level = scaled > middle ? spread(kNonlinearLevels[k]) : level;
        }
        const Lanes weighted = load(w + i) * level;
        qq += weighted * level;
        xq += weighted * value;
    }
    return {0, sum(qq), sum(xq)};
}

// The scale of the best score xq^2 / qq among candidates, then alternating steps from there.
template <class Sums>
float search_scale(float magnitude, Reach reach, bool both_signs, Sums&& sums) {
    float best_score = 0;
    float best = 0;
    for (float target = reach.first; target <= reach.last; target += reach.step) {
        for (const float sign : {1.0f, -1.0f}) {
            if (sign < 0 && !both_signs) continue;
            const CodeSums s = sums(sign * target / magnitude);
            if (s.qq > 0 && s.xq * s.xq > best_score * s.qq) {
                best_score = s.xq * s.xq / s.qq;
                best = s.xq / s.qq;
            }
        }
    }
    for (int round = 0; round < kPolishRounds && best != 0; ++round) {
        const CodeSums s = sums(1.0f / best);
        if (!(s.qq > 0) || s.xq * s.xq <= best_score * s.qq) break;
        best_score = s.xq * s.xq / s.qq;
        best = s.xq / s.qq;
    }
    return best;
}

// Least squares of y ~ scale q + minimum, where sums are over y = x - low >= 0.
struct AffineProblem {
    float w = 0;   // sum of w
    float y = 0;   // of w y
    float yy = 0;  // of w y^2
    float minimum_max = INFINITY;

    AffineFit solve(const CodeSums& s) const {
        const float determinant = w * s.qq - s.q * s.q;
        if (!(determinant > kDeterminantMin * w * s.qq)) return solve_one_code(s);
        AffineFit fit{(w * s.xq - y * s.q) / determinant, (s.qq * y - s.q * s.xq) / determinant};
        if (fit.minimum > minimum_max) {
            fit.minimum = minimum_max;
            fit.scale = (s.xq - minimum_max * s.q) / s.qq;
        }
        return fit;
    }
    // All elements have one code: a minimum alone does, where it may be as large.
    AffineFit solve_one_code(const CodeSums& s) const {
        if (y / w <= minimum_max || !(s.qq > 0)) return {0, std::min(y / w, minimum_max)};
        return {(s.xq - minimum_max * s.q) / s.qq, minimum_max};
    }
    float error(const CodeSums& s, AffineFit f) const {
        return yy + f.scale * (f.scale * s.qq - 2 * s.xq + 2 * f.minimum * s.q) +
               f.minimum * (f.minimum * w - 2 * y);
    }
};

template <int N>
CodeSums affine_sums(const float* y, const float* w, float inverse_scale, float minimum,
                     float levels) {
    Lanes q{}, qq{}, xq{};
    for (int i = 0; i < N; i += kLanes) {
        const Lanes value = load(y + i);
        const Lanes scaled = (value - minimum) * inverse_scale;
        const Lanes code = clamp_round(scaled, Lanes{}, spread(levels));
        const Lanes weighted = load(w + i) * code;
        q += weighted;
        qq += weighted * code;
        xq += weighted * value;
    }
    return {sum(q), sum(qq), sum(xq)};
}

// How many steps of the grid are cut off at each end, in the search for an affine fit.
constexpr std::array<float, 7> kCuts{-0.4f, 0.0f, 0.3f, 0.6f, 0.9f, 1.3f, 1.8f};

}  // namespace

template <int N>
CodeSums scale_sums(const float* x, const float* w, float inverse_scale, float low, float high) {
    Lanes qq{}, xq{};
    for (int i = 0; i < N; i += kLanes) {
        const Lanes value = load(x + i);
        const Lanes code = clamp_round(value * inverse_scale, spread(low), spread(high));
        const Lanes weighted = load(w + i) * code;
        qq += weighted * code;
        xq += weighted * value;
    }
    return {0, sum(qq), sum(xq)};
}

template <int N>
float grid_error(const float* x, const float* w, AffineFit grid, float low, float high) {
    const float inverse = grid.scale != 0 ? 1.0f / grid.scale : 0.0f;
    Lanes error{};
    for (int i = 0; i < N; i += kLanes) {
        const Lanes value = load(x + i) - grid.minimum;
        const Lanes code = clamp_round(value * inverse, spread(low), spread(high));
        const Lanes off = value - grid.scale * code;
        error += load(w + i) * off * off;
    }
    return sum(error);
}

template <int N>
float fit_scale(const float* x, const float* w, float low, float high) {
    const float magnitude = largest_magnitude<N>(x);
    if (!(magnitude > 0)) return 0;
    return search_scale(magnitude, reach_of(low), low + high != 0, [&](float inverse_scale) {
        return scale_sums<N>(x, w, inverse_scale, low, high);
    });
}

template <int N>
float fit_levels(const float* x, const float* w) {
    const float magnitude = largest_magnitude<N>(x);
    if (!(magnitude > 0)) return 0;
    return search_scale(magnitude, {84.0f, 132.0f, 3.0f}, true,
                        [&](float inverse_scale) { return level_sums<N>(x, w, inverse_scale); });
}

template <int N>
AffineFit fit_affine(const float* x, const float* w, float levels, bool nonpositive_minimum) {
    float low = *std::min_element(x, x + N);
    if (nonpositive_minimum) low = std::min(low, 0.0f);
    const float high = *std::max_element(x, x + N);
    if (!(high > low)) return {0, low};
    std::array<float, N> y;
    AffineProblem problem;
    for (int i = 0; i < N; ++i) {
        y[i] = x[i] - low;
        problem.w += w[i];
        problem.y += w[i] * y[i];
        problem.yy += w[i] * y[i] * y[i];
    }
    if (nonpositive_minimum) problem.minimum_max = -low;
    const float range = high - low;
    const float step = range / levels;
    AffineFit best;
    float best_error = INFINITY;
    const auto consider = [&](float inverse_scale, float minimum) {
        const CodeSums s = affine_sums<N>(y.data(), w, inverse_scale, minimum, levels);
        const AffineFit fit = problem.solve(s);
        const float error = problem.error(s, fit);
        if (!(error < best_error)) return false;
        best_error = error;
        best = fit;
        return true;
    };
    for (const float bottom : kCuts) {
        for (const float top : kCuts) {
            consider(levels / (range - (bottom + top) * step), bottom * step);
        }
    }
    for (int round = 0; round < kPolishRounds && best.scale != 0; ++round) {
        if (!consider(1.0f / best.scale, best.minimum)) break;
    }
    return {best.scale, best.minimum + low};
}

template CodeSums scale_sums<16>(const float*, const float*, float, float, float);
template CodeSums scale_sums<32>(const float*, const float*, float, float, float);
template float grid_error<16>(const float*, const float*, AffineFit, float, float);
template float grid_error<32>(const float*, const float*, AffineFit, float, float);
template float fit_scale<16>(const float*, const float*, float, float);
template float fit_scale<32>(const float*, const float*, float, float);
template float fit_levels<32>(const float*, const float*);
template AffineFit fit_affine<32>(const float*, const float*, float, bool);

}  // namespace hone::compress
