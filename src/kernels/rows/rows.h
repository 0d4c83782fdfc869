// Operators that treat each activation row (token) alone: normalization, quantization, activation.
//
// Formulas, for a row x of n values:
//   rms_norm:       y[i] = x[i] / sqrt(mean(x^2) + epsilon) * weight[i]
//   quantize:       see kernels/quantized_rows.h
//   rms_norm_quantize: quantize(rms_norm(x)) without storing the f32 row
//   rms_norm_add:   y[i] = residual[i] + rms_norm(x)[i], the same bits as the two steps
//   layer_norm:     y[i] = (x[i] - mean(x)) / sqrt(mean((x - mean(x))^2) + epsilon) * weight[i]
//                   + bias[i], with a null bias without it (Ba et al. 2016)
//   activate:       y[i] = activation(x[i])                 (kernels/activation.h)
//   gated:          y[i] = activation(gate[i]) * up[i]
//   soft_cap:       y[i] = cap * tanh(x[i] / cap)           (Gemma Team 2024)
//   add:            y[i] += x[i]
//   argmax:         index of the largest value, the lowest index among equals
// Numeric class: within 4e-6 relative of the reference (exp by polynomial), layer_norm and soft_cap
// within 4e-6 of the largest value and of the cap; row results do not depend on the number of rows
// in the call. quantize is exact given equal input: same q on every ISA. No allocation, no threads.
// Rows are 64-byte aligned only where a stride makes them so: kernels load unaligned.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/result.h"
#include "kernels/activation.h"
#include "kernels/quantized_rows.h"
#include "machine/isa.h"

namespace hone::kernels {

struct RowsVariant {
    const char* name;
    machine::Isa isa;
    // x [columns] -> y [columns]; y may be x.
    void (*rms_norm)(const float* x, const float* weight, float epsilon, size_t columns,
                     float* y) noexcept;
    // x [columns] -> row `row` of out.
    void (*quantize)(const float* x, const QuantizedRows& out, size_t row) noexcept;
    void (*rms_norm_quantize)(const float* x, const float* weight, float epsilon,
                              const QuantizedRows& out, size_t row) noexcept;
    // x, residual [columns] -> y [columns]; y may be either.
    void (*rms_norm_add)(const float* x, const float* weight, float epsilon, const float* residual,
                         size_t columns, float* y) noexcept;
    // As the two with rms.
    void (*layer_norm)(const float* x, const float* weight, const float* bias, float epsilon,
                       size_t columns, float* y) noexcept;
    void (*layer_norm_quantize)(const float* x, const float* weight, const float* bias,
                                float epsilon, const QuantizedRows& out, size_t row) noexcept;
    // x [n] -> y [n]; y may be x.
    void (*activate)(Activation activation, const float* x, size_t n, float* y) noexcept;
    // gate, up [n] -> y [n]; y may be gate.
    void (*gated)(Activation activation, const float* gate, const float* up, size_t n,
                  float* y) noexcept;
    // gate, up [n] -> blocks [column_begin, column_begin + n) of row `row`; n, column_begin
    // multiples of 32.
    void (*gated_quantize)(Activation activation, const float* gate, const float* up, size_t n,
                           const QuantizedRows& out, size_t row, size_t column_begin) noexcept;
    // x [n] -> y [n]; y may be x.
    void (*soft_cap)(const float* x, float cap, size_t n, float* y) noexcept;
    void (*add)(const float* x, size_t n, float* y) noexcept;
    size_t (*argmax)(const float* x, size_t n) noexcept;
};

std::span<const RowsVariant> rows_variants();
base::Result<const RowsVariant*> select_rows(machine::Isa have, std::string_view name = {});

}  // namespace hone::kernels
