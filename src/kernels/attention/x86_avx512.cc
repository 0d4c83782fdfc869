#include <hwy/highway.h>
#include <immintrin.h>

#include "kernels/attention/entries.h"

namespace hone::kernels::attention_avx512 {
namespace {

// 8 x 2 accumulators, 2 vectors of the right side and 1 of the left fill 19 of 32 registers; 16
// chains cover the latency of 4 cycles four times over. Wider tiles would leave decode with idle
// rows.
constexpr size_t kTileRows = 8;
constexpr size_t kTileUnits = 2;
// Up to 6 x 4 accumulators, 4 and 1 fill 29 registers.
constexpr size_t value_units(size_t rows) {
    return rows <= 6 ? 4 : 2;
}

void to_halves(const float* x, size_t n, uint16_t* out) {
    // In this operand order a NaN passes through both.
    const __m512 limit = _mm512_set1_ps(65504.0f);
    const __m512 lowest = _mm512_set1_ps(-65504.0f);
    for (size_t i = 0; i < n; i += 16) {
        const __m512 v = _mm512_max_ps(lowest, _mm512_min_ps(limit, _mm512_loadu_ps(x + i)));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i),
                            _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
    }
}

}  // namespace
}  // namespace hone::kernels::attention_avx512

#define HONE_ATTENTION_TARGET attention_avx512
#include "kernels/attention/attention_inl.h"
#include "kernels/attention/rope_store_inl.h"
