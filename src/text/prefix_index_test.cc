#include "text/prefix_index.h"

#include <gtest/gtest.h>

#include <random>
#include <string_view>

namespace hone::text {
namespace {

// Every id of the set whose string `text` begins with, shortest first.
std::vector<int32_t> prefixes(const PrefixIndex& index, const std::vector<std::string>& strings,
                              std::string_view text) {
    std::vector<int32_t> out;
    PrefixIndex::Cursor cursor;
    for (size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (!(i == 0 ? index.start(byte, cursor) : index.step(strings, byte, cursor))) break;
        const int32_t id = index.match(strings, cursor);
        if (id >= 0) out.push_back(id);
    }
    return out;
}

TEST(PrefixIndex, FindsEveryPrefixOfTheSet) {
    const std::vector<std::string> strings = {"abc", "a", "ab", "b", "\xFF", "abd", ""};
    const PrefixIndex index(strings, {0, 1, 3, 4, 5, 6});
    EXPECT_EQ(prefixes(index, strings, "abcd"), (std::vector<int32_t>{1, 0}));
    EXPECT_EQ(prefixes(index, strings, "abd"), (std::vector<int32_t>{1, 5}));
    EXPECT_EQ(prefixes(index, strings, "b"), (std::vector<int32_t>{3}));
    EXPECT_EQ(prefixes(index, strings, "\xFF\xFF"), (std::vector<int32_t>{4}));
    EXPECT_TRUE(prefixes(index, strings, "c").empty());
    EXPECT_TRUE(prefixes(PrefixIndex({}, {}), {}, "a").empty());
}

TEST(PrefixIndex, EqualsComparingWithEveryString) {
    const unsigned seed = 20261123;
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto any = [&](size_t size_max) {
        std::string out;
        for (size_t n = random() % (size_max + 1); n > 0; --n)
            out += "ab\xC3\xA9\x00"[random() % 5];
        return out;
    };
    for (int round = 0; round < 100; ++round) {
        std::vector<std::string> strings;
        std::vector<int32_t> ids;
        for (int i = 0; i < 40; ++i) {
            const std::string next = any(6);
            if (std::find(strings.begin(), strings.end(), next) != strings.end()) continue;
            if (random() % 4 != 0) ids.push_back(static_cast<int32_t>(strings.size()));
            strings.push_back(next);
        }
        const PrefixIndex index(strings, ids);
        const std::string text = any(12);
        std::vector<int32_t> expected;
        for (size_t size = 1; size <= text.size(); ++size) {
            for (const int32_t id : ids) {
                if (strings[static_cast<size_t>(id)] == text.substr(0, size)) {
                    expected.push_back(id);
                }
            }
        }
        ASSERT_EQ(prefixes(index, strings, text), expected) << round;
    }
}

}  // namespace
}  // namespace hone::text
