#include "text/special_tokens.h"

#include <gtest/gtest.h>

#include "text/small_vocabulary.h"

namespace hone::text {
namespace {

VocabularyData vocabulary(const std::vector<std::string>& tokens, TokenType type) {
    VocabularyData data;
    data.tokens = tokens;
    data.types.assign(tokens.size(), static_cast<int32_t>(type));
    return data;
}

std::string describe(const std::vector<Fragment>& fragments) {
    std::string out;
    for (const Fragment& fragment : fragments) {
        out += fragment.token >= 0 ? "#" + std::to_string(fragment.token)
                                   : "[" + std::string(fragment.bytes) + "]";
    }
    return out;
}

TEST(SpecialTokens, CutsLongerTokensFirst) {
    const auto data = vocabulary({"<a>", "<a><b>", "<b>"}, TokenType::control);
    const auto special = *SpecialTokens::create(data);
    EXPECT_EQ(describe(special.cut("x<a><b>y<b><a>z", true, data.tokens)), "[x]#1[y]#2#0[z]");
    EXPECT_EQ(describe(special.cut("<a", true, data.tokens)), "[<a]");
    EXPECT_EQ(describe(special.cut("", true, data.tokens)), "");
}

TEST(SpecialTokens, WithoutParsingOnlyUserDefinedOnesAreCut) {
    const auto data = small_vocabulary("gpt-2");
    const auto special = *SpecialTokens::create(data);
    EXPECT_EQ(describe(special.cut("a<|im_end|><tool>b", false, data.tokens)),
              "[a<|im_end|>]#265[b]");
    EXPECT_EQ(describe(special.cut("a<|im_end|><tool>b", true, data.tokens)), "[a]#264#265[b]");
}

TEST(SpecialTokens, EndsAreKnownByTextAndBecomeControl) {
    auto data = vocabulary({"x", "<|im_end|>", "<end_of_turn>", "y", "<|fim_pad|>", "<PAD>"},
                           TokenType::normal);
    data.eos_id = 3;
    const auto special = *SpecialTokens::create(data);
    EXPECT_FALSE(special.is_end_of_generation(0));
    EXPECT_TRUE(special.is_end_of_generation(1));
    EXPECT_TRUE(special.is_end_of_generation(2));
    EXPECT_TRUE(special.is_end_of_generation(3));
    EXPECT_TRUE(special.is_end_of_generation(4));
    EXPECT_FALSE(special.is_end_of_generation(5));  // of the padding texts the first one counts
    EXPECT_FALSE(special.is_end_of_generation(-1));
    EXPECT_FALSE(special.is_end_of_generation(6));
    EXPECT_TRUE(special.is_control(1));
    EXPECT_FALSE(special.is_control(3));
}

TEST(SpecialTokens, FamiliesInWhichAnEndTextIsNotAnEnd) {
    const auto harmony = *SpecialTokens::create(
        vocabulary({"<|end|>", "<|return|>", "<|call|>", "<|channel|>"}, TokenType::control));
    EXPECT_FALSE(harmony.is_end_of_generation(0));
    EXPECT_TRUE(harmony.is_end_of_generation(1));
    EXPECT_FALSE(harmony.is_control(0));
    EXPECT_FALSE(harmony.is_control(3));
    EXPECT_TRUE(harmony.is_verbatim(3));
    const auto plain =
        *SpecialTokens::create(vocabulary({"</s>", "<|tool_response>"}, TokenType::control));
    EXPECT_FALSE(plain.is_end_of_generation(0));
    EXPECT_TRUE(plain.is_normal(0));
}

TEST(SpecialTokens, TooManyAreRefused) {
    std::vector<std::string> tokens;
    for (size_t i = 0; i <= SpecialTokens::kSpecialCountMax; ++i) {
        tokens.push_back("<" + std::to_string(i) + ">");
    }
    const auto result = SpecialTokens::create(vocabulary(tokens, TokenType::control));
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().code, base::ErrorCode::exhausted);
}

}  // namespace
}  // namespace hone::text
