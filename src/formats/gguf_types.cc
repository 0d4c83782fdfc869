#include "formats/gguf_types.h"

#include <array>

#include "base/check.h"

namespace hone::formats {

namespace {

using tensor::DType;

struct ValueType {
    std::string_view name;
    uint32_t bytes;
};

// Indexed by the id.
constexpr std::array<ValueType, 13> kValueTypes{{{"u8", 1},
                                                 {"i8", 1},
                                                 {"u16", 2},
                                                 {"i16", 2},
                                                 {"u32", 4},
                                                 {"i32", 4},
                                                 {"f32", 4},
                                                 {"bool", 1},
                                                 {"string", 0},
                                                 {"array", 0},
                                                 {"u64", 8},
                                                 {"i64", 8},
                                                 {"f64", 8}}};

constexpr std::array<GgufTensorType, 33> kTensorTypes{{
    {0, "F32", 1, 4, DType::f32},
    {1, "F16", 1, 2, DType::f16},
    {2, "Q4_0", 32, 18, DType::q4_0},
    {3, "Q4_1", 32, 20, DType::q4_1},
    {6, "Q5_0", 32, 22, DType::q5_0},
    {7, "Q5_1", 32, 24, DType::q5_1},
    {8, "Q8_0", 32, 34, DType::q8_0},
    {9, "Q8_1", 32, 36, std::nullopt},
    {10, "Q2_K", 256, 84, DType::q2_k},
    {11, "Q3_K", 256, 110, DType::q3_k},
    {12, "Q4_K", 256, 144, DType::q4_k},
    {13, "Q5_K", 256, 176, DType::q5_k},
    {14, "Q6_K", 256, 210, DType::q6_k},
    {15, "Q8_K", 256, 292, std::nullopt},
    {16, "IQ2_XXS", 256, 66, DType::iq2_xxs},
    {17, "IQ2_XS", 256, 74, DType::iq2_xs},
    {18, "IQ3_XXS", 256, 98, DType::iq3_xxs},
    {19, "IQ1_S", 256, 50, DType::iq1_s},
    {20, "IQ4_NL", 32, 18, DType::iq4_nl},
    {21, "IQ3_S", 256, 110, DType::iq3_s},
    {22, "IQ2_S", 256, 82, DType::iq2_s},
    {23, "IQ4_XS", 256, 136, DType::iq4_xs},
    {24, "I8", 1, 1, std::nullopt},
    {25, "I16", 1, 2, std::nullopt},
    {26, "I32", 1, 4, DType::i32},
    {27, "I64", 1, 8, std::nullopt},
    {28, "F64", 1, 8, DType::f64},
    {29, "IQ1_M", 256, 56, DType::iq1_m},
    {30, "BF16", 1, 2, DType::bf16},
    {34, "TQ1_0", 256, 54, DType::tq1_0},
    {35, "TQ2_0", 256, 66, DType::tq2_0},
    {39, "MXFP4", 32, 17, DType::mxfp4},
    {40, "NVFP4", 64, 36, std::nullopt},
}};

}  // namespace

std::optional<GgufType> gguf_type(uint32_t id) {
    if (id >= kValueTypes.size()) return std::nullopt;
    return static_cast<GgufType>(id);
}

std::string_view gguf_type_name(GgufType type) {
    return kValueTypes[static_cast<size_t>(type)].name;
}

uint32_t gguf_type_bytes(GgufType type) {
    return kValueTypes[static_cast<size_t>(type)].bytes;
}

const GgufTensorType* gguf_tensor_type(uint32_t id) {
    for (const GgufTensorType& type : kTensorTypes) {
        if (type.id == id) return &type;
    }
    return nullptr;
}

uint32_t gguf_tensor_type_id(tensor::DType dtype) {
    for (const GgufTensorType& type : kTensorTypes) {
        if (type.dtype == dtype) return type.id;
    }
    HONE_CHECK(false);
}

}  // namespace hone::formats
