// The formulas of rows/rows.h, one value after the other. Never optimized: tests compare with it.
#include <algorithm>
#include <cmath>

#include "kernels/rows/entries.h"

namespace hone::kernels::rows_reference {
namespace {

float activated(Activation activation, float gate) {
    if (activation == Activation::silu) return gate / (1.0f + std::exp(-gate));
    if (activation == Activation::gelu) return gate * 0.5f * std::erfc(-0.707106781f * gate);
    constexpr float kRootTwoOverPi = 0.797884561f;
    const float inner = kRootTwoOverPi * (gate + 0.044715f * gate * gate * gate);
    // As written, 0.5 g (1 + tanh) would lose the small results of negative gates.
    return gate / (1.0f + std::exp(-2.0f * inner));
}

// One block of 32: values -> q, scale and sums of block `block` of row `row`.
void quantize_block(const float* x, const QuantizedRows& out, size_t row, size_t block) {
    float amax = 0.0f;
    for (size_t i = 0; i < kBlock; ++i) amax = std::max(amax, std::fabs(x[i]));
    const bool zero = amax <= kQuantizeTiny;
    const float inverse = zero ? 0.0f : 127.0f / amax;
    const float scale = zero ? 0.0f : amax / 127.0f;
    int sums[2] = {0, 0};
    int8_t* q = out.q + row * out.columns + block * kBlock;
    for (size_t i = 0; i < kBlock; ++i) {
        q[i] = static_cast<int8_t>(std::lrintf(x[i] * inverse));
        sums[i / 16] += q[i];
    }
    const size_t at = row * (out.columns / kBlock) + block;
    out.scale[at] = scale;
    out.scaled_sum[at] = scale * static_cast<float>(sums[0] + sums[1]);
    out.sum16[2 * at] = static_cast<int16_t>(sums[0]);
    out.sum16[2 * at + 1] = static_cast<int16_t>(sums[1]);
}

float inverse_rms(const float* x, float epsilon, size_t columns) {
    double sum = 0.0;
    for (size_t i = 0; i < columns; ++i) sum += static_cast<double>(x[i]) * x[i];
    return static_cast<float>(1.0 / std::sqrt(sum / static_cast<double>(columns) + epsilon));
}

struct Center {
    double mean;
    double factor;

    float operator()(float x, float weight, float bias) const {
        return static_cast<float>((x - mean) * factor * static_cast<double>(weight) +
                                  static_cast<double>(bias));
    }
};

Center center_of(const float* x, float epsilon, size_t columns) {
    double sum = 0.0;
    for (size_t i = 0; i < columns; ++i) sum += static_cast<double>(x[i]);
    const double mean = sum / static_cast<double>(columns);
    double squares = 0.0;
    for (size_t i = 0; i < columns; ++i) squares += (x[i] - mean) * (x[i] - mean);
    return {mean, 1.0 / std::sqrt(squares / static_cast<double>(columns) + epsilon)};
}

}  // namespace

void rms_norm(const float* x, const float* weight, float epsilon, size_t columns,
              float* y) noexcept {
    const float factor = inverse_rms(x, epsilon, columns);
    for (size_t i = 0; i < columns; ++i) y[i] = x[i] * factor * weight[i];
}

void quantize(const float* x, const QuantizedRows& out, size_t row) noexcept {
    for (size_t block = 0; block < out.columns / kBlock; ++block) {
        quantize_block(x + block * kBlock, out, row, block);
    }
}

void rms_norm_quantize(const float* x, const float* weight, float epsilon, const QuantizedRows& out,
                       size_t row) noexcept {
    const float factor = inverse_rms(x, epsilon, out.columns);
    float y[kBlock];
    for (size_t block = 0; block < out.columns / kBlock; ++block) {
        const size_t begin = block * kBlock;
        for (size_t i = 0; i < kBlock; ++i) y[i] = x[begin + i] * factor * weight[begin + i];
        quantize_block(y, out, row, block);
    }
}

void rms_norm_add(const float* x, const float* weight, float epsilon, const float* residual,
                  size_t columns, float* y) noexcept {
    const float factor = inverse_rms(x, epsilon, columns);
    for (size_t i = 0; i < columns; ++i) y[i] = residual[i] + x[i] * factor * weight[i];
}

void layer_norm(const float* x, const float* weight, const float* bias, float epsilon,
                size_t columns, float* y) noexcept {
    const Center center = center_of(x, epsilon, columns);
    for (size_t i = 0; i < columns; ++i) {
        y[i] = center(x[i], weight[i], bias == nullptr ? 0.0f : bias[i]);
    }
}

void layer_norm_quantize(const float* x, const float* weight, const float* bias, float epsilon,
                         const QuantizedRows& out, size_t row) noexcept {
    const Center center = center_of(x, epsilon, out.columns);
    float y[kBlock];
    for (size_t block = 0; block < out.columns / kBlock; ++block) {
        const size_t begin = block * kBlock;
        for (size_t i = 0; i < kBlock; ++i) {
            const float added = bias == nullptr ? 0.0f : bias[begin + i];
            y[i] = center(x[begin + i], weight[begin + i], added);
        }
        quantize_block(y, out, row, block);
    }
}

void activate(Activation activation, const float* x, size_t n, float* y) noexcept {
    for (size_t i = 0; i < n; ++i) y[i] = activated(activation, x[i]);
}

void gated(Activation activation, const float* gate, const float* up, size_t n, float* y) noexcept {
    for (size_t i = 0; i < n; ++i) y[i] = activated(activation, gate[i]) * up[i];
}

void gated_quantize(Activation activation, const float* gate, const float* up, size_t n,
                    const QuantizedRows& out, size_t row, size_t column_begin) noexcept {
    float y[kBlock];
    for (size_t begin = 0; begin < n; begin += kBlock) {
        gated(activation, gate + begin, up + begin, kBlock, y);
        quantize_block(y, out, row, (column_begin + begin) / kBlock);
    }
}

void soft_cap(const float* x, float cap, size_t n, float* y) noexcept {
    for (size_t i = 0; i < n; ++i) y[i] = cap * std::tanh(x[i] / cap);
}

void add(const float* x, size_t n, float* y) noexcept {
    for (size_t i = 0; i < n; ++i) y[i] += x[i];
}

size_t argmax(const float* x, size_t n) noexcept {
    size_t best = 0;
    for (size_t i = 1; i < n; ++i) {
        if (x[i] > x[best]) best = i;
    }
    return best;
}

}  // namespace hone::kernels::rows_reference
