#include "compress/recipe.h"

#include <gtest/gtest.h>

#include <map>

#include "compress/compress_fixture.h"
#include "tensor/codec.h"

namespace hone::compress {
namespace {

using tensor::DType;

std::map<std::string, TensorChoice> by_name(const Recipe& recipe) {
    std::map<std::string, TensorChoice> out;
    for (const TensorChoice& choice : recipe.tensors) out[choice.name] = choice;
    return out;
}

TEST(Recipe, Patterns) {
    EXPECT_TRUE(matches_pattern("*", ""));
    EXPECT_TRUE(matches_pattern("blk.*.ffn_down.weight", "blk.12.ffn_down.weight"));
    EXPECT_TRUE(matches_pattern("blk.?.attn_*", "blk.3.attn_q.weight"));
    EXPECT_TRUE(matches_pattern("*a*b*c", "xxaxxbxxbxxc"));
    EXPECT_FALSE(matches_pattern("blk.?.attn_*", "blk.13.attn_q.weight"));
    EXPECT_FALSE(matches_pattern("a", "ab"));
    EXPECT_FALSE(matches_pattern("ab", "a"));
    EXPECT_FALSE(matches_pattern("", "a"));
}

TEST(Recipe, Overrides) {
    const auto item = parse_override("blk.*=q4_k");
    ASSERT_TRUE(item);
    EXPECT_EQ(item->pattern, "blk.*");
    EXPECT_EQ(item->type, DType::q4_k);
    for (const char* bad : {"", "=", "=Q4_0", "blk.*", "blk.*=", "blk.*=Q9_9"}) {
        EXPECT_FALSE(parse_override(bad)) << bad;
    }
}

TEST(Recipe, RulesInTheirOrder) {
    const SynthModel model({.n_embd = 128, .n_ff = 256, .type = DType::f16});
    RecipeSpec spec;
    spec.type = DType::q4_0;
    spec.overrides = {{"blk.1.*_q.weight", DType::q8_0}, {"blk.1.*", DType::f16}};
    const auto recipe = make_recipe(model.file(), spec);
    ASSERT_TRUE(recipe) << recipe.error().message;
    auto choices = by_name(*recipe);
    EXPECT_EQ(choices["blk.0.attn_q.weight"].to, DType::q4_0);
    EXPECT_EQ(choices["blk.0.attn_norm.weight"].to, DType::f32);
    EXPECT_EQ(choices["blk.0.attn_norm.weight"].reason, Reason::kept);
    EXPECT_EQ(choices["blk.1.attn_q.weight"].to, DType::q8_0);
    EXPECT_EQ(choices["blk.1.attn_k.weight"].to, DType::f16);
    EXPECT_EQ(choices["blk.1.attn_k.weight"].reason, Reason::chosen);
    // Shared with the head, whose Q6_K does not divide 128 columns.
    EXPECT_EQ(choices["token_embd.weight"].to, DType::q8_0);
    EXPECT_EQ(choices["token_embd.weight"].reason, Reason::fallback);
    EXPECT_EQ(recipe->main_type(), DType::q4_0);
    uint64_t bytes = 0;
    for (const auto& [name, choice] : choices) bytes += choice.bytes;
    EXPECT_EQ(recipe->bytes(), bytes);
}

TEST(Recipe, EmbeddingAndOutput) {
    const SynthModel model({.n_embd = 256, .type = DType::f16, .tied_embeddings = false});
    RecipeSpec spec;
    spec.type = DType::q4_k;
    auto choices = by_name(*make_recipe(model.file(), spec));
    EXPECT_EQ(choices["token_embd.weight"].to, DType::q4_k);
    EXPECT_EQ(choices["output.weight"].to, DType::q6_k);
    spec.pure = true;
    EXPECT_EQ(by_name(*make_recipe(model.file(), spec))["output.weight"].to, DType::q4_k);
    spec.embedding_type = DType::q5_0;
    spec.output_type = DType::q8_0;
    choices = by_name(*make_recipe(model.file(), spec));
    EXPECT_EQ(choices["token_embd.weight"].to, DType::q5_0);
    EXPECT_EQ(choices["output.weight"].to, DType::q8_0);
}

TEST(Recipe, Fallbacks) {
    EXPECT_EQ(tensor::fitting_type(DType::q4_k, 512), DType::q4_k);
    EXPECT_EQ(tensor::fitting_type(DType::q4_k, 576), DType::q5_0);
    EXPECT_EQ(tensor::fitting_type(DType::q5_k, 576), DType::q5_1);
    EXPECT_EQ(tensor::fitting_type(DType::q6_k, 576), DType::q8_0);
    EXPECT_EQ(tensor::fitting_type(DType::q6_k, 100), DType::f16);
    EXPECT_EQ(tensor::fitting_type(DType::iq4_nl, 33), DType::f16);
}

TEST(Recipe, Refusals) {
    const SynthModel model({.type = DType::f16});
    RecipeSpec spec;
    spec.overrides = {{"no.such.tensor", DType::q8_0}};
    const auto no_match = make_recipe(model.file(), spec);
    ASSERT_FALSE(no_match);
    EXPECT_EQ(no_match.error().code, base::ErrorCode::invalid_argument);
    spec.overrides.clear();
    spec.type = DType::q3_k;
    const auto no_writer = make_recipe(model.file(), spec);
    ASSERT_FALSE(no_writer);
    EXPECT_EQ(no_writer.error().code, base::ErrorCode::unsupported);
}

}  // namespace
}  // namespace hone::compress
