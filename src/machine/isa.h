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

}  // namespace hone::machine
