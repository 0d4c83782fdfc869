#include "kernels/linear/linear.h"
#include "kernels/linear/variants.h"

namespace hone::kernels {
namespace {

using machine::Isa;

// clang-format off
#define HONE_QUANTIZED_LINE(format, isa)                                               \
    {#isa, Isa::isa, PackFormat::format, ActivationClass::quantized, \
     &linear_quantized_##format##_##isa},
#define HONE_F32_LINE(format, isa) \
    {#isa, Isa::isa, PackFormat::format, ActivationClass::f32, &linear_f32_##format##_##isa},
#define HONE_QUANTIZED_REFERENCE(format, name)                                \
    {#name, Isa::portable, PackFormat::format, ActivationClass::quantized, \
     &linear_quantized_##format##_##name},
#define HONE_F32_REFERENCE(format, name)                                \
    {#name, Isa::portable, PackFormat::format, ActivationClass::f32, \
     &linear_f32_##format##_##name},

// From the most to the least demanding ISA, which is also the order of speed (LADDER.md).
constexpr LinearVariant kLinearVariants[] = {
    HONE_LINEAR_QUANTIZED_FORMATS(HONE_QUANTIZED_LINE, avx512vnni)
    HONE_LINEAR_QUANTIZED_FORMATS(HONE_QUANTIZED_LINE, avx512)
    HONE_LINEAR_QUANTIZED_FORMATS(HONE_QUANTIZED_LINE, avx2)
    HONE_LINEAR_QUANTIZED_FORMATS(HONE_QUANTIZED_LINE, portable)
    HONE_LINEAR_QUANTIZED_FORMATS(HONE_QUANTIZED_REFERENCE, reference)
    HONE_LINEAR_F32_FORMATS(HONE_F32_LINE, avx512)
    HONE_LINEAR_F32_FORMATS(HONE_F32_LINE, avx2)
    HONE_LINEAR_F32_FORMATS(HONE_F32_LINE, portable)
    HONE_LINEAR_F32_FORMATS(HONE_F32_REFERENCE, reference)
};
// clang-format on

}  // namespace

std::span<const LinearVariant> linear_variants() {
    return kLinearVariants;
}

base::Result<const LinearVariant*> select_linear(Isa have, PackFormat format,
                                                 ActivationClass activation,
                                                 std::string_view name) {
    for (const LinearVariant& variant : kLinearVariants) {
        if (variant.format != format || variant.activation != activation) continue;
        if (variant.isa > have) continue;
        if (name.empty() || name == variant.name) return &variant;
    }
    return base::fail(base::ErrorCode::unsupported,
                      "no linear kernel{}{} for {} weights and {} activations runs on {}",
                      name.empty() ? "" : " ", name, pack_format_name(format),
                      activation == ActivationClass::quantized ? "int8" : "f32",
                      machine::isa_name(have));
}

}  // namespace hone::kernels
