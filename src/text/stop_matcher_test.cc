#include "text/stop_matcher.h"

#include <gtest/gtest.h>

#include <random>

namespace hone::text {
namespace {

TEST(StopMatcher, FindsAStopAcrossParts) {
    StopMatcher matcher = *StopMatcher::create({"END"});
    EXPECT_EQ(matcher.push("abcE"), "abc");
    EXPECT_EQ(matcher.push("N"), "");
    EXPECT_FALSE(matcher.stopped());
    EXPECT_EQ(matcher.push("Dxyz"), "");
    EXPECT_TRUE(matcher.stopped());
    EXPECT_EQ(matcher.found(), "END");
    EXPECT_EQ(matcher.push("more"), "");
    EXPECT_EQ(matcher.flush(), "");
}

TEST(StopMatcher, GivesBackWhatWasNoStop) {
    StopMatcher matcher = *StopMatcher::create({"aab"});
    EXPECT_EQ(matcher.push("aa"), "");
    EXPECT_EQ(matcher.push("a"), "a");
    EXPECT_EQ(matcher.push("c"), "aac");
    EXPECT_EQ(matcher.push("a"), "");
    EXPECT_EQ(matcher.flush(), "a");
}

TEST(StopMatcher, TheFirstCompleteThenTheLongestWins) {
    StopMatcher matcher = *StopMatcher::create({"c", "bc", "abcd"});
    EXPECT_EQ(matcher.push("xabcd"), "xa");
    EXPECT_EQ(matcher.found(), "bc");
}

TEST(StopMatcher, WithoutStopsPassesEverything) {
    StopMatcher matcher = *StopMatcher::create({});
    EXPECT_EQ(matcher.push("text"), "text");
    EXPECT_FALSE(matcher.stopped());
}

TEST(StopMatcher, LimitsNumberAndLength) {
    EXPECT_EQ(StopMatcher::create({""}).error().code, base::ErrorCode::invalid_argument);
    EXPECT_EQ(StopMatcher::create({std::string(257, 'x')}).error().code,
              base::ErrorCode::exhausted);
    EXPECT_EQ(StopMatcher::create(std::vector<std::string>(33, "x")).error().code,
              base::ErrorCode::exhausted);
    EXPECT_TRUE(StopMatcher::create(std::vector<std::string>(32, std::string(256, 'x'))));
}

TEST(StopMatcher, HowTheTextIsCutChangesNothing) {
    const unsigned seed = 11;
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    for (int round = 0; round < 500; ++round) {
        std::string text;
        for (int i = 0; i < 30; ++i) text += "ab"[random() % 2];
        const std::vector<std::string> stops = {"abba", "bab", "aaab"};
        StopMatcher whole = *StopMatcher::create(stops);
        const std::string expected = whole.push(text) + whole.flush();
        StopMatcher parts = *StopMatcher::create(stops);
        std::string got;
        for (size_t i = 0; i < text.size();) {
            const size_t size = 1 + random() % 4;
            got += parts.push(std::string_view(text).substr(i, size));
            i += size;
        }
        got += parts.flush();
        ASSERT_EQ(got, expected) << text;
        ASSERT_EQ(parts.found(), whole.found()) << text;
    }
}

}  // namespace
}  // namespace hone::text
