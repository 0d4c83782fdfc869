// The instruction-set levels that Hone compiles kernels for, and what this CPU offers.
//
// Levels are ordered and each includes the ones below it, so "can run" is a comparison. A level is
// only reported when the operating system saves its registers too. Not a list of every CPU flag:
// machine/facts.h has those as text. Pure functions; detect_isa reads CPUID.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace hone::machine {

enum class Isa : uint8_t {
    portable,    // x86-64-v2: SSE4.2
    avx2,        // x86-64-v3: AVX2, FMA, F16C
    avx512,      // x86-64-v4: AVX-512 F, BW, DQ, VL, CD
    avx512vnni,  // + AVX512_VNNI (u8 x s8 dot products)
    avx512bf16,  // + AVX512_BF16 (bf16 pair dot products)
};

inline constexpr int kIsaCount = 5;

const char* isa_name(Isa isa);
// Accepts the names above; invalid_argument lists them.
base::Result<Isa> parse_isa(std::string_view name);
// The highest level this CPU and operating system can run.
Isa detect_isa();

// The registers that decide, so that the decision can be tested without the CPUs.
struct CpuidWords {
    uint32_t leaf1_ecx = 0;
    uint32_t leaf7_ebx = 0;
    uint32_t leaf7_ecx = 0;
    uint32_t leaf7_1_eax = 0;
    uint32_t extended_ecx = 0;  // leaf 0x80000001
    uint64_t xcr0 = 0;          // 0 where XGETBV is not available
};
Isa isa_from_cpuid(const CpuidWords& words);

}  // namespace hone::machine
