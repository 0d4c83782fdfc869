#include <hwy/highway.h>
#include <immintrin.h>

#include "kernels/rows/entries.h"

namespace hone::kernels::rows_avx2 {
namespace {

__m256 nearest(__m256 x) {
    return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

__m256 times_power(__m256 x, __m256 n) {
    const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_mul_ps(x, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)));
}

using Words = __m256i;

// The packs work within 128-bit halves and leave the groups of four in the order 0 2 4 6 1 3 5 7.
// The sums of 16 come from psadbw, which adds 8 bytes at once but unsigned: each byte is taken 128
// too high and the 16 * 128 are subtracted again.
void pack_block(const Words* n, int8_t* q, int32_t* sums) {
    const __m256i packed =
        _mm256_packs_epi16(_mm256_packs_epi32(n[0], n[1]), _mm256_packs_epi32(n[2], n[3]));
    const __m256i bytes =
        _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(q), bytes);
    const __m256i lifted = _mm256_xor_si256(bytes, _mm256_set1_epi8(-128));
    const __m256i eights = _mm256_sad_epu8(lifted, _mm256_setzero_si256());
    const __m256i sixteens = _mm256_add_epi64(eights, _mm256_unpackhi_epi64(eights, eights));
    sums[0] = _mm256_cvtsi256_si32(sixteens) - 16 * 128;
    sums[1] = _mm_cvtsi128_si32(_mm256_extracti128_si256(sixteens, 1)) - 16 * 128;
}

}  // namespace
}  // namespace hone::kernels::rows_avx2

#define HONE_ROWS_TARGET rows_avx2
#include "kernels/rows/rows_inl.h"
