// The bytes of blocks: fields and codes of compress/block_grid.h in the layouts of tensor/codec.h.
#include <cstring>

#include "compress/block_grid.h"
#include "tensor/block_codes.h"
#include "tensor/block_fields.h"

namespace hone::compress {
namespace {

using tensor::DType;

void pack_q6_k(const BlockGrid& grid, const int* q, std::byte* out) {
    tensor::store_q6_codes(out, q);
    std::memcpy(out + 192, grid.group_scale.data(), 16);
    tensor::store_field(out + 208, grid.d);
}

void pack_affine_k(const BlockGrid& grid, const int* q, bool five_bits, std::byte* out) {
    std::array<int, 8> scale{}, minimum{};
    for (size_t g = 0; g < scale.size(); ++g) {
        scale[g] = grid.group_scale[g];
        minimum[g] = grid.group_minimum[g];
    }
    tensor::store_field(out, grid.d);
    tensor::store_field(out + 2, grid.m);
    tensor::store_six_bit_scales(out + 4, scale.data(), minimum.data());
    tensor::store_k_codes(out + 16, q, five_bits);
}

}  // namespace

void pack_block(DType dtype, const BlockGrid& grid, const BlockCodes& codes, std::byte* out) {
    const GridShape shape = grid_shape(dtype);
    if (dtype == DType::q8_0) {
        tensor::store_field(out, grid.d);
        std::memcpy(out + 2, codes.data(), 32);
        return;
    }
    std::array<int, kBlockElementsMax> q{};
    for (int i = 0; i < shape.elements(); ++i) q[i] = codes[i] - shape.low;
    if (dtype == DType::q6_k) return pack_q6_k(grid, q.data(), out);
    if (shape.groups > 1) return pack_affine_k(grid, q.data(), dtype == DType::q5_k, out);
    tensor::store_field(out, grid.d);
    if (shape.affine) tensor::store_field(out + 2, grid.m);
    std::byte* const at = out + (shape.affine ? 4 : 2);
    if (dtype == DType::q5_0 || dtype == DType::q5_1) return tensor::store_five_bits(at, q.data());
    tensor::store_nibbles(at, q.data());
}

}  // namespace hone::compress
