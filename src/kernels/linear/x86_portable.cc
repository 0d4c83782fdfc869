// The linear kernels for CPUs without AVX2: SSSE3's pmaddubsw on four rows at a time. The ranges of
// x86_avx2.cc hold here too. No FMA, so sums are rounded twice.

#include <immintrin.h>

#include "kernels/linear/variants.h"

namespace hone::kernels {
namespace {

using Ints = __m128i;
using Lane = Ints;
using Table = Ints;
using Floats = __m128;
constexpr size_t kLanes = 4;
constexpr int kSignedOffset = 0;  // signs move to the activations
// Eight code vectors, four sums, and four registers to work with.
constexpr size_t kColumnsMax = 4;
template <PackFormat kFormat>
constexpr int kInterleaved = 1;

inline Ints load_ints(const uint8_t* p) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
}
inline Ints and_bytes(Ints a, char byte) {
    return _mm_and_si128(a, _mm_set1_epi8(byte));
}
inline Ints or_ints(Ints a, Ints b) {
    return _mm_or_si128(a, b);
}
inline Ints shift_left(Ints a, int bits) {
    return _mm_slli_epi16(a, static_cast<unsigned>(bits));
}
inline Ints shift_right(Ints a, int bits) {
    return _mm_srli_epi16(a, static_cast<unsigned>(bits));
}
inline Ints prepare_s8(Ints w) {
    return w;
}
inline Table load_table(const uint8_t* p, int offset) {
    return _mm_add_epi8(load_ints(p), _mm_set1_epi8(static_cast<char>(offset)));
}
inline Ints lookup(Table table, Ints indices) {
    return _mm_shuffle_epi8(table, indices);
}
inline Floats load_floats(const float* p) {
    return _mm_loadu_ps(p);
}
inline void store_floats(float* p, Floats a) {
    _mm_storeu_ps(p, a);
}
// Without F16C: exponent and fraction move to their places in a float, whose bias is larger by 112;
// the product with 2^112 also makes subnormal halves right.
inline Floats load_halves(const uint8_t* p) {
    const __m128i half = _mm_cvtepu16_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
    const __m128i magnitude_bits = _mm_and_si128(half, _mm_set1_epi32(0x7fff));
    const __m128i sign = _mm_slli_epi32(_mm_xor_si128(half, magnitude_bits), 16);
    const __m128 scaled = _mm_mul_ps(_mm_castsi128_ps(_mm_slli_epi32(magnitude_bits, 13)),
                                     _mm_castsi128_ps(_mm_set1_epi32(0x77800000)));
    const __m128i is_special = _mm_cmpgt_epi32(magnitude_bits, _mm_set1_epi32(0x7bff));
    const __m128i special = _mm_and_si128(is_special, _mm_set1_epi32(0x7f800000));
    return _mm_or_ps(_mm_castsi128_ps(_mm_or_si128(sign, special)), scaled);
}
inline Floats broadcast(const float* p) {
    return _mm_set1_ps(*p);
}
inline Floats broadcast_value(float value) {
    return _mm_set1_ps(value);
}
inline Floats zero() {
    return _mm_setzero_ps();
}
inline Floats to_floats(Ints a) {
    return _mm_cvtepi32_ps(a);
}
inline Floats multiply(Floats a, Floats b) {
    return _mm_mul_ps(a, b);
}
inline Floats multiply_add(Floats a, Floats b, Floats c) {
    return _mm_add_ps(_mm_mul_ps(a, b), c);
}
inline Ints broadcast_32(const void* p) {
    int value;
    __builtin_memcpy(&value, p, 4);
    return _mm_set1_epi32(value);
}
inline Ints words(int pair) {
    return _mm_set1_epi32(pair);
}
// The empty asm keeps the sum a chain; see x86_avx2.cc.
inline Ints add_16(Ints a, Ints b) {
    Ints sum = _mm_add_epi16(a, b);
    asm("" : "+x"(sum));
    return sum;
}
inline Ints add_32(Ints a, Ints b) {
    Ints sum = _mm_add_epi32(a, b);
    asm("" : "+x"(sum));
    return sum;
}
inline Ints multiply_bytes(Ints unsigned_bytes, Ints signed_bytes) {
    return _mm_maddubs_epi16(unsigned_bytes, signed_bytes);
}
inline Ints add_32_lane(Ints a, Lane b) {
    return add_32(a, b);
}
inline Ints multiply_lane(Ints a, Ints b) {
    return _mm_madd_epi16(a, b);
}
inline Ints multiply_words(Ints a, Ints b) {
    return _mm_madd_epi16(a, b);
}
// a * b for signed a: the sign moves to b.
inline Ints multiply_signed_bytes(Ints a, Ints b) {
    return _mm_maddubs_epi16(_mm_abs_epi8(a), _mm_sign_epi8(b, a));
}

inline Floats load_bf16(const uint8_t* p) {
    const __m128i half = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    return _mm_castsi128_ps(_mm_slli_epi32(_mm_cvtepu16_epi32(half), 16));
}
inline Floats subtract(Floats a, Floats b) {
    return _mm_sub_ps(a, b);
}
inline Floats bytes_to_floats(Ints a, int i) {
    return to_floats(_mm_and_si128(_mm_srli_epi32(a, 8 * i), _mm_set1_epi32(0xff)));
}
inline Floats signed_bytes_to_floats(Ints a, int i) {
    return to_floats(_mm_srai_epi32(_mm_slli_epi32(a, 24 - 8 * i), 24));
}

}  // namespace
}  // namespace hone::kernels

// Each needs the ones before it.
// clang-format off
#include "kernels/linear/columns.inc"
#include "kernels/linear/maddubs.inc"
#include "kernels/linear/quantized.inc"
#include "kernels/linear/float.inc"
// clang-format on

namespace hone::kernels {
HONE_LINEAR_QUANTIZED_FORMATS(HONE_DEFINE_QUANTIZED, portable)
HONE_LINEAR_F32_FORMATS(HONE_DEFINE_F32, portable)
}  // namespace hone::kernels
