#include "runtime/prefix_index.h"

#include <gtest/gtest.h>

#include <vector>

namespace hone::runtime {
namespace {

std::vector<int32_t> page_of(int32_t token) {
    return std::vector<int32_t>(kernels::kPageTokens, token);
}

constexpr uint32_t kNone = PrefixIndex::kNone;

TEST(PrefixIndex, FindsByTokensAndByWhatCameBefore) {
    PrefixIndex index(8, 2);
    EXPECT_EQ(index.find(kNone, page_of(1)), kNone);
    const uint32_t root = index.add(kNone, page_of(1), std::vector<uint32_t>{10, 20});
    const uint32_t child = index.add(root, page_of(1), std::vector<uint32_t>{11, 21});
    EXPECT_EQ(index.find(kNone, page_of(1)), root);
    EXPECT_EQ(index.find(root, page_of(1)), child);
    EXPECT_EQ(index.find(child, page_of(1)), kNone);
    EXPECT_EQ(index.page(child, 1), 21u);
    EXPECT_EQ(index.parent(child), root);
}

TEST(PrefixIndex, WhatLiesBehindARemovedPageIsNotFoundAgain) {
    PrefixIndex index(2, 1);
    const uint32_t root = index.add(kNone, page_of(1), std::vector<uint32_t>{0});
    const uint32_t child = index.add(root, page_of(2), std::vector<uint32_t>{1});
    EXPECT_TRUE(index.full());
    index.remove(root);
    EXPECT_FALSE(index.used(root));
    EXPECT_TRUE(index.used(child));
    // The same tokens computed anew are another page; the old child is not behind it.
    const uint32_t again = index.add(kNone, page_of(1), std::vector<uint32_t>{2});
    EXPECT_EQ(again, root) << "the slot is used again";
    EXPECT_EQ(index.find(again, page_of(2)), kNone);
}

TEST(PrefixIndex, TheEndsOfPathsAgeFirst) {
    PrefixIndex index(4, 1);
    const uint32_t root = index.add(kNone, page_of(1), std::vector<uint32_t>{0});
    const uint32_t left = index.add(root, page_of(2), std::vector<uint32_t>{1});
    const uint32_t right = index.add(root, page_of(3), std::vector<uint32_t>{2});
    index.touch(left);
    EXPECT_LT(index.last_use(right), index.last_use(left));
    EXPECT_LT(index.last_use(left), index.last_use(root));
}

}  // namespace
}  // namespace hone::runtime
