// Bit positions: Intel SDM volume 2A, CPUID; AMD APM volume 3, appendix E. The sets of each level
// are those of the x86-64 psABI micro-architecture levels plus what cmake/isa.cmake adds.
#include "machine/isa.h"

#include <cpuid.h>

#include <array>

namespace hone::machine {
namespace {

constexpr std::array<const char*, kIsaCount> kNames = {"portable", "avx2", "avx512", "avx512vnni",
                                                       "avx512bf16"};

constexpr uint32_t bits(std::initializer_list<int> positions) {
    uint32_t mask = 0;
    for (const int position : positions) mask |= 1u << position;
    return mask;
}

constexpr bool has(uint32_t word, uint32_t mask) {
    return (word & mask) == mask;
}

// PCLMUL, FMA, MOVBE, POPCNT, AES, OSXSAVE, AVX, F16C
constexpr uint32_t kAvx2Leaf1 = bits({1, 12, 22, 23, 25, 27, 28, 29});
constexpr uint32_t kAvx2Leaf7 = bits({3, 5, 8});               // BMI1, AVX2, BMI2
constexpr uint32_t kAvx2Extended = bits({5});                  // LZCNT
constexpr uint32_t kAvx512Leaf7 = bits({16, 17, 28, 30, 31});  // F, DQ, CD, BW, VL
constexpr uint32_t kVnniLeaf7 = bits({11});
constexpr uint32_t kBf16Leaf7 = bits({5});
constexpr uint64_t kXcr0Avx = 0x6;      // SSE and AVX state
constexpr uint64_t kXcr0Avx512 = 0xe6;  // and opmask, upper ZMM, upper 16 ZMM

uint64_t read_xcr0() {
    uint32_t low = 0;
    uint32_t high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t{high} << 32) | low;
}

CpuidWords read_cpuid() {
    CpuidWords words;
    uint32_t a = 0;
    uint32_t b = 0;
    uint32_t c = 0;
    uint32_t d = 0;
    if (__get_cpuid(1, &a, &b, &c, &d)) words.leaf1_ecx = c;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        words.leaf7_ebx = b;
        words.leaf7_ecx = c;
        const uint32_t subleaf_max = a;
        if (subleaf_max >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) words.leaf7_1_eax = a;
    }
    if (__get_cpuid(0x80000001, &a, &b, &c, &d)) words.extended_ecx = c;
    if (has(words.leaf1_ecx, bits({27}))) words.xcr0 = read_xcr0();
    return words;
}

}  // namespace

const char* isa_name(Isa isa) {
    return kNames[static_cast<size_t>(isa)];
}

base::Result<Isa> parse_isa(std::string_view name) {
    std::string known;
    for (size_t i = 0; i < kNames.size(); ++i) {
        if (name == kNames[i]) return static_cast<Isa>(i);
        known += i == 0 ? "" : ", ";
        known += kNames[i];
    }
    return base::fail(base::ErrorCode::invalid_argument, "unknown instruction set '{}' (known: {})",
                      name.substr(0, 40), known);
}

Isa isa_from_cpuid(const CpuidWords& words) {
    const bool avx2 = has(words.leaf1_ecx, kAvx2Leaf1) && has(words.leaf7_ebx, kAvx2Leaf7) &&
                      has(words.extended_ecx, kAvx2Extended) && (words.xcr0 & kXcr0Avx) == kXcr0Avx;
    if (!avx2) return Isa::portable;
    const bool avx512 =
        has(words.leaf7_ebx, kAvx512Leaf7) && (words.xcr0 & kXcr0Avx512) == kXcr0Avx512;
    if (!avx512) return Isa::avx2;
    if (!has(words.leaf7_ecx, kVnniLeaf7)) return Isa::avx512;
    if (!has(words.leaf7_1_eax, kBf16Leaf7)) return Isa::avx512vnni;
    return Isa::avx512bf16;
}

Isa detect_isa() {
    return isa_from_cpuid(read_cpuid());
}

}  // namespace hone::machine
