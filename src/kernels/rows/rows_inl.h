// The rows kernels of one ISA, written once over Highway's static target. An ISA file includes
// <hwy/highway.h> and kernels/rows/entries.h, defines HONE_ROWS_TARGET (its namespace), and, in an
// anonymous namespace there, the steps where the instruction is the idea:
//   nearest(x)           round to nearest even, as float
//   times_power(x, n)    x * 2^n for whole n in [-126, 127]
//   pack_block(const Words* n, int8_t* q, int32_t* sums)   32 int32 in [-127, 127], as vectors of
//       the ISA's own type, to 32 int8 and the two sums of 16
// and then includes this; nothing else may. All but the entry points is local to the file.
//
// Loops take whole vectors, then the rest value by value: no load ever leaves the row, so rows need
// no padding.
HWY_BEFORE_NAMESPACE();
namespace hone::kernels::HONE_ROWS_TARGET {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using V = hn::Vec<D>;

constexpr D d;
constexpr size_t kLanes = HWY_LANES(float);
constexpr size_t kVectors = kBlock / kLanes;  // of one block

// e^x for x clamped to [-87.3, 88.37], where 2^n stays a normal number. With n = round(x / ln 2)
// and r = x - n ln 2 in [-0.347, 0.347], e^x = 2^n e^r; the polynomial interpolates (e^r - 1) / r
// at the Chebyshev nodes of degree 5: 1e-8 relative before rounding. ln 2 is split in two so that
// n * kLn2High is exact (Cody and Waite 1980). Relative error < 2e-7, held by a test.
HWY_INLINE V exp(V x) {
    constexpr float kLog2E = 1.44269504f;
    constexpr float kLn2High = 0.693359375f;
    constexpr float kLn2Low = -2.12194440e-4f;
    x = hn::Min(hn::Max(x, hn::Set(d, -87.3f)), hn::Set(d, 88.37f));
    const V n = V{nearest(hn::Mul(x, hn::Set(d, kLog2E)).raw)};
    V r = hn::NegMulAdd(n, hn::Set(d, kLn2High), x);
    r = hn::NegMulAdd(n, hn::Set(d, kLn2Low), r);
    V p = hn::Set(d, 0.00139336416f);
    p = hn::MulAdd(p, r, hn::Set(d, 0.00836914871f));
    p = hn::MulAdd(p, r, hn::Set(d, 0.0416664667f));
    p = hn::MulAdd(p, r, hn::Set(d, 0.166665047f));
    p = hn::MulAdd(p, r, hn::Set(d, 0.5f));
    p = hn::MulAdd(p, r, hn::Set(d, 1.0f));
    p = hn::MulAdd(p, r, hn::Set(d, 1.0f));
    return V{times_power(p.raw, n.raw)};
}

// 1 / (1 + e^-x). The quotient by one Newton step on the reciprocal estimate (at least 11 bits, 22
// after the step; the next multiply-add removes what is left): half the time of a division, within
// 2e-7.
HWY_INLINE V sigmoid(V x) {
    const V denominator = hn::Add(hn::Set(d, 1.0f), exp(hn::Neg(x)));
    const V estimate = hn::ApproximateReciprocal(denominator);
    const V error = hn::NegMulAdd(denominator, estimate, hn::Set(d, 1.0f));
    return hn::MulAdd(estimate, error, estimate);
}

// Phi(x), the normal distribution function. With t = 1 / (1 + 0.35 |x|), Phi(-|x|) is
// e^(-x^2 / 2) t P(t), P of degree 8 through the Chebyshev nodes of t for |x| <= 14: 4e-8 relative
// before rounding, which the exponent's own rounding exceeds from |x| = 1 on.
HWY_INLINE V normal_distribution(V x) {
    const V size = hn::Abs(x);
    const V t = hn::Div(hn::Set(d, 1.0f), hn::MulAdd(size, hn::Set(d, 0.35f), hn::Set(d, 1.0f)));
    V p = hn::Set(d, -0.029679522f);
    p = hn::MulAdd(p, t, hn::Set(d, 0.14654583f));
    p = hn::MulAdd(p, t, hn::Set(d, -0.26096123f));
    p = hn::MulAdd(p, t, hn::Set(d, 0.165051f));
    p = hn::MulAdd(p, t, hn::Set(d, -0.027046608f));
    p = hn::MulAdd(p, t, hn::Set(d, 0.10711459f));
    p = hn::MulAdd(p, t, hn::Set(d, 0.119444914f));
    p = hn::MulAdd(p, t, hn::Set(d, 0.13991229f));
    p = hn::MulAdd(p, t, hn::Set(d, 0.13961871f));
    const V bell = exp(hn::Mul(hn::Mul(size, size), hn::Set(d, -0.5f)));
    const V tail = hn::Mul(bell, hn::Mul(t, p));
    return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), tail, hn::Sub(hn::Set(d, 1.0f), tail));
}

