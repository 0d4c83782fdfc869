#include "compress/block_grid.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "compress/block_fit.h"
#include "tensor/half.h"

namespace hone::compress {
namespace {

using tensor::DType;
using tensor::f16_to_f32;
using tensor::f32_to_f16;

// A scale beyond the largest half would be stored as infinity.
uint16_t to_half(float value) {
    return f32_to_f16(std::clamp(value, -tensor::kHalfMax, tensor::kHalfMax));
}

float inverse(float scale) {
    return scale != 0 ? 1.0f / scale : 0.0f;
}

BlockGrid fit_single(const GridShape& shape, const float* x, const float* w) {
    BlockGrid grid;
    if (shape.affine) {
        const AffineFit fit = fit_affine<32>(x, w, static_cast<float>(shape.high), false);
        grid.d = to_half(fit.scale);
        grid.scale[0] = f16_to_f32(grid.d);
        // With the scale as stored, the best minimum is another one.
        float sum_w = 0, sum_off = 0;
        for (int i = 0; i < 32; ++i) {
            const float code = std::nearbyint((x[i] - fit.minimum) * inverse(grid.scale[0]));
            const float inside = std::clamp(code, 0.0f, static_cast<float>(shape.high));
            sum_w += w[i];
            sum_off += w[i] * (x[i] - grid.scale[0] * inside);
        }
        grid.m = to_half(sum_off / sum_w);
        grid.minimum[0] = f16_to_f32(grid.m);
        return grid;
    }
    const float scale = shape.nonlinear ? fit_levels<32>(x, w)
                                        : fit_scale<32>(x, w, static_cast<float>(shape.low),
                                                        static_cast<float>(shape.high));
    grid.d = to_half(scale);
    grid.scale[0] = f16_to_f32(grid.d);
    return grid;
}

// Sums of the normal equations for the two super-scales of a block.
struct SuperSums {
    double aa = 0, ab = 0, bb = 0, ax = 0, bx = 0;
};

constexpr int kSuperGroups = 8;
constexpr int kSuperMax = 63;
constexpr int kSuperRounds = 3;

// Q4_K and Q5_K: the groups' fits are rounded to multiples of two super-scales; then multiples and
// super-scales are improved in turns.
class SuperAffine {
  public:
    SuperAffine(const GridShape& shape, const float* x, const float* w)
        : high_(static_cast<float>(shape.high)), x_(x), w_(w) {}

    BlockGrid fit() {
        float scale_max = 0, offset_max = 0;
        for (int g = 0; g < kSuperGroups; ++g) {
            const AffineFit fit = fit_affine<32>(x_ + 32 * g, w_ + 32 * g, high_, true);
            fits_[g] = {fit.scale, -fit.minimum};
            scale_max = std::max(scale_max, fits_[g].scale);
            offset_max = std::max(offset_max, fits_[g].minimum);
        }
        store(scale_max / kSuperMax, offset_max / kSuperMax);
        round_groups();
        for (int round = 0; round < kSuperRounds; ++round) {
            choose_groups();
            refit();
        }
        choose_groups();
        return grid_;
    }

