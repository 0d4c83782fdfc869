#include "text/detokenizer.h"

#include <gtest/gtest.h>

#include <random>

#include "text/small_vocabulary.h"
#include "text/utf8.h"

namespace hone::text {
namespace {

TEST(StreamingDetokenizer, HoldsBackIncompleteCharacters) {
    StreamingDetokenizer stream(*Tokenizer::create(small_vocabulary("gpt-2")));
    EXPECT_EQ(stream.push('a'), "a");
    EXPECT_EQ(stream.push(0xF0), "");
    EXPECT_EQ(stream.push(0x9F), "");
    EXPECT_EQ(stream.push(0x98), "");
    EXPECT_EQ(stream.push(0x80), "\U0001F600");
    EXPECT_EQ(stream.push(0xE2), "");
    EXPECT_EQ(stream.push('x'), "\uFFFDx");
    EXPECT_EQ(stream.push(0xC3), "");
    EXPECT_EQ(stream.flush(), "\uFFFD");
    EXPECT_EQ(stream.flush(), "");
}

TEST(StreamingDetokenizer, ShowsControlTokensOnlyWhenAsked) {
    const Tokenizer tokenizer = *Tokenizer::create(small_vocabulary("gpt-2"));
    EXPECT_EQ(StreamingDetokenizer(tokenizer).push(kSmallImEnd), "");
    EXPECT_EQ(StreamingDetokenizer(tokenizer, true).push(kSmallImEnd), "<|im_end|>");
}

TEST(StreamingDetokenizer, EqualsSanitizingTheWhole) {
    const unsigned seed = 7;
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const Tokenizer tokenizer = *Tokenizer::create(small_vocabulary("gpt-2"));
    for (int round = 0; round < 300; ++round) {
        StreamingDetokenizer stream(tokenizer);
        std::string streamed;
        std::vector<int32_t> ids;
        for (int i = 0; i < 40; ++i) {
            ids.push_back(random() % 2 == 0 ? static_cast<int32_t>(random() % 256)
                                            : static_cast<int32_t>(0x80 + random() % 0x80));
            streamed += stream.push(ids.back());
            ASSERT_EQ(incomplete_suffix_bytes(streamed), 0u);
        }
        streamed += stream.flush();
        ASSERT_EQ(streamed, sanitize_utf8(tokenizer.decode(ids)));
    }
}

}  // namespace
}  // namespace hone::text