template <Activation kActivation>
HWY_INLINE V activated(V x) {
    if constexpr (kActivation == Activation::gelu) return hn::Mul(x, normal_distribution(x));
    V inner = x;
    if constexpr (kActivation == Activation::gelu_tanh) {
        constexpr float kLinear = 2 * 0.797884561f;  // 2 sqrt(2 / pi)
        const V square = hn::Mul(x, x);
        inner = hn::MulAdd(square, hn::Set(d, kLinear * 0.044715f), hn::Set(d, kLinear));
        inner = hn::Mul(x, inner);
    }
    return hn::Mul(x, sigmoid(inner));
}

// activation(gate) * up.
template <Activation kActivation>
HWY_INLINE V gated_product(V gate, V up) {
    return hn::Mul(activated<kActivation>(gate), up);
}

// tanh(z) = 2 sigmoid(2 z) - 1.
HWY_INLINE V capped(V x, V cap, V twice_inverse) {
    const V positive = sigmoid(hn::Mul(x, twice_inverse));
    return hn::Mul(cap, hn::Sub(hn::Add(positive, positive), hn::Set(d, 1.0f)));
}

// Loads n < kLanes values, zeros behind them.
HWY_INLINE V load_some(const float* x, size_t n) {
    float lanes[kLanes] = {};
    for (size_t i = 0; i < n; ++i) lanes[i] = x[i];
    return hn::LoadU(d, lanes);
}

HWY_INLINE void store_some(V v, float* y, size_t n) {
    float lanes[kLanes];
    hn::StoreU(v, d, lanes);
    for (size_t i = 0; i < n; ++i) y[i] = lanes[i];
}

HWY_INLINE float inverse_rms(const float* x, float epsilon, size_t columns) {
    V sums[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
    size_t i = 0;
    for (; i + 4 * kLanes <= columns; i += 4 * kLanes) {
        for (size_t j = 0; j < 4; ++j) {
            const V v = hn::LoadU(d, x + i + j * kLanes);
            sums[j] = hn::MulAdd(v, v, sums[j]);
        }
    }
    for (; i < columns; i += kLanes) {
        const V v = i + kLanes <= columns ? hn::LoadU(d, x + i) : load_some(x + i, columns - i);
        sums[0] = hn::MulAdd(v, v, sums[0]);
    }
    const V sum = hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3]));
    const float mean = hn::GetLane(hn::SumOfLanes(d, sum)) / static_cast<float>(columns);
    const V root = hn::Sqrt(hn::Set(d, mean + epsilon));
    return hn::GetLane(hn::Div(hn::Set(d, 1.0f), root));
}

HWY_INLINE V normalize(const float* x, const float* weight, V factor) {
    return hn::Mul(hn::Mul(hn::LoadU(d, x), factor), hn::LoadU(d, weight));
}

// What layer_norm takes off every value of a row and what it then multiplies with.
struct Center {
    V mean;
    V factor;
};

HWY_INLINE float mean_of(const float* x, size_t columns) {
    V sum = hn::Zero(d);
    size_t i = 0;
    for (; i + kLanes <= columns; i += kLanes) sum = hn::Add(sum, hn::LoadU(d, x + i));
    if (i < columns) sum = hn::Add(sum, load_some(x + i, columns - i));
    return hn::GetLane(hn::SumOfLanes(d, sum)) / static_cast<float>(columns);
}

HWY_INLINE Center center_of(const float* x, float epsilon, size_t columns) {
    const V mean = hn::Set(d, mean_of(x, columns));
    V sum = hn::Zero(d);
    size_t i = 0;
    for (; i + kLanes <= columns; i += kLanes) {
        const V v = hn::Sub(hn::LoadU(d, x + i), mean);
        sum = hn::MulAdd(v, v, sum);
    }
    float squares = hn::GetLane(hn::SumOfLanes(d, sum));
    for (; i < columns; ++i) {
        const float v = x[i] - hn::GetLane(mean);
        squares += v * v;
    }
    const V root = hn::Sqrt(hn::Set(d, squares / static_cast<float>(columns) + epsilon));
    return {mean, hn::Div(hn::Set(d, 1.0f), root)};
}

HWY_INLINE V center(V x, V weight, V bias, const Center& c) {
    return hn::MulAdd(hn::Mul(hn::Sub(x, c.mean), c.factor), weight, bias);
}

HWY_INLINE V load_bias(const float* bias, size_t i) {
    return bias == nullptr ? hn::Zero(d) : hn::LoadU(d, bias + i);
}

