#include "text/charsmap.h"

#include <gtest/gtest.h>

#include <random>

namespace hone::text {
namespace {

using base::ErrorCode;

std::string u32(uint32_t value) {
    std::string out;
    for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(value >> shift));
    return out;
}

// The rules a -> "x" and ab -> "yy", placed by hand. Node i has its children at i's offset xor the
// byte, its value at the offset itself.
std::string small_map() {
    std::vector<uint32_t> units(0x200);
    const auto node = [](uint32_t at, uint32_t offset_at, bool ends, uint32_t label) {
        return (at ^ offset_at) << 10 | (ends ? 0x100u : 0u) | label;
    };
    units[0] = node(0, 0x100, false, 0);
    units[0x100 ^ 'a'] = node(0x100 ^ 'a', 0x80, true, 'a');
    units[0x80] = 0x80000000u | 0;  // "x"
    units[0x80 ^ 'b'] = node(0x80 ^ 'b', 0x40, true, 'b');
    units[0x40] = 0x80000000u | 2;  // "yy"
    std::string out = u32(static_cast<uint32_t>(units.size() * 4));
    for (const uint32_t unit : units) out += u32(unit);
    return out + std::string("x\0yy\0", 5);
}

TEST(Charsmap, TheLongestRuleIsTaken) {
    const auto map = *Charsmap::create(small_map());
    EXPECT_EQ(map.longest("a").replacement, "x");
    EXPECT_EQ(map.longest("ac").consumed, 1u);
    EXPECT_EQ(map.longest("abab").replacement, "yy");
    EXPECT_EQ(map.longest("abab").consumed, 2u);
    EXPECT_EQ(map.longest("b").consumed, 0u);
    EXPECT_EQ(map.longest("").consumed, 0u);
    EXPECT_EQ(map.longest(std::string_view("\0a", 2)).consumed, 0u);
    EXPECT_EQ(Charsmap().longest("a").consumed, 0u);
    EXPECT_EQ(Charsmap::create("")->longest("a").consumed, 0u);
}

struct Broken {
    const char* name;
    void (*damage)(std::string& bytes);
    ErrorCode code;
};

constexpr Broken kBroken[] = {
    {"three bytes", [](std::string& b) { b = "abc"; }, ErrorCode::corrupt},
    {"only a size", [](std::string& b) { b = u32(4); }, ErrorCode::corrupt},
    {"size 0", [](std::string& b) { b.replace(0, 4, u32(0)); }, ErrorCode::corrupt},
    {"size not of units", [](std::string& b) { b.replace(0, 4, u32(0x801)); }, ErrorCode::corrupt},
    {"size of everything",
     [](std::string& b) { b.replace(0, 4, u32(static_cast<uint32_t>(b.size()) - 4)); },
     ErrorCode::corrupt},
    {"size beyond", [](std::string& b) { b.replace(0, 4, u32(0x10000)); }, ErrorCode::corrupt},
    {"size 2^32 - 4", [](std::string& b) { b.replace(0, 4, u32(0xFFFFFFFC)); }, ErrorCode::corrupt},
    {"no pool", [](std::string& b) { b.resize(b.size() - 5); }, ErrorCode::corrupt},
    {"pool without an end", [](std::string& b) { b.pop_back(); }, ErrorCode::corrupt},
    {"value beyond the pool", [](std::string& b) { b.replace(4 + 0x80 * 4, 4, u32(0x80000005)); },
     ErrorCode::corrupt},
    {"value 2^31 - 1", [](std::string& b) { b.replace(4 + 0x80 * 4, 4, u32(0xFFFFFFFF)); },
     ErrorCode::corrupt},
    {"long replacement", [](std::string& b) { b += std::string(65, 'z') + std::string(1, '\0'); },
     ErrorCode::exhausted},
    {"too large", [](std::string& b) { b.resize(Charsmap::kBytesMax + 1); }, ErrorCode::exhausted},
};

TEST(Charsmap, BrokenOnesAreRefused) {
    for (const Broken& broken : kBroken) {
        std::string bytes = small_map();
        broken.damage(bytes);
        const auto map = Charsmap::create(bytes);
        ASSERT_FALSE(map.has_value()) << broken.name;
        EXPECT_EQ(map.error().code, broken.code) << broken.name;
    }
}

// Indices that lead anywhere are followed only as far as they stay inside.
TEST(Charsmap, RandomUnitsAreWalkedWithoutHarm) {
    const unsigned seed = 20261123;
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    for (int round = 0; round < 300; ++round) {
        const size_t units = 1 + random() % 300;
        std::string bytes = u32(static_cast<uint32_t>(units * 4));
        for (size_t i = 0; i < units; ++i) {
            bytes += u32(static_cast<uint32_t>(random()) & 0x7FFFFFFF);
        }
        bytes += std::string("x\0", 2);
        const auto map = Charsmap::create(bytes);
        ASSERT_TRUE(map.has_value());
        for (int i = 0; i < 256; ++i) {
            const std::string text(8, static_cast<char>(i));
            EXPECT_LE(map->longest(text).consumed, text.size());
        }
    }
}

}  // namespace
}  // namespace hone::text
