#include "base/checksum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"

namespace hone::base {
namespace {

std::vector<std::byte> random_bytes(size_t size) {
    Random random(7);
    std::vector<std::byte> bytes(size);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next_u64());
    return bytes;
}

TEST(Checksum, EveryFlippedBitShows) {
    std::vector<std::byte> bytes = random_bytes(203);
    std::set<uint64_t> seen{checksum(bytes)};
    for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
        bytes[bit / 8] ^= std::byte(1u << (bit % 8));
        EXPECT_TRUE(seen.insert(checksum(bytes)).second) << bit;
        bytes[bit / 8] ^= std::byte(1u << (bit % 8));
    }
}

TEST(Checksum, TheSameBitTwiceShows) {
    std::vector<std::byte> bytes = random_bytes(512);
    const uint64_t whole = checksum(bytes);
    bytes[7] ^= std::byte{0x80};
    bytes[7 + 64] ^= std::byte{0x80};
    EXPECT_NE(checksum(bytes), whole);
}

TEST(Checksum, LengthAndOrderCount) {
    std::set<uint64_t> seen;
    const std::vector<std::byte> zeros(300);
    for (size_t size = 0; size <= zeros.size(); ++size) {
        EXPECT_TRUE(seen.insert(checksum(std::span(zeros).first(size))).second) << size;
    }
    std::vector<std::byte> bytes = random_bytes(128);
    const uint64_t whole = checksum(bytes);
    std::swap_ranges(bytes.begin(), bytes.begin() + 8, bytes.begin() + 64);
    EXPECT_NE(checksum(bytes), whole);
}

// Kept in files: another value would make them all look damaged.
TEST(Checksum, KnownValues) {
    EXPECT_EQ(checksum({}), 13283490973341660995u);
    const std::string text =
        "The quick brown fox jumps over the lazy dog, and then it rests a while.";
    EXPECT_EQ(checksum(std::as_bytes(std::span(text))), 16252727376983506870u);
}

}  // namespace
}  // namespace hone::base
