// The entry points that the ISA files of this family export; select.cc makes the table from them.
//
// Not for callers: take a function from linear_variants(), which knows what the CPU can run. Each
// has the contract of LinearFn (linear.h). Names are linear_<activation>_<format>_<isa>.
#pragma once

#include "kernels/linear/linear.h"

// Lists the formats once: LINE(format) for each that has a quantized and for each a float variant.
#define HONE_LINEAR_QUANTIZED_FORMATS(LINE, isa) \
    LINE(u4, isa)                                \
    LINE(u4m, isa)                               \
    LINE(u5, isa)                                \
    LINE(u5m, isa)                               \
    LINE(u6, isa)                                \
    LINE(u2m, isa) LINE(t2, isa) LINE(t3, isa) LINE(t3h, isa) LINE(t4, isa) LINE(s8, isa)
#define HONE_LINEAR_F32_FORMATS(LINE, isa)   \
    HONE_LINEAR_QUANTIZED_FORMATS(LINE, isa) \
    LINE(f32, isa) LINE(f16, isa) LINE(bf16, isa)

#define HONE_DECLARE_QUANTIZED(format, isa) \
    void linear_quantized_##format##_##isa(const LinearArgs& args) noexcept;
#define HONE_DECLARE_F32(format, isa) \
    void linear_f32_##format##_##isa(const LinearArgs& args) noexcept;

// The same names defined, over run_quantized<format> and run_f32<format> of the including file.
#define HONE_DEFINE_QUANTIZED(format, isa)                                    \
    void linear_quantized_##format##_##isa(const LinearArgs& args) noexcept { \
        run_quantized<PackFormat::format>(args);                              \
    }
#define HONE_DEFINE_F32(format, isa)                                    \
    void linear_f32_##format##_##isa(const LinearArgs& args) noexcept { \
        run_f32<PackFormat::format>(args);                              \
    }

namespace hone::kernels {

HONE_LINEAR_QUANTIZED_FORMATS(HONE_DECLARE_QUANTIZED, avx512vnni)
HONE_LINEAR_QUANTIZED_FORMATS(HONE_DECLARE_QUANTIZED, avx512)
HONE_LINEAR_QUANTIZED_FORMATS(HONE_DECLARE_QUANTIZED, avx2)
HONE_LINEAR_QUANTIZED_FORMATS(HONE_DECLARE_QUANTIZED, portable)
HONE_LINEAR_QUANTIZED_FORMATS(HONE_DECLARE_QUANTIZED, reference)
HONE_LINEAR_F32_FORMATS(HONE_DECLARE_F32, avx512)
HONE_LINEAR_F32_FORMATS(HONE_DECLARE_F32, avx2)
HONE_LINEAR_F32_FORMATS(HONE_DECLARE_F32, portable)
HONE_LINEAR_F32_FORMATS(HONE_DECLARE_F32, reference)

}  // namespace hone::kernels
