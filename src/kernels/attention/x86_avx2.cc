#include <hwy/highway.h>
#include <immintrin.h>

#include "kernels/attention/entries.h"

namespace hone::kernels::attention_avx2 {
namespace {

// 6 x 2 accumulators, 2 vectors of the right side and 1 of the left are 15 of 16 registers.
constexpr size_t kTileRows = 6;
constexpr size_t kTileUnits = 1;
// 2 x 4 accumulators, 4 and 1 fill 13 registers; 3 x 4 would spill.
constexpr size_t value_units(size_t rows) {
    return rows <= 2 ? 2 : 1;
}

void to_halves(const float* x, size_t n, uint16_t* out) {
    // In this operand order a NaN passes through both.
    const __m256 limit = _mm256_set1_ps(65504.0f);
    const __m256 lowest = _mm256_set1_ps(-65504.0f);
    for (size_t i = 0; i < n; i += 8) {
        const __m256 v = _mm256_max_ps(lowest, _mm256_min_ps(limit, _mm256_loadu_ps(x + i)));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i),
                         _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
    }
}

}  // namespace
}  // namespace hone::kernels::attention_avx2

#define HONE_ATTENTION_TARGET attention_avx2
#include "kernels/attention/attention_inl.h"
#include "kernels/attention/rope_store_inl.h"
