#include "runtime/draft_lookup.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"

namespace hone::runtime {
namespace {

using Tokens = std::vector<int32_t>;

Tokens draft(const Tokens& tokens, uint32_t drafts_max = 4) {
    Tokens drafts;
    draft_by_lookup(tokens, drafts_max, drafts);
    return drafts;
}

TEST(DraftLookup, WhatFollowedThreeTokensFollowsAgain) {
    EXPECT_EQ(draft({1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3}), (Tokens{4, 5, 6, 7}));
    EXPECT_EQ(draft({1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3}, 2), (Tokens{4, 5}));
    EXPECT_EQ(draft({1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3}, 0), Tokens{});
}

TEST(DraftLookup, ThreeTokensGoBeforeTwoAndTheMostRecentBeforeOlder) {
    // 2 3 occurred later than 1 2 3, which counts more.
    EXPECT_EQ(draft({1, 2, 3, 40, 0, 2, 3, 50, 0, 1, 2, 3}, 1), Tokens{40});
    EXPECT_EQ(draft({1, 2, 3, 40, 0, 1, 2, 3, 50, 0, 1, 2, 3}, 1), Tokens{50});
    EXPECT_EQ(draft({9, 2, 3, 40, 0, 8, 2, 3, 50, 0, 1, 2, 3}, 1), Tokens{50});
}

TEST(DraftLookup, NothingThatOccurredBeforeIsNoDraft) {
    EXPECT_EQ(draft({}), Tokens{});
    EXPECT_EQ(draft({1}), Tokens{});
    EXPECT_EQ(draft({1, 1}), Tokens{});
    EXPECT_EQ(draft({1, 2, 3, 4, 5}), Tokens{});
    EXPECT_EQ(draft({3, 1, 2, 3}), Tokens{}) << "one token is not enough";
}

TEST(DraftLookup, ARepetitionGoesOnBeyondTheEnd) {
    EXPECT_EQ(draft({7, 7, 7}), (Tokens{7, 7, 7, 7}));
    EXPECT_EQ(draft({1, 2, 1, 2}, 5), (Tokens{1, 2, 1, 2, 1}));
    EXPECT_EQ(draft({5, 1, 2, 3, 1, 2, 3}, 7), (Tokens{1, 2, 3, 1, 2, 3, 1}));
}

TEST(DraftLookup, DraftsAreAppended) {
    Tokens drafts{99, 98};
    draft_by_lookup(Tokens{1, 2, 1, 2}, 3, drafts);
    EXPECT_EQ(drafts, (Tokens{99, 98, 1, 2, 1}));
}

TEST(DraftLookup, TheScanHasALimit) {
    Tokens tokens{1, 2, 3, 4};
    for (int32_t i = 0; i < static_cast<int32_t>(kDraftLookupTokensMax); ++i) {
        tokens.push_back(100 + i);
    }
    for (const int32_t token : {1, 2, 3}) tokens.push_back(token);
    EXPECT_EQ(draft(tokens), Tokens{});
    tokens.erase(tokens.begin() + 4, tokens.begin() + 11);
    EXPECT_EQ(draft(tokens, 1), Tokens{4});
}

// Against a search that says the rule once more, for each length by itself.
TEST(DraftLookup, RandomTextsGiveWhatThePlainRuleSays) {
    base::Random random(3);
    size_t found = 0;
    for (int round = 0; round < 2000; ++round) {
        Tokens tokens(random.next_below(30));
        for (int32_t& token : tokens) token = static_cast<int32_t>(random.next_below(4));
        Tokens expected;
        for (const size_t n : {kDraftNgramLong, kDraftNgramShort}) {
            if (!expected.empty() || tokens.size() <= n) continue;
            for (size_t at = tokens.size() - n; at-- > 0;) {
                if (!std::equal(tokens.end() - static_cast<std::ptrdiff_t>(n), tokens.end(),
                                tokens.begin() + static_cast<std::ptrdiff_t>(at))) {
                    continue;
                }
                Tokens text = tokens;
                for (int i = 0; i < 6; ++i) text.push_back(text[at + n + static_cast<size_t>(i)]);
                expected.assign(text.end() - 6, text.end());
                break;
            }
        }
        found += expected.empty() ? 0 : 1;
        EXPECT_EQ(draft(tokens, 6), expected) << "round " << round;
    }
    EXPECT_GT(found, 500u);
}

}  // namespace
}  // namespace hone::runtime
