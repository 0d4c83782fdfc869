#include "base/closest.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace hone::base {
namespace {

TEST(EditDistance, ByHand) {
    EXPECT_EQ(edit_distance("", ""), 0u);
    EXPECT_EQ(edit_distance("abc", "abc"), 0u);
    EXPECT_EQ(edit_distance("", "abc"), 3u);
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);  // k-s, e-i, and a g
    EXPECT_EQ(edit_distance("sitting", "kitten"), 3u);
    EXPECT_EQ(edit_distance("fnn_down", "ffn_down"), 1u);
    EXPECT_EQ(edit_distance("ab", "ba"), 2u);
}

TEST(EditDistance, LooksAtABoundedBeginning) {
    const std::string a(kClosestBytes, 'x'), b = a + std::string(1 << 20, 'y');
    EXPECT_EQ(edit_distance(a, b), 0u);
    EXPECT_EQ(edit_distance(b, ""), kClosestBytes);
}

TEST(Closest, TheFirstOfTheNearest) {
    constexpr std::array<std::string_view, 4> names{"blk.0.ffn_up", "blk.0.ffn_down",
                                                    "blk.1.ffn_down", "output"};
    EXPECT_EQ(closest("blk.0.fnn_down", names), "blk.0.ffn_down");
    EXPECT_EQ(closest("blk.2.ffn_down", names), "blk.0.ffn_down");
    EXPECT_EQ(closest("outptu", names), "output");
    EXPECT_EQ(closest("anything", {}), "");
}

}  // namespace
}  // namespace hone::base
