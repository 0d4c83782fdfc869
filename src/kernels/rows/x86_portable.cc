#include <hwy/highway.h>
#include <nmmintrin.h>

#include "kernels/rows/entries.h"

namespace hone::kernels::rows_portable {
namespace {

__m128 nearest(__m128 x) {
    return _mm_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

__m128 times_power(__m128 x, __m128 n) {
    const __m128i exponent = _mm_add_epi32(_mm_cvtps_epi32(n), _mm_set1_epi32(127));
    return _mm_mul_ps(x, _mm_castsi128_ps(_mm_slli_epi32(exponent, 23)));
}

using Words = __m128i;

// The sums of 16 come from psadbw, which adds 8 bytes at once but unsigned: each byte is taken 128
// too high and the 16 * 128 are subtracted again.
void pack_block(const Words* n, int8_t* q, int32_t* sums) {
    for (int half = 0; half < 2; ++half, n += 4) {
        const __m128i bytes =
            _mm_packs_epi16(_mm_packs_epi32(n[0], n[1]), _mm_packs_epi32(n[2], n[3]));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(q + 16 * half), bytes);
        const __m128i lifted = _mm_xor_si128(bytes, _mm_set1_epi8(-128));
        const __m128i eights = _mm_sad_epu8(lifted, _mm_setzero_si128());
        const __m128i sixteens = _mm_add_epi64(eights, _mm_unpackhi_epi64(eights, eights));
        sums[half] = _mm_cvtsi128_si32(sixteens) - 16 * 128;
    }
}

}  // namespace
}  // namespace hone::kernels::rows_portable

#define HONE_ROWS_TARGET rows_portable
#include "kernels/rows/rows_inl.h"
