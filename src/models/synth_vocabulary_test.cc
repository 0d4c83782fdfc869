#include "models/synth_vocabulary.h"

#include <gtest/gtest.h>

#include <set>

namespace hone::models {
namespace {

TEST(SynthVocabulary, TokensAreUniqueAndMergesBuildThem) {
    for (uint32_t n_vocab : {kSynthVocabularyMin, 1024u, 49152u}) {
        const auto vocabulary = make_synth_vocabulary(n_vocab);
        ASSERT_TRUE(vocabulary);
        ASSERT_EQ(vocabulary->tokens.size(), n_vocab);
        ASSERT_EQ(vocabulary->types.size(), n_vocab);
        ASSERT_EQ(vocabulary->merges.size(), n_vocab - kSynthVocabularyMin);
        // In the order of the file each merge joins two tokens that exist and makes the next one.
        std::set<std::string> known(vocabulary->tokens.begin(),
                                    vocabulary->tokens.begin() + kSynthVocabularyMin);
        ASSERT_EQ(known.size(), kSynthVocabularyMin);
        for (size_t i = 0; i < vocabulary->merges.size(); ++i) {
            const std::string& merge = vocabulary->merges[i];
            const size_t space = merge.find(' ');
            const std::string left = merge.substr(0, space), right = merge.substr(space + 1);
            ASSERT_TRUE(known.count(left) == 1 && known.count(right) == 1) << merge;
            ASSERT_EQ(vocabulary->tokens[kSynthVocabularyMin + i], left + right);
            ASSERT_TRUE(known.insert(left + right).second) << merge;
        }
    }
}

TEST(SynthVocabulary, SpellsBytesAsGpt2Does) {
    const auto vocabulary = make_synth_vocabulary(kSynthVocabularyMin);
    ASSERT_TRUE(vocabulary);
    const auto byte_token = [&](int byte) { return vocabulary->tokens[3 + byte]; };
    EXPECT_EQ(byte_token('A'), "A");
    EXPECT_EQ(byte_token(' '), "\xc4\xa0");
    EXPECT_EQ(byte_token('\n'), "\xc4\x8a");
    EXPECT_EQ(byte_token(0), "\xc4\x80");
    EXPECT_EQ(byte_token(0xad), "\xc5\x83");
    EXPECT_EQ(byte_token(0xff), "\xc3\xbf");
}

TEST(SynthVocabulary, BoundsAreChecked) {
    for (uint32_t n_vocab : {0u, kSynthVocabularyMin - 1, kSynthVocabularyMax + 1, ~0u}) {
        const auto vocabulary = make_synth_vocabulary(n_vocab);
        ASSERT_FALSE(vocabulary);
        EXPECT_EQ(vocabulary.error().code, base::ErrorCode::invalid_argument);
    }
    EXPECT_TRUE(make_synth_vocabulary(kSynthVocabularyMax));
}

}  // namespace
}  // namespace hone::models
