// Entry points of the rows variants, one namespace per ISA file. The contract is in rows/rows.h; no
// other header than these of plain types may come in here, because ISA files include this one.
#pragma once

#include <cstddef>

#include "kernels/activation.h"
#include "kernels/quantized_rows.h"

#define HONE_ROWS_DECLARE(variant)                                                               \
    namespace rows_##variant {                                                                   \
        void rms_norm(const float* x, const float* weight, float epsilon, size_t columns,        \
                      float* y) noexcept;                                                        \
        void quantize(const float* x, const QuantizedRows& out, size_t row) noexcept;            \
        void rms_norm_quantize(const float* x, const float* weight, float epsilon,               \
                               const QuantizedRows& out, size_t row) noexcept;                   \
        void rms_norm_add(const float* x, const float* weight, float epsilon,                    \
                          const float* residual, size_t columns, float* y) noexcept;             \
        void layer_norm(const float* x, const float* weight, const float* bias, float epsilon,   \
                        size_t columns, float* y) noexcept;                                      \
        void layer_norm_quantize(const float* x, const float* weight, const float* bias,         \
                                 float epsilon, const QuantizedRows& out, size_t row) noexcept;  \
        void activate(Activation activation, const float* x, size_t n, float* y) noexcept;       \
        void gated(Activation activation, const float* gate, const float* up, size_t n,          \
                   float* y) noexcept;                                                           \
        void gated_quantize(Activation activation, const float* gate, const float* up, size_t n, \
                            const QuantizedRows& out, size_t row, size_t column_begin) noexcept; \
        void soft_cap(const float* x, float cap, size_t n, float* y) noexcept;                   \
        void add(const float* x, size_t n, float* y) noexcept;                                   \
        size_t argmax(const float* x, size_t n) noexcept;                                        \
    }

namespace hone::kernels {

// A block whose largest magnitude is at most this counts as all zero: 127 / amax would overflow
// below 3.8e-37, and nothing that small survives in an f32 sum.
inline constexpr float kQuantizeTiny = 1e-30f;

HONE_ROWS_DECLARE(reference)
HONE_ROWS_DECLARE(portable)
HONE_ROWS_DECLARE(avx2)
HONE_ROWS_DECLARE(avx512)

}  // namespace hone::kernels

#undef HONE_ROWS_DECLARE