  private:
    void store(float d, float m) {
        grid_.d = to_half(d);
        grid_.m = to_half(m);
        d_ = f16_to_f32(grid_.d);
        m_ = f16_to_f32(grid_.m);
    }
    static int8_t multiple(float value, float unit) {
        const float ratio = std::nearbyint(value * inverse(unit));
        return static_cast<int8_t>(std::clamp(ratio, 0.0f, static_cast<float>(kSuperMax)));
    }
    void set_group(int g, int scale, int offset) {
        grid_.group_scale[g] = static_cast<int8_t>(scale);
        grid_.group_minimum[g] = static_cast<int8_t>(offset);
        grid_.scale[g] = d_ * static_cast<float>(scale);
        grid_.minimum[g] = -m_ * static_cast<float>(offset);
    }
    void round_groups() {
        for (int g = 0; g < kSuperGroups; ++g) {
            set_group(g, multiple(fits_[g].scale, d_), multiple(fits_[g].minimum, m_));
        }
    }
    // The best of the neighbouring multiples of each group.
    void choose_groups() {
        for (int g = 0; g < kSuperGroups; ++g) {
            const int scale = grid_.group_scale[g], offset = grid_.group_minimum[g];
            float best = INFINITY;
            int best_scale = scale, best_offset = offset;
            for (int s = std::max(0, scale - 1); s <= std::min(kSuperMax, scale + 1); ++s) {
                for (int o = std::max(0, offset - 1); o <= std::min(kSuperMax, offset + 1); ++o) {
                    const AffineFit grid{d_ * static_cast<float>(s), -m_ * static_cast<float>(o)};
                    const float error = grid_error<32>(x_ + 32 * g, w_ + 32 * g, grid, 0, high_);
                    if (error >= best) continue;
                    best = error;
                    best_scale = s;
                    best_offset = o;
                }
            }
            set_group(g, best_scale, best_offset);
        }
    }
    // Least squares for both super-scales under the codes of now: x ~ d (s q) - m o.
    void refit() {
        SuperSums sums;
        for (int i = 0; i < 32 * kSuperGroups; ++i) {
            const int g = i / 32;
            const float code = std::clamp(
                std::nearbyint((x_[i] - grid_.minimum[g]) * inverse(grid_.scale[g])), 0.0f, high_);
            const double a = static_cast<double>(grid_.group_scale[g]) * code;
            const double b = -static_cast<double>(grid_.group_minimum[g]);
            sums.aa += w_[i] * a * a;
            sums.ab += w_[i] * a * b;
            sums.bb += w_[i] * b * b;
            sums.ax += w_[i] * a * x_[i];
            sums.bx += w_[i] * b * x_[i];
        }
        const double determinant = sums.aa * sums.bb - sums.ab * sums.ab;
        double d = d_, m = m_;
        if (determinant > 1e-12 * sums.aa * sums.bb) {
            d = (sums.ax * sums.bb - sums.bx * sums.ab) / determinant;
            m = (sums.bx * sums.aa - sums.ax * sums.ab) / determinant;
        } else if (sums.aa > 0) {
            d = (sums.ax - m * sums.ab) / sums.aa;
        }
        if (!(d > 0) || m < 0) return;
        store(static_cast<float>(d), static_cast<float>(m));
        for (int g = 0; g < kSuperGroups; ++g) {
            set_group(g, grid_.group_scale[g], grid_.group_minimum[g]);
        }
    }

    float high_;
    const float* x_;
    const float* w_;
    float d_ = 0, m_ = 0;
    std::array<AffineFit, kSuperGroups> fits_;  // minimum holds the offset, its negative
    BlockGrid grid_;
};

// Q6_K: as above with one super-scale, signed multiples and groups of 16.
class SuperSymmetric {
  public:
    SuperSymmetric(const GridShape& shape, const float* x, const float* w)
        : groups_(shape.groups),
          low_(static_cast<float>(shape.low)),
          high_(static_cast<float>(shape.high)),
          x_(x),
          w_(w) {}

    BlockGrid fit() {
        std::array<float, kGroupsMax> scales{};
        float extreme = 0;
        for (int g = 0; g < groups_; ++g) {
            scales[g] = fit_scale<16>(x_ + 16 * g, w_ + 16 * g, low_, high_);
            if (std::fabs(scales[g]) > std::fabs(extreme)) extreme = scales[g];
        }
        store(extreme / -128.0f);
        for (int g = 0; g < groups_; ++g) {
            const float multiple = std::nearbyint(scales[g] * inverse(d_));
            set_group(g, static_cast<int>(std::clamp(multiple, -128.0f, 127.0f)));
        }
        for (int round = 0; round < kSuperRounds; ++round) {
            choose_groups();
            refit();
        }
        choose_groups();
        return grid_;
    }