// Quantizes the 32 values of one block. Maximum, division, product and rounding are each exact or
// correctly rounded, so every ISA gives the same q.
HWY_INLINE void quantize_block(const V (&x)[kVectors], const QuantizedRows& out, size_t row,
                               size_t block) {
    V largest = hn::Abs(x[0]);
    for (size_t i = 1; i < kVectors; ++i) largest = hn::Max(largest, hn::Abs(x[i]));
    const float amax = hn::GetLane(hn::MaxOfLanes(d, largest));
    const bool zero = amax <= kQuantizeTiny;
    const V inverse = hn::Set(d, zero ? 0.0f : 127.0f / amax);
    const float scale = zero ? 0.0f : amax / 127.0f;

    Words words[kVectors];
    for (size_t i = 0; i < kVectors; ++i) words[i] = hn::NearestInt(hn::Mul(x[i], inverse)).raw;
    int32_t sums[2];
    pack_block(words, out.q + row * out.columns + block * kBlock, sums);
    const size_t at = row * (out.columns / kBlock) + block;
    out.scale[at] = scale;
    out.scaled_sum[at] = scale * static_cast<float>(sums[0] + sums[1]);
    out.sum16[2 * at] = static_cast<int16_t>(sums[0]);
    out.sum16[2 * at + 1] = static_cast<int16_t>(sums[1]);
}

}  // namespace

void rms_norm(const float* x, const float* weight, float epsilon, size_t columns,
              float* y) noexcept {
    const V factor = hn::Set(d, inverse_rms(x, epsilon, columns));
    size_t i = 0;
    for (; i + kLanes <= columns; i += kLanes) {
        hn::StoreU(normalize(x + i, weight + i, factor), d, y + i);
    }
    if (i == columns) return;
    const V scaled = hn::Mul(load_some(x + i, columns - i), factor);
    store_some(hn::Mul(scaled, load_some(weight + i, columns - i)), y + i, columns - i);
}

void quantize(const float* x, const QuantizedRows& out, size_t row) noexcept {
    for (size_t block = 0; block < out.columns / kBlock; ++block) {
        V values[kVectors];
        for (size_t i = 0; i < kVectors; ++i) {
            values[i] = hn::LoadU(d, x + block * kBlock + i * kLanes);
        }
        quantize_block(values, out, row, block);
    }
}

void rms_norm_quantize(const float* x, const float* weight, float epsilon, const QuantizedRows& out,
                       size_t row) noexcept {
    const V factor = hn::Set(d, inverse_rms(x, epsilon, out.columns));
    for (size_t block = 0; block < out.columns / kBlock; ++block) {
        V values[kVectors];
        for (size_t i = 0; i < kVectors; ++i) {
            const size_t at = block * kBlock + i * kLanes;
            values[i] = normalize(x + at, weight + at, factor);
        }
        quantize_block(values, out, row, block);
    }
}

void rms_norm_add(const float* x, const float* weight, float epsilon, const float* residual,
                  size_t columns, float* y) noexcept {
    const V factor = hn::Set(d, inverse_rms(x, epsilon, columns));
    size_t i = 0;
    for (; i + kLanes <= columns; i += kLanes) {
        const V normed = normalize(x + i, weight + i, factor);
        hn::StoreU(hn::Add(hn::LoadU(d, residual + i), normed), d, y + i);
    }
    if (i == columns) return;
    const V scaled = hn::Mul(load_some(x + i, columns - i), factor);
    const V normed = hn::Mul(scaled, load_some(weight + i, columns - i));
    store_some(hn::Add(load_some(residual + i, columns - i), normed), y + i, columns - i);
}

void layer_norm(const float* x, const float* weight, const float* bias, float epsilon,
                size_t columns, float* y) noexcept {
    const Center c = center_of(x, epsilon, columns);
    size_t i = 0;
    for (; i + kLanes <= columns; i += kLanes) {
        const V v = center(hn::LoadU(d, x + i), hn::LoadU(d, weight + i), load_bias(bias, i), c);
        hn::StoreU(v, d, y + i);
    }
    if (i == columns) return;
    const size_t n = columns - i;
    const V rest = bias == nullptr ? hn::Zero(d) : load_some(bias + i, n);
    store_some(center(load_some(x + i, n), load_some(weight + i, n), rest, c), y + i, n);
}

void layer_norm_quantize(const float* x, const float* weight, const float* bias, float epsilon,
                         const QuantizedRows& out, size_t row) noexcept {
    const Center c = center_of(x, epsilon, out.columns);
    for (size_t block = 0; block < out.columns / kBlock; ++block) {
        V values[kVectors];
        for (size_t i = 0; i < kVectors; ++i) {
            const size_t at = block * kBlock + i * kLanes;
            values[i] =
                center(hn::LoadU(d, x + at), hn::LoadU(d, weight + at), load_bias(bias, at), c);
        }
        quantize_block(values, out, row, block);
    }
}

