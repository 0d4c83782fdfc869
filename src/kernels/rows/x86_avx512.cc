#include <hwy/highway.h>
#include <immintrin.h>

#include "kernels/rows/entries.h"

namespace hone::kernels::rows_avx512 {
namespace {

__m512 nearest(__m512 x) {
    return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

__m512 times_power(__m512 x, __m512 n) {
    return _mm512_scalef_ps(x, n);
}

using Words = __m512i;

// The narrowing keeps the order of lanes.
// The sums of 16 come from psadbw, which adds 8 bytes at once but unsigned: each byte is taken 128
// too high and the 16 * 128 are subtracted again.
void pack_block(const Words* n, int8_t* q, int32_t* sums) {
    const __m256i bytes = _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm512_cvtepi32_epi8(n[0])), _mm512_cvtepi32_epi8(n[1]), 1);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(q), bytes);
    const __m256i lifted = _mm256_xor_si256(bytes, _mm256_set1_epi8(-128));
    const __m256i eights = _mm256_sad_epu8(lifted, _mm256_setzero_si256());
    const __m256i sixteens = _mm256_add_epi64(eights, _mm256_unpackhi_epi64(eights, eights));
    sums[0] = _mm256_cvtsi256_si32(sixteens) - 16 * 128;
    sums[1] = _mm_cvtsi128_si32(_mm256_extracti128_si256(sixteens, 1)) - 16 * 128;
}

}  // namespace
}  // namespace hone::kernels::rows_avx512

#define HONE_ROWS_TARGET rows_avx512
#include "kernels/rows/rows_inl.h"
