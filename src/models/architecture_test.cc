// What a file must not ask for: each architecture's limits, by name. Formulas are held to goldens
// in runtime/architectures_test.cc.
#include "models/architecture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <span>

#include "formats/gguf_writer.h"
#include "models/synth.h"

namespace hone::models {
namespace {

using base::ErrorCode;
using formats::GgufWriter;
using testing::HasSubstr;

// Configuration and tensors of a synthetic model with something added.
base::Status check(const SynthSpec& spec, const std::function<void(GgufWriter&)>& change) {
    HONE_TRY(GgufWriter writer, make_synth(spec));
    change(writer);
    std::string bytes;
    HONE_TRY_STATUS(writer.write_to([&](std::span<const std::byte> piece) -> base::Status {
        bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
        return {};
    }));
    HONE_TRY(const auto file,
             formats::GgufFile::parse(std::as_bytes(std::span(bytes)), "changed.gguf"));
    HONE_TRY(const Architecture* architecture, find_architecture(spec.architecture));
    HONE_TRY(const ModelConfig config, architecture->read_config(file));
    return check_tensors(file, config, architecture->tensors(config));
}

void add_vector(GgufWriter& writer, const char* name, uint64_t columns) {
    const std::vector<float> ones(columns, 1.0f);
    writer.add_tensor(name, tensor::DType::f32, {columns}, std::as_bytes(std::span(ones)));
}

using Change = std::function<void(GgufWriter&)>;

Change text(const char* key, const char* value) {
    return [=](GgufWriter& w) { w.add_string(key, value); };
}

Change number(const char* key, float value) {
    return [=](GgufWriter& w) { w.add_f32(key, value); };
}

Change vector(const char* name, uint64_t columns) {
    return [=](GgufWriter& w) { add_vector(w, name, columns); };
}

TEST(Architecture, SyntheticModelsPassTheirOwnChecks) {
    for (const Architecture& architecture : architectures()) {
        const auto status = check({.architecture = architecture.name}, [](GgufWriter&) {});
        EXPECT_TRUE(status) << architecture.name << ": " << status.error().message;
    }
}

struct Case {
    SynthSpec spec;
    Change change;
    ErrorCode code;
    const char* fragment;
};

void expect_refused(std::span<const Case> cases) {
    for (const Case& wrong : cases) {
        const auto status = check(wrong.spec, wrong.change);
        ASSERT_FALSE(status) << wrong.fragment;
        EXPECT_EQ(status.error().code, wrong.code) << status.error().message;
        EXPECT_THAT(status.error().message, HasSubstr(wrong.fragment));
    }
}

TEST(Architecture, RefusesByNameWhatItDoesNotDo) {
    const SynthSpec narrow{.architecture = "qwen3moe", .n_embd = 80, .n_heads = 5, .n_kv_heads = 1};
    const Case cases[] = {
        {{.architecture = "bert"},
         [](GgufWriter& w) { w.add_u32("bert.attention.sliding_window", 8); },
         ErrorCode::unsupported,
         "do not all see each other"},
        {{.architecture = "llama"},
         [](GgufWriter& w) { w.add_u32("llama.expert_count", 8); },
         ErrorCode::unsupported,
         "mixtures of experts"},
        {{.architecture = "llama"},
         vector("blk.0.attn_output.bias", 128),
         ErrorCode::unsupported,
         "'blk.0.attn_output.bias' has no place in a plain llama"},
        {{.architecture = "llama"},
         vector("blk.0.attn_q.bias", 128),
         ErrorCode::corrupt,
         "'blk.0.attn_k.bias' is missing"},
        {{.architecture = "llama"},
         vector("rope_freqs.weight", 15),
         ErrorCode::corrupt,
         "'rope_freqs.weight' is 1 x 15, expected 1 x 16"},
        {{.architecture = "stablelm"},
         vector("blk.0.attn_q_norm.weight", 32),
         ErrorCode::unsupported,
         "norms of single heads"},
        {{.architecture = "gemma3"},
         number("gemma3.final_logit_softcapping", -1.0f),
         ErrorCode::corrupt,
         "gemma3.final_logit_softcapping is -1"},
        {{.architecture = "gemma3"},
         number("gemma3.rope.freq_base_swa", 0.0f),
         ErrorCode::corrupt,
         "gemma3.rope.freq_base_swa is 0"},
        {{.architecture = "gemma2"},
         [](GgufWriter& w) { w.add_u32("gemma2.attention.sliding_window", 1u << 30); },
         ErrorCode::corrupt,
         "gemma2.attention.sliding_window is 1073741824"},
        {narrow, [](GgufWriter&) {}, ErrorCode::unsupported, "multiples of 32"},
        {{.architecture = "llama", .head_dim = 24},
         [](GgufWriter&) {},
         ErrorCode::unsupported,
         "head dims 24"},
    };
    expect_refused(cases);
}

TEST(Architecture, RefusesScalingsOfPositionsThatItDoesNotDo) {
    const Case cases[] = {
        {{.architecture = "qwen3"},
         text("qwen3.rope.scaling.type", "su"),
         ErrorCode::unsupported,
         "rope scaling 'su'"},
        {{.architecture = "qwen3"},
         text("qwen3.rope.scaling.type", "yarn"),
         ErrorCode::not_found,
         "qwen3.rope.scaling.original_context_length"},
        {{.architecture = "qwen3"},
         [](GgufWriter& w) {
             w.add_string("qwen3.rope.scaling.type", "yarn");
             w.add_f32("qwen3.rope.scaling.yarn_ext_factor", 0.5f);
         },
         ErrorCode::unsupported,
         "yarn_ext_factor"},
        {{.architecture = "qwen3"},
         [](GgufWriter& w) {
             w.add_string("qwen3.rope.scaling.type", "yarn");
             w.add_u32("qwen3.rope.scaling.original_context_length", 0);
         },
         ErrorCode::corrupt,
         "qwen3.rope.scaling.original_context_length is 0"},
        {{.architecture = "phi3"},
         vector("rope_factors_long.weight", 16),
         ErrorCode::not_found,
         "phi3.rope.scaling.original_context_length"},
        {{.architecture = "phi3"},
         [](GgufWriter& w) {
             add_vector(w, "rope_factors_long.weight", 16);
             w.add_u32("phi3.rope.scaling.original_context_length", 64);
         },
         ErrorCode::corrupt,
         "'rope_factors_short.weight' is missing"},
    };
    expect_refused(cases);
}

}  // namespace
}  // namespace hone::models
