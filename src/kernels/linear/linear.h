// y = x W^T for packed weights: the family that takes most of every model's time.
//
//   out[c * out_stride + r] (+)= sum over k of W[r][k] * x[c][k],   r in the tiles, c < n_cols
//
// A call covers `tiles` consecutive 16-row tiles and `n_cols` activation rows ("columns" of the
// result, usually tokens); the caller splits work over threads and adds epilogues. Two activation
// classes:
//   quantized: x is QuantizedRows, weights are u4..s8; integer dot products within a block of 32,
//              f32 across blocks.
//   f32:       x is f32 rows, any weight format (dequantized on the fly).
// Numeric class: for one variant the result of (row, column) depends on neither n_cols nor tiles
// nor the position in the call: batch equals solo, bit for bit. Across variants: within 1e-5
// |w| |x| of the reference, the norms of the weight row and the activation row (integer parts are
// exact; only the f32 order differs). No allocation, no threads, noexcept. out must not alias the
// inputs.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "kernels/linear/packed_matrix.h"
#include "kernels/quantized_rows.h"
#include "machine/isa.h"

namespace hone::kernels {

struct LinearArgs {
    const std::byte* tiles = nullptr;  // first tile
    size_t tile_bytes = 0;
    size_t n_tiles = 0;
    size_t columns = 0;  // K, a multiple of 32
    // Activations: exactly one of the two is set, by the variant's class.
    const QuantizedRows* quantized = nullptr;
    size_t first_row = 0;         // first activation row of this call
    const float* rows = nullptr;  // [n_cols][rows_stride], already at the first row
    size_t rows_stride = 0;
    size_t n_cols = 0;
    float* out = nullptr;  // [n_cols][out_stride], 16 * n_tiles values each are written
    size_t out_stride = 0;
    bool accumulate = false;  // += instead of =
};

using LinearFn = void (*)(const LinearArgs&) noexcept;

enum class ActivationClass : uint8_t { quantized, f32 };

struct LinearVariant {
    const char* name;  // "avx2", "avx512vnni", "portable", "reference"
    machine::Isa isa;
    PackFormat format;
    ActivationClass activation;
    LinearFn fn;
};

// Every variant in order of preference per (format, activation); "reference" comes last.
std::span<const LinearVariant> linear_variants();

// The first variant this ISA can run, or the one named. unsupported when there is none.
base::Result<const LinearVariant*> select_linear(machine::Isa have, PackFormat format,
                                                 ActivationClass activation,
                                                 std::string_view name = {});

}  // namespace hone::kernels
