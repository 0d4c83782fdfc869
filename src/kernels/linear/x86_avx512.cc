// The linear kernels on AVX-512 without VNNI: the arithmetic of x86_avx2.cc, whose ranges hold here
// too, on all 16 rows of a tile at once and with registers for eight columns.

#include <immintrin.h>

#include "kernels/linear/variants.h"

namespace hone::kernels {
namespace {

using Ints = __m512i;
using Lane = Ints;
using Table = Ints;
using Floats = __m512;
constexpr size_t kLanes = 16;
constexpr int kSignedOffset = 0;  // signs move to the activations
constexpr size_t kColumnsMax = 8;
template <PackFormat kFormat>
constexpr int kInterleaved = 2;

inline Ints load_ints(const uint8_t* p) {
    return _mm512_loadu_si512(p);
}
inline Ints and_bytes(Ints a, char byte) {
    return _mm512_and_si512(a, _mm512_set1_epi8(byte));
}
inline Ints or_ints(Ints a, Ints b) {
    return _mm512_or_si512(a, b);
}
inline Ints shift_left(Ints a, int bits) {
    return _mm512_slli_epi16(a, static_cast<unsigned>(bits));
}
inline Ints shift_right(Ints a, int bits) {
    return _mm512_srli_epi16(a, static_cast<unsigned>(bits));
}
inline Ints prepare_s8(Ints w) {
    return w;
}
inline Table load_table(const uint8_t* p, int offset) {
    return _mm512_add_epi8(load_ints(p), _mm512_set1_epi8(static_cast<char>(offset)));
}
inline Ints lookup(Table table, Ints indices) {
    return _mm512_shuffle_epi8(table, indices);
}
inline Floats load_floats(const float* p) {
    return _mm512_loadu_ps(p);
}
inline void store_floats(float* p, Floats a) {
    _mm512_storeu_ps(p, a);
}
inline Floats load_halves(const uint8_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline Floats broadcast(const float* p) {
    return _mm512_set1_ps(*p);
}
inline Floats broadcast_value(float value) {
    return _mm512_set1_ps(value);
}
inline Floats zero() {
    return _mm512_setzero_ps();
}
inline Floats to_floats(Ints a) {
    return _mm512_cvtepi32_ps(a);
}
inline Floats multiply(Floats a, Floats b) {
    return _mm512_mul_ps(a, b);
}
inline Floats multiply_add(Floats a, Floats b, Floats c) {
    return _mm512_fmadd_ps(a, b, c);
}
inline Ints broadcast_32(const void* p) {
    int value;
    __builtin_memcpy(&value, p, 4);
    return _mm512_set1_epi32(value);
}
inline Ints words(int pair) {
    return _mm512_set1_epi32(pair);
}
// The empty asm keeps the sum a chain; see x86_avx2.cc.
inline Ints add_16(Ints a, Ints b) {
    Ints sum = _mm512_add_epi16(a, b);
    asm("" : "+v"(sum));
    return sum;
}
inline Ints add_32(Ints a, Ints b) {
    Ints sum = _mm512_add_epi32(a, b);
    asm("" : "+v"(sum));
    return sum;
}
inline Ints multiply_bytes(Ints unsigned_bytes, Ints signed_bytes) {
    return _mm512_maddubs_epi16(unsigned_bytes, signed_bytes);
}
inline Ints add_32_lane(Ints a, Lane b) {
    return add_32(a, b);
}
inline Ints multiply_lane(Ints a, Ints b) {
    return _mm512_madd_epi16(a, b);
}
inline Ints multiply_words(Ints a, Ints b) {
    return _mm512_madd_epi16(a, b);
}
// a * b for signed a: the sign moves to b. A code of zero may leave b as it is.
inline Ints multiply_signed_bytes(Ints a, Ints b) {
    const Ints moved = _mm512_mask_sub_epi8(b, _mm512_movepi8_mask(a), _mm512_setzero_si512(), b);
    return _mm512_maddubs_epi16(_mm512_abs_epi8(a), moved);
}

inline Floats load_bf16(const uint8_t* p) {
    const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}
inline Floats subtract(Floats a, Floats b) {
    return _mm512_sub_ps(a, b);
}
inline Floats bytes_to_floats(Ints a, int i) {
    const Ints moved = _mm512_srli_epi32(a, static_cast<unsigned>(8 * i));
    return to_floats(_mm512_and_si512(moved, _mm512_set1_epi32(0xff)));
}
inline Floats signed_bytes_to_floats(Ints a, int i) {
    const Ints moved = _mm512_slli_epi32(a, static_cast<unsigned>(24 - 8 * i));
    return to_floats(_mm512_srai_epi32(moved, 24));
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
HONE_LINEAR_QUANTIZED_FORMATS(HONE_DEFINE_QUANTIZED, avx512)
HONE_LINEAR_F32_FORMATS(HONE_DEFINE_F32, avx512)
}  // namespace hone::kernels
