// Entry points of the ceiling variants, one namespace per ISA file. C types only, because ISA files
// include this.
#pragma once

#include <cstddef>
#include <cstdint>

#define HONE_CEILING_DECLARE(isa)                                                         \
    namespace ceiling_##isa {                                                             \
        uint64_t read(const std::byte* data, size_t bytes) noexcept;                      \
        void write(std::byte* data, size_t bytes) noexcept;                               \
        void write_streaming(std::byte* data, size_t bytes) noexcept;                     \
        void copy(std::byte* to, const std::byte* from, size_t bytes) noexcept;           \
        void copy_streaming(std::byte* to, const std::byte* from, size_t bytes) noexcept; \
        double f32_fma(size_t iterations, float* sink) noexcept;                          \
        double int8_dot(size_t iterations, int32_t* sink) noexcept;                       \
        double bf16_dot(size_t iterations, float* sink) noexcept;                         \
    }

namespace hone::kernels {

HONE_CEILING_DECLARE(portable)
HONE_CEILING_DECLARE(avx2)
HONE_CEILING_DECLARE(avx512)
HONE_CEILING_DECLARE(avx512vnni)
HONE_CEILING_DECLARE(avx512bf16)

}  // namespace hone::kernels

#undef HONE_CEILING_DECLARE
