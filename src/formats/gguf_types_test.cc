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

TEST(GgufTypes, EveryDTypeHasAnIdWithTheSameBlocks) {
    for (const tensor::DTypeTraits& traits : tensor::kDTypes) {
        const GgufTensorType* type = gguf_tensor_type(gguf_tensor_type_id(traits.dtype));
        ASSERT_NE(type, nullptr);
        EXPECT_EQ(type->dtype, traits.dtype);
        EXPECT_EQ(type->name, traits.name);
        EXPECT_EQ(type->block_elements, traits.block_elements);
        EXPECT_EQ(type->block_bytes, traits.block_bytes);
    }
    EXPECT_EQ(gguf_tensor_type_id(tensor::DType::q4_1), 3u);
    EXPECT_EQ(gguf_tensor_type_id(tensor::DType::bf16), 30u);
    EXPECT_EQ(gguf_tensor_type(4), nullptr);
    EXPECT_EQ(gguf_tensor_type(10)->name, "Q2_K");
    // Types that only exist between two operators, or that nobody computes with here.
    for (const uint32_t id : {9u, 15u, 24u, 40u}) {
        EXPECT_EQ(gguf_tensor_type(id)->dtype, std::nullopt) << gguf_tensor_type(id)->name;
    }
}

}  // namespace
}  // namespace hone::formats
