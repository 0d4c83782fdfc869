#include "compress/encode.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "compress/block_grid.h"
#include "tensor/codec.h"
#include "tensor/half.h"

namespace hone::compress {
namespace {

using tensor::DType;

// A column counts at least this share of the mean importance.
constexpr float kImportanceFloor = 1e-3f;

EncodeError error_of(std::span<const float> row, std::span<const float> decoded,
                     std::span<const float> importance, size_t first_column) {
    EncodeError error;
    for (size_t i = 0; i < decoded.size(); ++i) {
        const double x = row[first_column + i];
        const double off = x - decoded[i];
        const double weight = importance.empty() ? 1.0 : importance[first_column + i];
        error.squared += off * off;
        error.weighted += weight * off * off;
        error.magnitude += x * x;
    }
    return error;
}

}  // namespace

void EncodeError::add(const EncodeError& other) {
    squared += other.squared;
    weighted += other.weighted;
    magnitude += other.magnitude;
}

bool can_encode(DType dtype) {
    return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16 || has_grid(dtype);
}

std::optional<BadElement> find_bad(DType dtype, std::span<const float> row) {
    for (size_t i = 0; i < row.size(); ++i) {
        const bool too_large = dtype == DType::f16 && std::fabs(row[i]) > tensor::kHalfMax;
        if (!std::isfinite(row[i]) || too_large) return BadElement{i, row[i]};
    }
    return std::nullopt;
}

void error_weights(std::span<const float> importance, std::span<float> weights) {
    if (importance.empty()) return std::fill(weights.begin(), weights.end(), 1.0f);
    double sum = 0;
    for (const float value : importance) sum += value;
    const double mean = sum / static_cast<double>(importance.size());
    if (!(mean > 0)) return std::fill(weights.begin(), weights.end(), 1.0f);
    // Of mean 1: scores of the fits multiply weights, and squares of tiny ones would vanish.
    for (size_t i = 0; i < weights.size(); ++i) {
        weights[i] = std::max(static_cast<float>(importance[i] / mean), kImportanceFloor);
    }
}

EncodeError encode_row(DType dtype, std::span<const float> row, std::span<const float> importance,
                       std::byte* out) {
    HONE_CHECK(can_encode(dtype));
    EncodeError error;
    std::array<float, kBlockElementsMax> decoded{};
    if (!has_grid(dtype)) {
        tensor::quantize(dtype, row.data(), row.size(), out);
        const size_t size = tensor::block_bytes(dtype);
        for (size_t i = 0; i < row.size(); ++i) {
            tensor::dequantize(dtype, out + i * size, 1, decoded.data());
            error.add(error_of(row, std::span(decoded).first(1), importance, i));
        }
        return error;
    }
    const GridShape shape = grid_shape(dtype);
    const auto n = static_cast<size_t>(shape.elements());
    HONE_CHECK_EQ(row.size() % n, size_t{0});
    std::array<float, kBlockElementsMax> weights{};
    BlockCodes codes{};
    for (size_t at = 0; at < row.size(); at += n, out += tensor::block_bytes(dtype)) {
        const auto part = importance.empty() ? importance : importance.subspan(at, n);
        error_weights(part, std::span(weights).first(n));
        const BlockGrid grid = fit_grid(dtype, row.data() + at, weights.data());
        nearest_codes(shape, grid, row.data() + at, codes);
        pack_block(dtype, grid, codes, out);
        for (size_t i = 0; i < n; ++i) {
            decoded[i] =
                code_value(shape, grid, static_cast<int>(i) / shape.group_elements, codes[i]);
        }
        error.add(error_of(row, std::span(decoded).first(n), importance, at));
    }
    return error;
}

}  // namespace hone::compress
