#include <hwy/highway.h>

#include "kernels/attention/entries.h"

namespace hone::kernels::attention_portable {
namespace {

// 2 x 4 accumulators, 4 vectors of the right side, 1 of the left and a product: 14 of 16 registers.
constexpr size_t kTileRows = 2;
constexpr size_t kTileUnits = 1;
constexpr size_t value_units(size_t) {
    return 1;
}

// Without F16C the rounding is done on the bits; subnormal halves let a float addition round.
uint16_t to_half(float x) {
    uint32_t bits;
    __builtin_memcpy(&bits, &x, sizeof(bits));
    const uint32_t sign = bits & 0x80000000u;
    uint32_t magnitude = bits ^ sign;
    const uint32_t kLimit = 0x477fe000u;  // 65504
    if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign >> 16 | 0x7e00u);
    if (magnitude > kLimit) magnitude = kLimit;
    // Subnormal halves count units of 2^-24, the last place of floats in [0.5, 1).
    if (magnitude < 0x38800000u) {
        float small;
        __builtin_memcpy(&small, &magnitude, sizeof(small));
        small += 0.5f;
        __builtin_memcpy(&magnitude, &small, sizeof(small));
        return static_cast<uint16_t>(sign >> 16 | (magnitude - 0x3f000000u));
    }
    const uint32_t odd = magnitude >> 13 & 1u;
    magnitude += 0xfffu + odd - (112u << 23);
    return static_cast<uint16_t>(sign >> 16 | magnitude >> 13);
}

void to_halves(const float* x, size_t n, uint16_t* out) {
    for (size_t i = 0; i < n; ++i) out[i] = to_half(x[i]);
}

}  // namespace
}  // namespace hone::kernels::attention_portable

#define HONE_ATTENTION_TARGET attention_portable
#include "kernels/attention/attention_inl.h"
#include "kernels/attention/rope_store_inl.h"
