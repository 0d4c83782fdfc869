#include "formats/gguf_types.h"

#include <gtest/gtest.h>

namespace hone::formats {
namespace {

TEST(GgufTypes, ValueTypes) {
    EXPECT_EQ(gguf_type(8), GgufType::string);
    EXPECT_EQ(gguf_type(12), GgufType::f64);
    EXPECT_EQ(gguf_type(13), std::nullopt);
    EXPECT_EQ(gguf_type(0xffffffffu), std::nullopt);
    EXPECT_EQ(gguf_type_name(GgufType::boolean), "bool");
    EXPECT_EQ(gguf_type_bytes(GgufType::i16), 2u);
    EXPECT_EQ(gguf_type_bytes(GgufType::u64), 8u);
    EXPECT_EQ(gguf_type_bytes(GgufType::array), 0u);
}

TEST(GgufTypes, EveryIdOfADTypeHasTheSameBlocks) {
    for (uint32_t id = 0; id < 64; ++id) {
        const GgufTensorType* type = gguf_tensor_type(id);
        if (type == nullptr || !type->dtype) continue;
        const tensor::DTypeTraits& traits = tensor::traits(*type->dtype);
        EXPECT_EQ(gguf_tensor_type_id(traits.dtype), id);
        EXPECT_EQ(type->name, traits.name);
        EXPECT_EQ(type->block_elements, traits.block_elements);
        EXPECT_EQ(type->block_bytes, traits.block_bytes);
    }
    EXPECT_EQ(gguf_tensor_type_id(tensor::DType::q4_1), 3u);
    EXPECT_EQ(gguf_tensor_type_id(tensor::DType::bf16), 30u);
    EXPECT_EQ(gguf_tensor_type(4), nullptr);
    EXPECT_EQ(gguf_tensor_type(10)->name, "Q2_K");
    EXPECT_EQ(gguf_tensor_type(10)->dtype, std::nullopt);
}

}  // namespace
}  // namespace hone::formats
