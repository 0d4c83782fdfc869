#include "compress/channel_scales.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/random.h"
#include "compress/compress_fixture.h"
#include "compress/model_outputs.h"
#include "compress/quantize_file.h"
#include "models/model.h"
#include "tensor/codec.h"

namespace hone::compress {
namespace {

using tensor::DType;

ScaleGroups groups_of(const std::string& path) {
    const auto model = models::Model::open(path);
    EXPECT_TRUE(model) << model.error().message;
    auto groups = scale_groups(**model);
    EXPECT_TRUE(groups);
    return std::move(*groups);
}

const ScaleGroup* find(const ScaleGroups& groups, const std::string& name) {
    for (const ScaleGroup& group : groups.groups) {
        if (group.name == name) return &group;
    }
    return nullptr;
}

std::string reason_of(const std::vector<UnscaledGroup>& unscaled, const std::string& name) {
    for (const UnscaledGroup& group : unscaled) {
        if (group.name == name) return group.reason;
    }
    return "";
}

Recipe recipe_of(const formats::GgufFile& file, DType type) {
    RecipeSpec spec;
    spec.type = type;
    spec.pure = true;
    return *make_recipe(file, spec);
}

std::vector<float> random_factors(uint64_t channels, base::Random& random) {
    std::vector<float> factors(channels);
    for (float& factor : factors) {
        factor = static_cast<float>(std::exp2(4 * random.next_double() - 2));
    }
    return factors;
}

// The cache rounds values to F16: powers of two change nothing about that.
std::vector<float> powers_of_two(std::vector<float> factors) {
    for (float& factor : factors) factor = std::exp2(std::round(std::log2(factor)));
    return factors;
}

models::SynthSpec small(const std::string& architecture) {
    models::SynthSpec spec;
    spec.architecture = architecture;
    spec.n_layers = 2;
    spec.n_vocab = 512;
    spec.type = DType::f32;
    return spec;
}

using Names = std::vector<std::string>;

TEST(ScaleGroups, OfALlama) {
    const SynthModel model(small("llama"));
    const ScaleGroups found = groups_of(model.path());
    EXPECT_EQ(found.groups.size(), 2u * 4u);
    const ScaleGroup* norm = find(found, "blk.1.attn_norm");
    ASSERT_NE(norm, nullptr);
    EXPECT_EQ(norm->readers,
              (Names{"blk.1.attn_q.weight", "blk.1.attn_k.weight", "blk.1.attn_v.weight"}));
    ASSERT_EQ(norm->makers.size(), 1u);
    EXPECT_EQ(norm->makers[0].tensor, "blk.1.attn_norm.weight");
    EXPECT_TRUE(norm->makers[0].vector);
    const ScaleGroup* up = find(found, "blk.0.ffn_up");
    ASSERT_NE(up, nullptr);
    EXPECT_EQ(up->channels, 384u);
    EXPECT_EQ(up->readers, (Names{"blk.0.ffn_down.weight"}));
    // Two KV heads of 32 for four query heads: columns 0..31 and 32..63 are the same channels.
    const ScaleGroup* values = find(found, "blk.0.attend");
    ASSERT_NE(values, nullptr);
    EXPECT_EQ(values->channels, 64u);
    EXPECT_EQ(values->columns(), 128u);
    EXPECT_EQ(values->channel_of(31), 31u);
    EXPECT_EQ(values->channel_of(32), 0u);
    EXPECT_EQ(values->channel_of(64), 32u);
    // The head is the embedding.
    EXPECT_EQ(reason_of(found.unscaled, "output_norm"),
              "'token_embd.weight' is also used by 'token_embd'");
}

TEST(ScaleGroups, AreFoundByFormulas) {
    auto untied = small("llama");
    untied.tied_embeddings = false;
    const SynthModel apart(untied);
    ASSERT_NE(find(groups_of(apart.path()), "output_norm"), nullptr);

    // The router reads what the experts read; hidden units belong to one expert each.
    const SynthModel experts(small("qwen3moe"));
    const ScaleGroups moe = groups_of(experts.path());
    const ScaleGroup* norm = find(moe, "blk.0.ffn_norm");
    ASSERT_NE(norm, nullptr);
    EXPECT_EQ(norm->readers, (Names{"blk.0.ffn_gate_inp.weight", "blk.0.ffn_gate_exps.weight",
                                    "blk.0.ffn_up_exps.weight"}));
    EXPECT_EQ(reason_of(moe.unscaled, "blk.0.ffn_up_exps"),
              "every expert has hidden units of its own");

    // Rows of V and of up lie behind others in one tensor.
    const SynthModel fused(small("phi3"));
    const ScaleGroups phi3 = groups_of(fused.path());
    const auto* up = find(phi3, "blk.0.ffn_up");
    ASSERT_NE(up, nullptr);
    EXPECT_EQ(up->makers[0].first, 384u);
    ASSERT_EQ(find(phi3, "blk.0.ffn_norm")->readers, (Names{"blk.0.ffn_up.weight"}));

    // A bias of V and of a norm is a maker, too.
    const SynthModel biased(small("qwen2"));
    EXPECT_EQ(find(groups_of(biased.path()), "blk.0.attend")->makers[1].tensor,
              "blk.0.attn_v.bias");
    const SynthModel layer_norms(small("stablelm"));
    EXPECT_EQ(find(groups_of(layer_norms.path()), "blk.0.attn_norm")->makers[1].tensor,
              "blk.0.attn_norm.bias");

    // Norms behind a sum are read by the next sum, norms before a sum by no matrix.
    const SynthModel encoder(small("bert"));
    const ScaleGroups bert = groups_of(encoder.path());
    EXPECT_EQ(reason_of(bert.unscaled, "blk.0.attn_output_norm"),
              "'blk.0.ffn_residual' reads it too");
    EXPECT_NE(find(bert, "blk.0.attend"), nullptr);
    const SynthModel sandwich(small("gemma2"));
    const ScaleGroups gemma2 = groups_of(sandwich.path());
    EXPECT_EQ(find(gemma2, "blk.0.post_attention_norm"), nullptr);
    EXPECT_EQ(reason_of(gemma2.unscaled, "blk.0.post_attention_norm"), "");
}

// Writes the model with random factors in every group; `forget` leaves the makers of that as they
// are, which must be seen.
double change_by_scaling(const models::SynthSpec& spec, const std::string& forget = "") {
    const SynthModel model(spec);
    const Recipe recipe = recipe_of(model.file(), DType::f32);
    Guidance guidance;
    base::Random random(3);
    for (const ScaleGroup& group : groups_of(model.path()).groups) {
        ScaleGroup scaled = group;
        if (group.name == forget) scaled.makers.clear();
        const auto factors = random_factors(group.channels, random);
        const bool values = group.repeats > 1;
        scale_group(scaled, values ? powers_of_two(factors) : factors, recipe, guidance);
    }
    const std::string output = model.directory().file("scaled.gguf");
    const auto team = make_team(2);
    EXPECT_TRUE(write_quantized(model.file(), recipe, guidance, *team, output));
    const auto made = formats::GgufFile::open(output);
    const auto before = model.file().tensor("blk.0.attn_output.weight");
    const auto after = made->tensor("blk.0.attn_output.weight");
    EXPECT_NE(std::memcmp(before->data, after->data, before->bytes), 0);
    return difference(outputs_of(model.path()), outputs_of(output));
}

TEST(ChannelScales, ChangeNothingInFloat) {
    for (const char* architecture :
         {"llama", "qwen2", "qwen3", "qwen3moe", "phi3", "gemma2", "gemma3", "stablelm"}) {
        EXPECT_LT(change_by_scaling(small(architecture)), 1e-4) << architecture;
    }
    auto untied = small("llama");
    untied.tied_embeddings = false;
    EXPECT_LT(change_by_scaling(untied), 1e-4);
    for (const char* group : {"blk.0.attn_norm", "blk.0.attend", "blk.0.ffn_up", "output_norm"}) {
        EXPECT_GT(change_by_scaling(untied, group), 1e-2) << group;
    }
}

// The factor of scaled moments is the scaled factor.
TEST(ChannelScales, FeedbackFactorFollows) {
    const SynthModel model(small("llama"));
    const auto groups = groups_of(model.path());
    const ScaleGroup& group = *find(groups, "blk.0.attn_norm");
    base::Random random(5);
    InputStatistics statistics;
    statistics.width = group.channels;
    statistics.moments.assign(group.channels * group.channels, 0.0f);
    for (uint64_t r = 0; r < 4 * group.channels; ++r) {
        std::vector<float> x(group.channels);
        double shared = 0;
        for (float& value : x) {
            shared = 0.7 * shared + random.next_normal();
            value = static_cast<float>(shared);
        }
        for (size_t j = 0; j < x.size(); ++j) {
            for (size_t i = 0; i <= j; ++i) statistics.moments[j * x.size() + i] += x[i] * x[j];
        }
    }
    const std::vector<float> s = random_factors(group.channels, random);
    InputStatistics scaled = statistics;
    for (size_t j = 0; j < s.size(); ++j) {
        for (size_t i = 0; i <= j; ++i) scaled.moments[j * s.size() + i] /= s[i] * s[j];
    }
    const auto before = std::make_shared<const FeedbackFactor>(make_factor(statistics, 0.0f));
    const FeedbackFactor wanted = make_factor(scaled, 0.0f);
    Guidance guidance;
    for (const std::string& name : group.readers) {
        guidance.factors[name] = before;
        guidance.importance[name].assign(group.channels, 2.0f);
    }
    scale_group(group, s, recipe_of(model.file(), DType::q4_0), guidance);
    EXPECT_EQ(guidance.factors.at(group.readers[0]), guidance.factors.at(group.readers[2]));
    const FeedbackFactor& factor = *guidance.factors.at(group.readers[0]);
    EXPECT_NEAR(factor.scale / wanted.scale, 1, 1e-2);
    double off = 0, size = 0;
    for (size_t k = 0; k < s.size(); ++k) {
        // Small ones have a floor in one and not in the other.
        if (wanted.diagonal[k] > 0.05f) {
            EXPECT_NEAR(factor.diagonal[k] / wanted.diagonal[k], 1, 2e-2) << k;
        }
        for (size_t i = 0; i < k; ++i) {
            off += std::pow(factor.lower[k * s.size() + i] - wanted.lower[k * s.size() + i], 2);
            size += std::pow(wanted.lower[k * s.size() + i], 2);
        }
        EXPECT_NEAR(guidance.importance.at(group.readers[1])[k], 2 / (s[k] * s[k]), 1e-4);
    }
    EXPECT_LT(off, 1e-4 * size);
}

// One layer whose feed-forward reads a few channels that are large: guidance says so, weights are
// noise.
class Planted {
  public:
    Planted() : model_(small("llama")), groups_(groups_of(model_.path())) {
        for (const ScaleGroup& group : groups_.groups) {
            for (const std::string& name : group.readers) {
                guidance_.importance[name].assign(group.columns(), 1.0f);
            }
        }
        for (const std::string& name : readers()) {
            for (size_t c = 7; c < 128; c += 8) guidance_.importance[name][c] = 400.0f;
        }
    }
    const Names& readers() const { return find(groups_, "blk.0.ffn_norm")->readers; }