  private:
    void store(float d) {
        grid_.d = to_half(d);
        d_ = f16_to_f32(grid_.d);
    }
    void set_group(int g, int scale) {
        grid_.group_scale[g] = static_cast<int8_t>(scale);
        grid_.scale[g] = d_ * static_cast<float>(scale);
    }
    void choose_groups() {
        for (int g = 0; g < groups_; ++g) {
            const int scale = grid_.group_scale[g];
            float best = INFINITY;
            int best_scale = scale;
            for (int s = std::max(-128, scale - 1); s <= std::min(127, scale + 1); ++s) {
                const AffineFit grid{d_ * static_cast<float>(s), 0};
                const float error = grid_error<16>(x_ + 16 * g, w_ + 16 * g, grid, low_, high_);
                if (error >= best) continue;
                best = error;
                best_scale = s;
            }
            set_group(g, best_scale);
        }
    }
    void refit() {
        double aa = 0, ax = 0;
        for (int i = 0; i < 16 * groups_; ++i) {
            const int g = i / 16;
            const float code =
                std::clamp(std::nearbyint(x_[i] * inverse(grid_.scale[g])), low_, high_);
            const double a = static_cast<double>(grid_.group_scale[g]) * code;
            aa += w_[i] * a * a;
            ax += w_[i] * a * x_[i];
        }
        if (!(aa > 0)) return;
        store(static_cast<float>(ax / aa));
        for (int g = 0; g < groups_; ++g) set_group(g, grid_.group_scale[g]);
    }

    int groups_;
    float low_, high_;
    const float* x_;
    const float* w_;
    float d_ = 0;
    BlockGrid grid_;
};

}  // namespace

bool has_grid(DType dtype) {
    switch (dtype) {
        case DType::q4_0:
        case DType::q4_1:
        case DType::q5_0:
        case DType::q5_1:
        case DType::q8_0:
        case DType::q4_k:
        case DType::q5_k:
        case DType::q6_k:
        case DType::iq4_nl:
            return true;
        default:
            return false;
    }
}

GridShape grid_shape(DType dtype) {
    HONE_CHECK(has_grid(dtype));
    switch (dtype) {
        case DType::q4_0:
            return {.low = -8, .high = 7};
        case DType::q4_1:
            return {.high = 15, .affine = true};
        case DType::q5_0:
            return {.low = -16, .high = 15};
        case DType::q5_1:
            return {.high = 31, .affine = true};
        case DType::q4_k:
            return {.groups = kSuperGroups, .high = 15, .affine = true};
        case DType::q5_k:
            return {.groups = kSuperGroups, .high = 31, .affine = true};
        case DType::q6_k:
            return {.group_elements = 16, .groups = 16, .low = -32, .high = 31};
        case DType::iq4_nl:
            return {.high = 15, .nonlinear = true};
        default:
            return {.low = -127, .high = 127};  // Q8_0
    }
}

BlockGrid fit_grid(DType dtype, const float* x, const float* w) {
    const GridShape shape = grid_shape(dtype);
    if (shape.groups == 1) return fit_single(shape, x, w);
    return shape.affine ? SuperAffine(shape, x, w).fit() : SuperSymmetric(shape, x, w).fit();
}

int nearest_code(const GridShape& shape, const BlockGrid& grid, int group, float x) {
    const float scaled = (x - grid.minimum[group]) * inverse(grid.scale[group]);
    if (shape.nonlinear) {
        int code = 0;
        for (size_t k = 1; k < kNonlinearLevels.size(); ++k) {
            code += scaled > 0.5f * (kNonlinearLevels[k - 1] + kNonlinearLevels[k]) ? 1 : 0;
        }
        return code;
    }
    const float inside =
        std::clamp(scaled, static_cast<float>(shape.low), static_cast<float>(shape.high));
    return static_cast<int>(std::nearbyint(inside));
}

float code_value(const GridShape& shape, const BlockGrid& grid, int group, int code) {
    const float level =
        shape.nonlinear ? kNonlinearLevels[static_cast<size_t>(code)] : static_cast<float>(code);
    return grid.scale[group] * level + grid.minimum[group];
}

void nearest_codes(const GridShape& shape, const BlockGrid& grid, const float* x,
                   BlockCodes& codes) {
    for (int i = 0; i < shape.elements(); ++i) {
        const int group = i / shape.group_elements;
        codes[i] = static_cast<int8_t>(nearest_code(shape, grid, group, x[i]));
    }
}

}  // namespace hone::compress
