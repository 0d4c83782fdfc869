#include "kernels/ceiling/ceiling.h"
#include "kernels/ceiling/entries.h"

namespace hone::kernels {
namespace {

#define HONE_CEILING_LINE(name, bf16)                                                              \
    CeilingVariant {                                                                               \
#name, machine::Isa::name, ceiling_##name::read, ceiling_##name::write,                    \
            ceiling_##name::write_streaming, ceiling_##name::copy, ceiling_##name::copy_streaming, \
            ceiling_##name::f32_fma, ceiling_##name::int8_dot, bf16                                \
    }

constexpr CeilingVariant kCeilingVariants[] = {
    HONE_CEILING_LINE(avx512bf16, ceiling_avx512bf16::bf16_dot),
    HONE_CEILING_LINE(avx512vnni, nullptr),
    HONE_CEILING_LINE(avx512, nullptr),
    HONE_CEILING_LINE(avx2, nullptr),
    HONE_CEILING_LINE(portable, nullptr),
};

#undef HONE_CEILING_LINE

}  // namespace

std::span<const CeilingVariant> ceiling_variants() {
    return kCeilingVariants;
}

base::Result<const CeilingVariant*> select_ceiling(machine::Isa have, std::string_view name) {
    for (const CeilingVariant& variant : kCeilingVariants) {
        const bool wanted = name.empty() || name == variant.name;
        if (wanted && variant.isa <= have) return &variant;
    }
    return base::fail(base::ErrorCode::unsupported, "no ceiling loops '{}' for {}", name,
                      machine::isa_name(have));
}

}  // namespace hone::kernels
