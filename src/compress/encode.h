// Rows of floats to rows of blocks, with as little error as the format allows.
//
// The error that counts is the weighted one, sum_i w[i] (x[i] - decoded[i])^2. With an importance
// per column, the mean square h[i] of the activations that this column multiplies, w = h is the
// expected squared error of the product (errors of columns taken as independent). Without, all
// columns count alike. Not the quantizer of synthetic models: that is tensor::quantize, which takes
// the scale from the extremes. Pure, safe from any thread; same input, same bytes.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "tensor/dtype.h"

namespace hone::compress {

// F16, BF16, F32 and every type with a grid (compress/block_grid.h).
bool can_encode(tensor::DType dtype);
// Their names, for messages.
inline constexpr const char* kEncodableTypes =
    "F32, F16, BF16, Q8_0, Q6_K, Q5_K, Q5_1, Q5_0, Q4_K, Q4_1, Q4_0, IQ4_NL";

// Sums over elements; a tensor's is the sum of its rows'.
struct EncodeError {
    double squared = 0;    // of the difference
    double magnitude = 0;  // of the original
    // Expected squared error of the product: of the difference, times importance (1 without), or by
    // the moments (compress/feedback.h).
    double weighted = 0;

    void add(const EncodeError& other);
};

// Why a row cannot be encoded, by its first bad element.
struct BadElement {
    size_t column = 0;
    float value = 0;
};
// Not finite, or beyond the largest F16 when that is the type.
std::optional<BadElement> find_bad(tensor::DType dtype, std::span<const float> row);

// `importance` is empty or one value >= 0 per column. `out` takes the row's whole blocks.
EncodeError encode_row(tensor::DType dtype, std::span<const float> row,
                       std::span<const float> importance, std::byte* out);

// The weights of a row's squared errors: importance with a floor, so that columns that calibration
// never saw are not thrown away.
void error_weights(std::span<const float> importance, std::span<float> weights);

}  // namespace hone::compress
