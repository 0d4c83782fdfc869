#include <immintrin.h>

#include "probe/plain_loops.h"

namespace hone::probe {

uint64_t plain_read(const uint64_t* words, size_t count) {
    __m256i a = _mm256_setzero_si256();
    __m256i b = a;
    __m256i c = a;
    __m256i d = a;
    for (size_t i = 0; i < count; i += 16) {
        const auto* at = reinterpret_cast<const __m256i*>(words + i);
        a = _mm256_xor_si256(a, _mm256_loadu_si256(at));
        b = _mm256_xor_si256(b, _mm256_loadu_si256(at + 1));
        c = _mm256_xor_si256(c, _mm256_loadu_si256(at + 2));
        d = _mm256_xor_si256(d, _mm256_loadu_si256(at + 3));
    }
    a = _mm256_xor_si256(_mm256_xor_si256(a, b), _mm256_xor_si256(c, d));
    return static_cast<uint64_t>(_mm256_extract_epi64(a, 0));
}

// The volatile start keeps the loop from being computed beforehand.
float plain_fma(size_t rounds) {
    volatile float start = 0.5f;
    const __m256 x = _mm256_set1_ps(start);
    __m256 sums[10];
    for (__m256& sum : sums) sum = _mm256_set1_ps(start);
    for (size_t i = 0; i < rounds; ++i) {
        for (__m256& sum : sums) sum = _mm256_fmadd_ps(sum, x, x);
    }
    float total = 0;
    for (const __m256& sum : sums) total += _mm256_cvtss_f32(sum);
    return total;
}

}  // namespace hone::probe
