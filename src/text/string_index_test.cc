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

}  // namespace
}  // namespace hone::text
