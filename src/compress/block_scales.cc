#include "compress/block_scales.h"

#include "base/check.h"
#include "tensor/block_fields.h"
#include "tensor/integer_block.h"

namespace hone::compress {
namespace {

using tensor::DType;
using tensor::load_half;

BlockScales one_group(float scale, float minimum) {
    BlockScales out{.groups = 1, .group_elements = 32};
    out.scale[0] = scale;
    out.minimum[0] = minimum;
    return out;
}

BlockScales two_bit_groups(const std::byte* block) {
    BlockScales out{.groups = 16, .group_elements = 16};
    const float d = load_half(block + 80), m = load_half(block + 82);
    for (int g = 0; g < out.groups; ++g) {
        const int both = tensor::byte_at(block + g);
        out.scale[g] = d * static_cast<float>(both & 15);
        out.minimum[g] = -m * static_cast<float>(both >> 4);
    }
    return out;
}

BlockScales six_bit_groups(const std::byte* block) {
    BlockScales out{.groups = 8, .group_elements = 32};
    const float d = load_half(block), m = load_half(block + 2);
    for (int g = 0; g < out.groups; ++g) {
        const tensor::ScaleAndMin both = tensor::six_bit_scale(block + 4, g);
        out.scale[g] = d * static_cast<float>(both.scale);
        out.minimum[g] = -m * static_cast<float>(both.min);
    }
    return out;
}

BlockScales eight_bit_groups(const std::byte* block) {
    BlockScales out{.groups = 16, .group_elements = 16};
    const float d = load_half(block + 208);
    for (int g = 0; g < out.groups; ++g) {
        out.scale[g] = d * static_cast<float>(tensor::load_field<int8_t>(block + 192 + g));
    }
    return out;
}

BlockScales integer_groups(DType dtype, const std::byte* block) {
    tensor::IntegerBlock integers;
    tensor::decode_integers(dtype, block, integers);
    BlockScales out{.groups = static_cast<int>(tensor::block_elements(dtype)) / 16,
                    .group_elements = 16};
    for (int g = 0; g < out.groups; ++g) out.scale[g] = integers.scales[g];
    return out;
}

}  // namespace

BlockScales block_scales(DType dtype, const std::byte* block) {
    HONE_CHECK(tensor::is_quantized(dtype));
    switch (dtype) {
        case DType::q4_0:
        case DType::q5_0:
        case DType::q8_0:
        case DType::iq4_nl:
            return one_group(load_half(block), 0);
        case DType::q4_1:
        case DType::q5_1:
            return one_group(load_half(block), load_half(block + 2));
        case DType::q2_k:
            return two_bit_groups(block);
        case DType::q4_k:
        case DType::q5_k:
            return six_bit_groups(block);
        case DType::q6_k:
            return eight_bit_groups(block);
        default:
            return integer_groups(dtype, block);
    }
}

}  // namespace hone::compress
