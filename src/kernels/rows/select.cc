#include "kernels/rows/entries.h"
#include "kernels/rows/rows.h"

namespace hone::kernels {
namespace {

#define HONE_ROWS_LINE(name, isa)                                                               \
    RowsVariant {                                                                               \
#name, machine::Isa::isa, rows_##name::rms_norm, rows_##name::quantize,                 \
            rows_##name::rms_norm_quantize, rows_##name::rms_norm_add, rows_##name::layer_norm, \
            rows_##name::layer_norm_quantize, rows_##name::activate, rows_##name::gated,        \
            rows_##name::gated_quantize, rows_##name::soft_cap, rows_##name::add,               \
            rows_##name::argmax                                                                 \
    }

constexpr RowsVariant kRowsVariants[] = {
    HONE_ROWS_LINE(avx512, avx512),
    HONE_ROWS_LINE(avx2, avx2),
    HONE_ROWS_LINE(portable, portable),
    HONE_ROWS_LINE(reference, portable),
};

#undef HONE_ROWS_LINE

}  // namespace

std::span<const RowsVariant> rows_variants() {
    return kRowsVariants;
}

base::Result<const RowsVariant*> select_rows(machine::Isa have, std::string_view name) {
    for (const RowsVariant& variant : kRowsVariants) {
        const bool wanted = name.empty() || name == variant.name;
        if (wanted && variant.isa <= have) return &variant;
    }
    return base::fail(base::ErrorCode::unsupported, "no rows kernel '{}' for {}", name,
                      machine::isa_name(have));
}

}  // namespace hone::kernels
