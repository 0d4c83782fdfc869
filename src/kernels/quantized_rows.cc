#include "kernels/quantized_rows.h"

namespace hone::kernels {
namespace {

constexpr size_t aligned(size_t bytes) {
    return (bytes + 63) / 64 * 64;
}

}  // namespace

size_t quantized_rows_bytes(size_t rows, size_t columns) {
    return aligned(rows * columns) + 2 * aligned(rows * (columns / 32) * sizeof(float)) +
           aligned(rows * (columns / 16) * sizeof(int16_t));
}

QuantizedRows quantized_rows_at(std::byte* memory, size_t rows, size_t columns) {
    QuantizedRows out;
    out.columns = columns;
    out.q = reinterpret_cast<int8_t*>(memory);
    memory += aligned(rows * columns);
    out.scale = reinterpret_cast<float*>(memory);
    memory += aligned(rows * (columns / 32) * sizeof(float));
    out.scaled_sum = reinterpret_cast<float*>(memory);
    memory += aligned(rows * (columns / 32) * sizeof(float));
    out.sum16 = reinterpret_cast<int16_t*>(memory);
    return out;
}

}  // namespace hone::kernels
