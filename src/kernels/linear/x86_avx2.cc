// The linear kernels on AVX2.
//
// Quantized: vpmaddubsw multiplies unsigned codes by signed activations and adds neighbours into
// int16. Small codes leave room there, so several products are summed in int16 before one vpmaddwd
// widens them; the ranges, with |q| <= 127 and two products per lane:
//   u4  eight: 8 * 2 * 15 * 127 = 30480 < 32768        u5  four: 4 * 2 * 31 * 127 = 31496
//   u6  two:   2 * 2 * 63 * 127 = 32004                s8  one:  2 * 128 * 127 = 32512
//   u2  eight: 8 * 2 * 3 * 127 = 6096                  t2  four: 4 * 2 * 30 * 127 = 30480
//   t3  one:   2 * 126 * 127 = 32004                   t4  one:  2 * 127 * 127 = 32258
// s8 and t4 have no unsigned form that fits, so the sign of a weight moves to the activation
// (vpsignb) and its magnitude (at most 128, as unsigned) is multiplied.
// Offsets of u4, u5, t2 and t3 ride on the sum of the block like a minimum of -offset * scale.

#include <immintrin.h>

#include "kernels/linear/variants.h"

namespace hone::kernels {
namespace {

// All 16 rows of a tile at once, as two registers: one broadcast of activations then serves both,
// and loads, of which there are two per cycle, do not become the limit.
struct Ints {
    __m256i a, b;
};
struct Floats {
    __m256 a, b;
};
using Lane = __m256i;
using Table = __m256i;
constexpr size_t kLanes = 16;
constexpr int kSignedOffset = 0;  // signs move to the activations
// Two int16 sums per column leave few registers; the f32 sums live in L1 then.
constexpr size_t kColumnsMax = 4;
template <PackFormat kFormat>
constexpr int kInterleaved = 4;

inline __m256i load_256(const uint8_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
inline Ints load_ints(const uint8_t* p) {
    return {load_256(p), load_256(p + 32)};
}
inline Ints and_bytes(Ints x, char byte) {
    const __m256i mask = _mm256_set1_epi8(byte);
    return {_mm256_and_si256(x.a, mask), _mm256_and_si256(x.b, mask)};
}
inline Ints or_ints(Ints x, Ints y) {
    return {_mm256_or_si256(x.a, y.a), _mm256_or_si256(x.b, y.b)};
}
inline Ints shift_left(Ints x, int bits) {
    return {_mm256_slli_epi16(x.a, bits), _mm256_slli_epi16(x.b, bits)};
}
inline Ints shift_right(Ints x, int bits) {
    return {_mm256_srli_epi16(x.a, bits), _mm256_srli_epi16(x.b, bits)};
}
inline Ints prepare_s8(Ints w) {
    return w;
}
inline Table load_table(const uint8_t* p, int offset) {
    return _mm256_add_epi8(load_256(p), _mm256_set1_epi8(static_cast<char>(offset)));
}
inline Ints lookup(Table table, Ints indices) {
    return {_mm256_shuffle_epi8(table, indices.a), _mm256_shuffle_epi8(table, indices.b)};
}
inline Floats load_floats(const float* p) {
    return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
inline void store_floats(float* p, Floats x) {
    _mm256_storeu_ps(p, x.a);
    _mm256_storeu_ps(p + 8, x.b);
}
inline __m256 load_eight_halves(const uint8_t* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline Floats load_halves(const uint8_t* p) {
    return {load_eight_halves(p), load_eight_halves(p + 16)};
}
inline Floats both(__m256 x) {
    return {x, x};
}
inline Floats broadcast(const float* p) {
    return both(_mm256_broadcast_ss(p));
}
inline Floats broadcast_value(float value) {
    return both(_mm256_set1_ps(value));
}
inline Floats zero() {
    return both(_mm256_setzero_ps());
}
inline Floats to_floats(Ints x) {
    return {_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)};
}
inline Floats multiply(Floats x, Floats y) {
    return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)};
}
inline Floats multiply_add(Floats x, Floats y, Floats z) {
    return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
}
inline Lane words(int pair) {
    return _mm256_set1_epi32(pair);
}
inline Lane broadcast_32(const void* p) {
    int value;
    __builtin_memcpy(&value, p, 4);
    return _mm256_set1_epi32(value);
}
inline Lane multiply_lane(Lane x, Lane y) {
    return _mm256_madd_epi16(x, y);
}
// The empty asm keeps the sum a chain. GCC would make it a tree, which needs all products at once:
// 116 spills per block instead of none.
inline Ints add_16(Ints x, Ints y) {
    Ints sum{_mm256_add_epi16(x.a, y.a), _mm256_add_epi16(x.b, y.b)};
    asm("" : "+x"(sum.a), "+x"(sum.b));
    return sum;
}
inline Ints add_32(Ints x, Ints y) {
    Ints sum{_mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b)};
    asm("" : "+x"(sum.a), "+x"(sum.b));
    return sum;
}
inline Ints add_32_lane(Ints x, Lane y) {
    return {_mm256_add_epi32(x.a, y), _mm256_add_epi32(x.b, y)};
}
inline Ints multiply_words(Ints x, Lane y) {
    return {_mm256_madd_epi16(x.a, y), _mm256_madd_epi16(x.b, y)};
}
inline Ints multiply_bytes(Ints x, Lane q) {
    return {_mm256_maddubs_epi16(x.a, q), _mm256_maddubs_epi16(x.b, q)};
}
// x * q for signed x: the sign moves to q.
inline Ints multiply_signed_bytes(Ints x, Lane q) {
    return {_mm256_maddubs_epi16(_mm256_abs_epi8(x.a), _mm256_sign_epi8(q, x.a)),
            _mm256_maddubs_epi16(_mm256_abs_epi8(x.b), _mm256_sign_epi8(q, x.b))};
}

inline __m256 load_eight_bf16(const uint8_t* p) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}
inline Floats load_bf16(const uint8_t* p) {
    return {load_eight_bf16(p), load_eight_bf16(p + 16)};
}
inline Floats subtract(Floats x, Floats y) {
    return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)};
}
inline __m256i byte_of(__m256i x, int i) {
    return _mm256_and_si256(_mm256_srli_epi32(x, 8 * i), _mm256_set1_epi32(0xff));
}
inline __m256i signed_byte_of(__m256i x, int i) {
    return _mm256_srai_epi32(_mm256_slli_epi32(x, 24 - 8 * i), 24);
}
inline Floats bytes_to_floats(Ints x, int i) {
    return to_floats({byte_of(x.a, i), byte_of(x.b, i)});
}
inline Floats signed_bytes_to_floats(Ints x, int i) {
    return to_floats({signed_byte_of(x.a, i), signed_byte_of(x.b, i)});
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
HONE_LINEAR_QUANTIZED_FORMATS(HONE_DEFINE_QUANTIZED, avx2)
HONE_LINEAR_F32_FORMATS(HONE_DEFINE_F32, avx2)
}  // namespace hone::kernels
