#include "text/string_index.h"

#include <gtest/gtest.h>

namespace hone::text {
namespace {

TEST(StringIndex, NumbersInOrderOfArrivalAndGrows) {
    StringIndex index(1);
    for (int i = 0; i < 5000; ++i) ASSERT_EQ(index.add("key" + std::to_string(i)), i);
    for (int i = 0; i < 5000; ++i) {
        ASSERT_EQ(index.add("key" + std::to_string(i)), i);
        ASSERT_EQ(index.find("key" + std::to_string(i)), i);
        ASSERT_EQ(index[i], "key" + std::to_string(i));
    }
    EXPECT_EQ(index.find("key5000"), -1);
    EXPECT_EQ(index.size(), 5000u);
}

TEST(StringIndex, EmptyOneFindsNothingAndCanBeFilled) {
    StringIndex index;
    EXPECT_EQ(index.find("x"), -1);
    EXPECT_EQ(index.size(), 0u);
    EXPECT_EQ(index.add(""), 0);
    EXPECT_EQ(index.find(""), 0);
}

TEST(PairIndex, KeepsTheFirstMergeOfAPair) {
    PairIndex index(3);
    index.add(1, 2, {7, 9});
    index.add(1, 2, {8, 10});
    index.add(2, 1, {9, 11});
    EXPECT_EQ(index.find(1, 2).rank, 7);
    EXPECT_EQ(index.find(1, 2).result, 9);
    EXPECT_EQ(index.find(2, 1).rank, 9);
    EXPECT_EQ(index.find(3, 1).rank, -1);
    EXPECT_EQ(PairIndex().find(0, 0).rank, -1);
}

// The published finalizer of splitmix64, with which keys that meet in one slot can be looked for.
uint64_t mix(uint64_t x) {
    x ^= x >> 30;
    x *= 0xBF58476D1CE4E5B9u;
    x ^= x >> 27;
    x *= 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

TEST(PairIndex, EntriesMadeToMeetAreNoticed) {
    constexpr size_t kCount = 2048;
    PairIndex even(kCount);
    for (int32_t i = 0; i < static_cast<int32_t>(kCount); ++i) even.add(i, 2 * i, {i, i});
    EXPECT_FALSE(even.crowded());
    PairIndex made(kCount);
    size_t added = 0;
    for (uint64_t right = 0; added < kProbesMax + 8; ++right) {
        if ((mix(uint64_t{7} << 32 | right) & 0xFFF) != 0) continue;
        made.add(7, static_cast<int32_t>(right), {1, 1});
        ++added;
    }
    EXPECT_TRUE(made.crowded());
}

TEST(StringIndex, EntriesMadeToMeetAreNoticed) {
    StringIndex even(4096);
    for (int i = 0; i < 4000; ++i) even.add("token" + std::to_string(i));
    EXPECT_FALSE(even.crowded());
    StringIndex made(2048);
    size_t added = 0;
    for (int i = 0; added < kProbesMax + 8; ++i) {
        const std::string key = std::to_string(i);
        if ((mix(std::hash<std::string_view>{}(key)) & 0xFFF) != 0) continue;
        made.add(key);
        ++added;
    }
    EXPECT_TRUE(made.crowded());
}

}  // namespace
}  // namespace hone::text
