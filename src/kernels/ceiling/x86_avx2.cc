#include <immintrin.h>

#include "kernels/ceiling/entries.h"

namespace hone::kernels::ceiling_avx2 {
namespace {

using F = __m256;
using I = __m256i;
constexpr size_t kVectorBytes = 32;
constexpr size_t kDotChains = 4;
constexpr size_t kDotMacs = 8 * kVectorBytes;

// The empty statement hides a value, so that nothing can be computed ahead of the loop.
template <class V>
void hide(V& x) noexcept {
    asm volatile("" : "+x"(x));
}
I load(const void* at) noexcept {
    return _mm256_loadu_si256(static_cast<const I*>(at));
}
void store(void* at, I x) noexcept {
    _mm256_storeu_si256(static_cast<I*>(at), x);
}
void stream(void* at, I x) noexcept {
    _mm256_stream_si256(static_cast<I*>(at), x);
}
F set_f(float x) noexcept {
    return _mm256_set1_ps(x);
}
void store_f(float* at, F x) noexcept {
    _mm256_storeu_ps(at, x);
}
I add64(I a, I b) noexcept {
    return _mm256_add_epi64(a, b);
}
I add32(I a, I b) noexcept {
    return _mm256_add_epi32(a, b);
}
F fma(F a, F x, F y) noexcept {
    return _mm256_fmadd_ps(a, x, y);
}

// Eight products of 4-bit u8 fit a 16-bit lane (8 * 2 * 15 * 127 = 30480), so one widening serves
// eight multiplies: the best form for weights of up to 4 bits.
I dot(I acc, I u, I s) noexcept {
    hide(u);
    I pairs = _mm256_maddubs_epi16(u, s);
    for (int i = 1; i < 8; ++i) {
        hide(u);
        pairs = _mm256_add_epi16(pairs, _mm256_maddubs_epi16(u, s));
    }
    hide(pairs);
    return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, s));
}

}  // namespace

#include "kernels/ceiling/ceiling_inl.h"

}  // namespace hone::kernels::ceiling_avx2
