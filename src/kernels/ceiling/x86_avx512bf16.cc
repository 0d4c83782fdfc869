#include <immintrin.h>

#include "kernels/ceiling/entries.h"

namespace hone::kernels::ceiling_avx512bf16 {
namespace {

using F = __m512;
using I = __m512i;
constexpr size_t kVectorBytes = 64;
constexpr size_t kDotChains = 12;
constexpr size_t kDotMacs = kVectorBytes;

// The empty statement hides a value, so that nothing can be computed ahead of the loop.
template <class V>
void hide(V& x) noexcept {
    asm volatile("" : "+v"(x));
}
I load(const void* at) noexcept {
    return _mm512_loadu_si512(static_cast<const I*>(at));
}
void store(void* at, I x) noexcept {
    _mm512_storeu_si512(static_cast<I*>(at), x);
}
void stream(void* at, I x) noexcept {
    _mm512_stream_si512(static_cast<I*>(at), x);
}
F set_f(float x) noexcept {
    return _mm512_set1_ps(x);
}
void store_f(float* at, F x) noexcept {
    _mm512_storeu_ps(at, x);
}
I add64(I a, I b) noexcept {
    return _mm512_add_epi64(a, b);
}
I add32(I a, I b) noexcept {
    return _mm512_add_epi32(a, b);
}
F fma(F a, F x, F y) noexcept {
    return _mm512_fmadd_ps(a, x, y);
}
I dot(I acc, I u, I s) noexcept {
    return _mm512_dpbusd_epi32(acc, u, s);
}

}  // namespace

#include "kernels/ceiling/ceiling_inl.h"

double bf16_dot(size_t iterations, float* sink) noexcept {
    // The bits of bf16 1.0 in every half lane.
    I ones = _mm512_set1_epi16(0x3f80);
    hide(ones);
    F sums[kChains];
    for (F& sum : sums) sum = _mm512_setzero_ps();
    for (size_t round = 0; round < iterations; ++round) {
        for (F& sum : sums) sum = _mm512_dpbf16_ps(sum, (__m512bh)ones, (__m512bh)ones);
    }
    float lanes[kVectorBytes / 4];
    float total = 0.0f;
    for (const F& sum : sums) {
        store_f(lanes, sum);
        for (float lane : lanes) total += lane;
    }
    *sink = total;
    return static_cast<double>(iterations) * kChains * (kVectorBytes / 2) * 2;
}

}  // namespace hone::kernels::ceiling_avx512bf16