namespace {

template <Activation kActivation>
HWY_INLINE void activate_row(const float* x, size_t n, float* y) {
    size_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
        hn::StoreU(activated<kActivation>(hn::LoadU(d, x + i)), d, y + i);
    }
    if (i == n) return;
    store_some(activated<kActivation>(load_some(x + i, n - i)), y + i, n - i);
}

template <Activation kActivation>
HWY_INLINE void gate_row(const float* gate, const float* up, size_t n, float* y) {
    size_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
        const V v = gated_product<kActivation>(hn::LoadU(d, gate + i), hn::LoadU(d, up + i));
        hn::StoreU(v, d, y + i);
    }
    if (i == n) return;
    const V rest = gated_product<kActivation>(load_some(gate + i, n - i), load_some(up + i, n - i));
    store_some(rest, y + i, n - i);
}

template <Activation kActivation>
HWY_INLINE void gate_blocks(const float* gate, const float* up, size_t n, const QuantizedRows& out,
                            size_t row, size_t column_begin) {
    for (size_t begin = 0; begin < n; begin += kBlock) {
        V values[kVectors];
        for (size_t i = 0; i < kVectors; ++i) {
            const size_t at = begin + i * kLanes;
            values[i] = gated_product<kActivation>(hn::LoadU(d, gate + at), hn::LoadU(d, up + at));
        }
        quantize_block(values, out, row, (column_begin + begin) / kBlock);
    }
}

}  // namespace

void activate(Activation activation, const float* x, size_t n, float* y) noexcept {
    switch (activation) {
        case Activation::silu:
            return activate_row<Activation::silu>(x, n, y);
        case Activation::gelu_tanh:
            return activate_row<Activation::gelu_tanh>(x, n, y);
        case Activation::gelu:
            return activate_row<Activation::gelu>(x, n, y);
    }
}

void gated(Activation activation, const float* gate, const float* up, size_t n, float* y) noexcept {
    switch (activation) {
        case Activation::silu:
            return gate_row<Activation::silu>(gate, up, n, y);
        case Activation::gelu_tanh:
            return gate_row<Activation::gelu_tanh>(gate, up, n, y);
        case Activation::gelu:
            return gate_row<Activation::gelu>(gate, up, n, y);
    }
}

void gated_quantize(Activation activation, const float* gate, const float* up, size_t n,
                    const QuantizedRows& out, size_t row, size_t column_begin) noexcept {
    switch (activation) {
        case Activation::silu:
            return gate_blocks<Activation::silu>(gate, up, n, out, row, column_begin);
        case Activation::gelu_tanh:
            return gate_blocks<Activation::gelu_tanh>(gate, up, n, out, row, column_begin);
        case Activation::gelu:
            return gate_blocks<Activation::gelu>(gate, up, n, out, row, column_begin);
    }
}

void soft_cap(const float* x, float cap, size_t n, float* y) noexcept {
    const V limit = hn::Set(d, cap);
    const V twice_inverse = hn::Set(d, 2.0f / cap);
    size_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
        hn::StoreU(capped(hn::LoadU(d, x + i), limit, twice_inverse), d, y + i);
    }
    if (i == n) return;
    store_some(capped(load_some(x + i, n - i), limit, twice_inverse), y + i, n - i);
}

void add(const float* x, size_t n, float* y) noexcept {
    size_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
        hn::StoreU(hn::Add(hn::LoadU(d, y + i), hn::LoadU(d, x + i)), d, y + i);
    }
    for (; i < n; ++i) y[i] += x[i];
}

size_t argmax(const float* x, size_t n) noexcept {
    // Finds the largest value first, then the first place that has it: two light passes, no index
    // vectors.
    float largest = x[0];
    size_t i = 0;
    if (n >= kLanes) {
        V tops[4];
        for (V& top : tops) top = hn::LoadU(d, x);
        for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
            for (size_t j = 0; j < 4; ++j) {
                tops[j] = hn::Max(tops[j], hn::LoadU(d, x + i + j * kLanes));
            }
        }
        for (; i + kLanes <= n; i += kLanes) tops[0] = hn::Max(tops[0], hn::LoadU(d, x + i));
        const V top = hn::Max(hn::Max(tops[0], tops[1]), hn::Max(tops[2], tops[3]));
        largest = hn::GetLane(hn::MaxOfLanes(d, top));
    }
    for (; i < n; ++i) largest = x[i] > largest ? x[i] : largest;

    const V wanted = hn::Set(d, largest);
    size_t at = 0;
    while (at + kLanes <= n && hn::AllFalse(d, hn::Eq(hn::LoadU(d, x + at), wanted))) at += kLanes;
    while (at < n && x[at] != largest) ++at;
    return at < n ? at : 0;
}

}  // namespace hone::kernels::HONE_ROWS_TARGET
HWY_AFTER_NAMESPACE();