    // Expected error of the readers' products, measured on what the file says they are.
    double error_in_file(const Guidance& guidance, DType type) const {
        const std::string output = model_.directory().file("out.gguf");
        const auto team = make_team(2);
        EXPECT_TRUE(write_quantized(model_.file(), recipe_of(model_.file(), type), guidance, *team,
                                    output));
        const auto file = formats::GgufFile::open(output);
        const auto norm_before = floats(model_.file(), "blk.0.ffn_norm.weight");
        const auto norm_after = floats(*file, "blk.0.ffn_norm.weight");
        double error = 0;
        for (const std::string& name : readers()) {
            const auto before = floats(model_.file(), name), after = floats(*file, name);
            const auto& h = guidance_.importance.at(name);
            const float row_factor = maker_factor(guidance, name);
            for (size_t i = 0; i < before.size(); ++i) {
                const size_t c = i % h.size();
                const double row =
                    row_factor == 0 ? 1 : guidance.scaling.at(name).rows[i / h.size()];
                const double stands_for = after[i] * norm_after[c] / norm_before[c] / row;
                error += h[c] * std::pow(before[i] - stands_for, 2);
            }
        }
        return error;
    }

    SynthModel model_;
    ScaleGroups groups_;
    Guidance guidance_;

  private:
    // 0: its rows are not scaled.
    static float maker_factor(const Guidance& guidance, const std::string& name) {
        const auto found = guidance.scaling.find(name);
        return found == guidance.scaling.end() || found->second.rows.empty() ? 0 : 1;
    }
    static std::vector<float> floats(const formats::GgufFile& file, const std::string& name) {
        const auto view = file.tensor(name);
        std::vector<float> out(view->elements());
        for (uint64_t r = 0; r < view->rows(); ++r) {
            tensor::dequantize(view->dtype, view->row(r), view->columns(),
                               out.data() + r * view->columns());
        }
        return out;
    }
};

TEST(ChannelScales, FewLargeChannelsLoseLess) {
    const Planted planted;
    const auto team = make_team(2);
    for (const DType type : {DType::q4_0, DType::q4_1, DType::q5_0}) {
        Guidance guidance = planted.guidance_;
        const auto found = scale_channels(planted.model_.file(), planted.groups_,
                                          recipe_of(planted.model_.file(), type), guidance, *team);
        ASSERT_TRUE(found) << found.error().message;
        ASSERT_EQ(found->groups.size(), 8u);
        const double before = planted.error_in_file(planted.guidance_, type);
        const double after = planted.error_in_file(guidance, type);
        EXPECT_LT(after, 0.85 * before) << tensor::name(type);
        for (const ScaleChoice& choice : found->groups) {
            if (choice.group != "blk.0.ffn_norm") continue;
            EXPECT_GT(choice.activation_power, 0);
            EXPECT_NEAR(choice.error_ratio, after / before, 0.1);
        }
    }
}

TEST(ChannelScales, SameFactorsForAnyNumberOfThreads) {
    const Planted planted;
    const Recipe recipe = recipe_of(planted.model_.file(), DType::q4_0);
    std::vector<Guidance> made(2, planted.guidance_);
    for (int i = 0; i < 2; ++i) {
        const auto team = make_team(1 + 2 * i);
        ASSERT_TRUE(scale_channels(planted.model_.file(), planted.groups_, recipe,
                                   made[static_cast<size_t>(i)], *team));
    }
    const auto& a = made[0].scaling.at("blk.0.ffn_norm.weight").columns;
    EXPECT_EQ(a, made[1].scaling.at("blk.0.ffn_norm.weight").columns);
    EXPECT_NE(a[7], a[8]);
}

TEST(ChannelScales, WhatStaysIsLeftAlone) {
    const Planted planted;
    const auto team = make_team(1);
    // To F32 nothing is rounded, and nothing is scaled.
    Guidance guidance = planted.guidance_;
    const auto floats =
        scale_channels(planted.model_.file(), planted.groups_,
                       recipe_of(planted.model_.file(), DType::f32), guidance, *team);
    ASSERT_TRUE(floats);
    EXPECT_EQ(floats->scaled(), 0u);
    EXPECT_TRUE(guidance.scaling.empty());

    // A matrix that is copied in F16 would be rounded.
    auto spec = small("llama");
    spec.type = DType::f16;
    const SynthModel halves(spec);
    RecipeSpec kept;
    kept.type = DType::q4_0;
    kept.overrides = {{"blk.0.attn_v.weight", DType::f16}};
    const auto recipe = make_recipe(halves.file(), kept);
    const auto found =
        scale_channels(halves.file(), groups_of(halves.path()), *recipe, guidance, *team);
    ASSERT_TRUE(found);
    EXPECT_EQ(reason_of(found->unscaled, "blk.0.attn_norm"), "'blk.0.attn_v.weight' stays F16");
    EXPECT_EQ(reason_of(found->unscaled, "blk.0.attend"), "'blk.0.attn_v.weight' stays F16");
    EXPECT_EQ(reason_of(found->unscaled, "blk.1.attn_norm"), "");

    Guidance ignorant;
    const auto unknown =
        scale_channels(planted.model_.file(), planted.groups_,
                       recipe_of(planted.model_.file(), DType::q4_0), ignorant, *team);
    ASSERT_TRUE(unknown);
    EXPECT_TRUE(unknown->groups.empty());
    EXPECT_EQ(reason_of(unknown->unscaled, "blk.0.ffn_up"),
              "calibration knows nothing of 'blk.0.ffn_down.weight'");

    const auto stopped = scale_channels(planted.model_.file(), planted.groups_,
                                        recipe_of(planted.model_.file(), DType::q4_0), guidance,
                                        *team, [](double) { return false; });
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code, base::ErrorCode::cancelled);
}

}  // namespace
}  // namespace hone::compress
