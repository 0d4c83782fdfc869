// The linear kernels on AVX2.
//
// Quantized: vpmaddubsw multiplies unsigned codes by signed activations and adds neighbours into
// int16. Small codes leave room there, so several products are summed in int16 before one vpmaddwd
// widens them; the ranges, with |q| <= 127 and two products per lane:
//   u4  eight: 8 * 2 * 15 * 127 = 30480 < 32768        u5  four: 4 * 2 * 31 * 127 = 31496
//   u6  two:   2 * 2 * 63 * 127 = 32004                s8  one:  2 * 128 * 127 = 32512
// s8 has no unsigned form that fits, so the sign of a weight moves to the activation (vpsignb) and
// its magnitude (at most 128, as unsigned) is multiplied.
// Offsets of u4 and u5 ride on the sum of the block like a minimum of -offset * scale.

#include <immintrin.h>

#include "kernels/linear/variants.h"

namespace hone::kernels {
namespace {

using Ints = __m256i;
using Floats = __m256;
constexpr size_t kLanes = 8;
// Eight code vectors, four sums, and four registers to work with.
constexpr size_t kColumnsMax = 4;
constexpr int kInterleaved = 4;

inline Ints load_ints(const uint8_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
inline Ints bytes(char value) {
    return _mm256_set1_epi8(value);
}
inline Ints and_ints(Ints a, Ints b) {
    return _mm256_and_si256(a, b);
}
inline Ints or_ints(Ints a, Ints b) {
    return _mm256_or_si256(a, b);
}
template <int kBits>
inline Ints shift_left(Ints a) {
    return _mm256_slli_epi16(a, kBits);
}
template <int kBits>
inline Ints shift_right(Ints a) {
    return _mm256_srli_epi16(a, kBits);
}
inline Floats load_floats(const float* p) {
    return _mm256_loadu_ps(p);
}
inline void store_floats(float* p, Floats a) {
    _mm256_storeu_ps(p, a);
}
inline Floats load_halves(const uint8_t* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline Floats broadcast(const float* p) {
    return _mm256_broadcast_ss(p);
}
inline Floats broadcast_value(float value) {
    return _mm256_set1_ps(value);
}
inline Floats zero() {
    return _mm256_setzero_ps();
}
inline Floats to_floats(Ints a) {
    return _mm256_cvtepi32_ps(a);
}
inline Floats multiply(Floats a, Floats b) {
    return _mm256_mul_ps(a, b);
}
inline Floats multiply_add(Floats a, Floats b, Floats c) {
    return _mm256_fmadd_ps(a, b, c);
}
inline Ints broadcast_32(const void* p) {
    int value;
    __builtin_memcpy(&value, p, 4);
    return _mm256_set1_epi32(value);
}
inline Ints words(int pair) {
    return _mm256_set1_epi32(pair);
}
inline Ints add_16(Ints a, Ints b) {
    return _mm256_add_epi16(a, b);
}
inline Ints add_32(Ints a, Ints b) {
    return _mm256_add_epi32(a, b);
}
inline Ints multiply_bytes(Ints unsigned_bytes, Ints signed_bytes) {
    return _mm256_maddubs_epi16(unsigned_bytes, signed_bytes);
}
inline Ints multiply_words(Ints a, Ints b) {
    return _mm256_madd_epi16(a, b);
}
inline Ints magnitude(Ints a) {
    return _mm256_abs_epi8(a);
}
inline Ints with_sign_of(Ints a, Ints sign) {
    return _mm256_sign_epi8(a, sign);
}

}  // namespace
}  // namespace hone::kernels

// clang-format off: each needs the one before
#include "kernels/linear/columns.inc"
#include "kernels/linear/maddubs.inc"
#include "kernels/linear/quantized.inc"
// clang-format on

namespace hone::kernels {
HONE_LINEAR_QUANTIZED_FORMATS(HONE_DEFINE_QUANTIZED, avx2)
}  // namespace hone::kernels
