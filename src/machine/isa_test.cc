#include "machine/isa.h"

#include <gtest/gtest.h>

#include <string>

namespace hone::machine {
namespace {

// The words of an EPYC of family 25 (Zen 4), read on such a machine.
CpuidWords zen4_words() {
    CpuidWords words;
    words.leaf1_ecx = 0xfff83203;
    words.leaf7_ebx = 0xf1bf97a9;
    words.leaf7_ecx = 0x00405fce;
    words.leaf7_1_eax = 0x00000020;
    words.extended_ecx = 0x004403f3;
    words.xcr0 = 0xe7;
    return words;
}

TEST(Isa, NamesRoundTrip) {
    for (int i = 0; i < kIsaCount; ++i) {
        const Isa isa = static_cast<Isa>(i);
        const auto parsed = parse_isa(isa_name(isa));
        ASSERT_TRUE(parsed.has_value()) << isa_name(isa);
        EXPECT_EQ(*parsed, isa);
    }
    EXPECT_LT(Isa::portable, Isa::avx2);
    EXPECT_LT(Isa::avx512vnni, Isa::avx512bf16);
}

TEST(Isa, UnknownNameListsTheKnownOnes) {
    for (const char* name : {"", "AVX2", "avx", "sse4.2", "avx512vnni "}) {
        const auto parsed = parse_isa(name);
        ASSERT_FALSE(parsed.has_value()) << name;
        EXPECT_EQ(parsed.error().code, base::ErrorCode::invalid_argument);
        EXPECT_NE(parsed.error().message.find("portable, avx2, avx512, avx512vnni, avx512bf16"),
                  std::string::npos);
    }
}

TEST(Isa, LevelsFollowTheWords) {
    EXPECT_EQ(isa_from_cpuid(CpuidWords{}), Isa::portable);
    CpuidWords words = zen4_words();
    EXPECT_EQ(isa_from_cpuid(words), Isa::avx512bf16);
    words.leaf7_1_eax = 0;
    EXPECT_EQ(isa_from_cpuid(words), Isa::avx512vnni);
    words.leaf7_ecx &= ~(1u << 11);
    EXPECT_EQ(isa_from_cpuid(words), Isa::avx512);
    words.leaf7_ebx &= ~(1u << 31);  // without VL (Knights Landing)
    EXPECT_EQ(isa_from_cpuid(words), Isa::avx2);
    words.leaf1_ecx &= ~(1u << 12);  // without FMA
    EXPECT_EQ(isa_from_cpuid(words), Isa::portable);
}

TEST(Isa, RegistersMustBeSavedByTheOperatingSystem) {
    CpuidWords words = zen4_words();
    words.xcr0 = 0x7;
    EXPECT_EQ(isa_from_cpuid(words), Isa::avx2);
    words.xcr0 = 0x67;  // opmask and upper ZMM, not the upper 16 registers
    EXPECT_EQ(isa_from_cpuid(words), Isa::avx2);
    words.xcr0 = 0x3;
    EXPECT_EQ(isa_from_cpuid(words), Isa::portable);
    words.xcr0 = 0;
    EXPECT_EQ(isa_from_cpuid(words), Isa::portable);
}

TEST(Isa, DetectionAgreesWithTheCompilersView) {
    const Isa isa = detect_isa();
    EXPECT_EQ(isa >= Isa::avx512,
              __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512cd"));
    if (isa >= Isa::avx2) {
        EXPECT_TRUE(__builtin_cpu_supports("avx2"));
    }
    if (isa >= Isa::avx512vnni) {
        EXPECT_TRUE(__builtin_cpu_supports("avx512vnni"));
    }
    if (isa >= Isa::avx512bf16) {
        EXPECT_TRUE(__builtin_cpu_supports("avx512bf16"));
    }
}

}  // namespace
}  // namespace hone::machine
