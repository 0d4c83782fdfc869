// The quantized linear kernels on AVX-512 with VNNI: vpdpbusd multiplies 64 unsigned codes by
// activations that are broadcast, four at a time, by the memory operand, and sums into int32.
//
// Offsets are exact integers: the accumulator starts at -offset * (sum of q), one vpmaddwd of the
// activations' own sums, so that no floating-point work is left but the scale. s8 weights
// become unsigned by flipping their top bit (+128), levels by an addition to the table.

#include <immintrin.h>

#include "kernels/linear/variants.h"

namespace hone::kernels {
namespace {

using Ints = __m512i;
using Floats = __m512;
using Table = Ints;
constexpr size_t kLanes = 16;
constexpr int kSignedOffset = 128;
constexpr size_t kColumnsMax = 8;
template <PackFormat kFormat>
constexpr int kInterleaved = 4;

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
inline Ints prepare_s8(Ints w) {
    return _mm512_xor_si512(w, _mm512_set1_epi8(static_cast<char>(0x80)));
}
inline Table load_table(const uint8_t* p, int offset) {
    return _mm512_add_epi8(load_ints(p), _mm512_set1_epi8(static_cast<char>(offset)));
}
inline Ints lookup(Table table, Ints indices) {
    return _mm512_shuffle_epi8(table, indices);
}

template <PackFormat kFormat>
constexpr bool kMinCarriesOffset = false;
template <PackFormat kFormat>
inline Floats min_of(Floats scale) {
    return scale;
}

// Four activations or two sums in every 32-bit lane.
inline Ints broadcast_32(const void* p) {
    int value;
    __builtin_memcpy(&value, p, 4);
    return _mm512_set1_epi32(value);
}

}  // namespace
}  // namespace hone::kernels

#include "kernels/linear/columns.inc"

namespace hone::kernels {
namespace {

// All code vectors of a block, in registers.
template <PackFormat kFormat>
struct Codes {
    Ints w[8];

    __attribute__((always_inline)) Codes(const uint8_t* codes, Table table) {
#pragma GCC unroll 8
        for (int j = 0; j < 8; ++j) w[j] = unpack<kFormat>(codes, table, j);
    }
    __attribute__((always_inline)) Ints operator[](int j) const {
        return w[j];
    }
};

// The columns take turns, so that a chain of dependent vpdpbusd is never waited for. No sum leaves
// int32: |u| <= 255, |q| <= 127, 32 terms and the offset's 128 * 32 * 127.
template <PackFormat kFormat, int kFrom, int kTo, int kCount>
inline __attribute__((always_inline)) void dot(const Codes<kFormat>& w, const Group& x, size_t c,
                                               size_t block, Ints (&out)[kCount]) {
    constexpr int offset = offset_of(kFormat);
#pragma GCC unroll 8
    for (int i = 0; i < kCount; ++i) {
        out[i] = _mm512_setzero_si512();
        if constexpr (offset != 0) {
            out[i] = _mm512_madd_epi16(broadcast_32(x.sum16 + 2 * x.at(c + i, block)),
                                       _mm512_set1_epi32(offset_pair(offset, kFrom, kTo)));
        }
    }
#pragma GCC unroll 8
    for (int j = kFrom; j < kTo; ++j) {
#pragma GCC unroll 8
        for (int i = 0; i < kCount; ++i) {
            out[i] = _mm512_dpbusd_epi32(out[i], w[j], broadcast_32(x.q_at(c + i, block) + 4 * j));
        }
    }
}

}  // namespace
}  // namespace hone::kernels

#include "kernels/linear/quantized.inc"

namespace hone::kernels {
HONE_LINEAR_QUANTIZED_FORMATS(HONE_DEFINE_QUANTIZED, avx512vnni)
}  // namespace hone::kernels
