#include "models/synth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>

#include "formats/gguf.h"
#include "models/architecture.h"
#include "models/model.h"
#include "tensor/codec.h"
#include "text/tokenizer.h"

namespace hone::models {
namespace {

using base::ErrorCode;
using tensor::DType;
using testing::HasSubstr;

base::Result<std::string> synth_bytes(const SynthSpec& spec) {
    HONE_TRY(const formats::GgufWriter writer, make_synth(spec));
    std::string bytes;
    HONE_TRY_STATUS(writer.write_to([&](std::span<const std::byte> piece) -> base::Status {
        bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
        return {};
    }));
    return bytes;
}

formats::GgufFile parse(const std::string& bytes) {
    auto file = formats::GgufFile::parse(std::as_bytes(std::span(bytes)), "synth");
    EXPECT_TRUE(file) << file.error().message;
    return std::move(*file);
}

// FNV-1a (Fowler, Noll, Vo): the file's bytes as one number.
uint64_t hash(const std::string& bytes) {
    uint64_t value = 14695981039346656037u;
    for (char c : bytes) value = (value ^ static_cast<unsigned char>(c)) * 1099511628211u;
    return value;
}

TEST(Synth, SameSpecSameBytesEverywhere) {
    const SynthSpec spec{.n_layers = 2};
    const auto first = synth_bytes(spec);
    ASSERT_TRUE(first) << first.error().message;
    EXPECT_EQ(*first, *synth_bytes(spec));
    // Recorded once: a change here changes every synthetic model of older measurements.
    EXPECT_EQ(hash(*first), 1733654446906954041u);
    SynthSpec other = spec;
    other.seed = 2;
    EXPECT_NE(*first, *synth_bytes(other));
}

TEST(Synth, WeightsKeepActivationsSane) {
    const SynthSpec spec{.type = DType::f32};
    const std::string bytes = *synth_bytes(spec);
    const formats::GgufFile file = parse(bytes);
    for (const formats::GgufTensor& tensor : file.tensors()) {
        std::vector<float> values(tensor.elements());
        tensor::dequantize(*tensor.dtype, tensor.view.data, values.size(), values.data());
        double sum = 0, squares = 0;
        for (float value : values) sum += value;
        const double mean = sum / static_cast<double>(values.size());
        for (float value : values) squares += (value - mean) * (value - mean);
        const double deviation = std::sqrt(squares / static_cast<double>(values.size()));
        const bool norm = tensor.rank == 1;
        const double expected = norm ? 0.1 : 1 / std::sqrt(static_cast<double>(tensor.dims[0]));
        EXPECT_NEAR(deviation, expected, expected * (norm ? 0.25 : 0.03)) << tensor.name;
        EXPECT_NEAR(mean, norm ? 1.0 : 0.0, norm ? 0.05 : expected * 0.05) << tensor.name;
    }
}

TEST(Synth, TypesFallBackWhereRowsAreNotWholeBlocks) {
    SynthSpec spec{.n_layers = 1, .n_embd = 576, .n_heads = 9, .n_kv_heads = 3, .n_ff = 1536};
    spec.type = DType::q4_k;
    spec.embedding_type = DType::q6_k;
    const std::string bytes = *synth_bytes(spec);
    const formats::GgufFile file = parse(bytes);
    EXPECT_EQ(file.tensor("token_embd.weight")->dtype, DType::q8_0);
    EXPECT_EQ(file.tensor("blk.0.attn_q.weight")->dtype, DType::q5_0);
    EXPECT_EQ(file.tensor("blk.0.ffn_down.weight")->dtype, DType::q4_k);
    EXPECT_EQ(file.tensor("blk.0.ffn_norm.weight")->dtype, DType::f32);
    EXPECT_EQ(file.find_tensor("output.weight"), nullptr);
    spec = {.n_embd = 80, .n_heads = 5, .n_kv_heads = 1, .tied_embeddings = false};
    const std::string narrow_bytes = *synth_bytes(spec);
    const formats::GgufFile narrow = parse(narrow_bytes);
    EXPECT_EQ(narrow.tensor("blk.0.attn_q.weight")->dtype, DType::f16);
    EXPECT_EQ(narrow.tensor("output.weight")->rows(), 1024u);
}

TEST(Synth, HyperparametersSayWhatWasAsked) {
    const SynthSpec spec{.n_embd = 96,
                         .n_heads = 4,
                         .n_kv_heads = 1,
                         .head_dim = 32,
                         .n_vocab = 300,
                         .n_ctx = 77,
                         .sliding_window = 64,
                         .sliding_window_pattern = 2};
    const std::string bytes = *synth_bytes(spec);
    const formats::GgufFile file = parse(bytes);
    EXPECT_EQ(*file.get_string("general.architecture"), "llama");
    EXPECT_EQ(*file.get_u64("llama.context_length"), 77u);
    EXPECT_EQ(*file.get_u64("llama.attention.key_length"), 32u);
    EXPECT_EQ(*file.get_u64("llama.attention.sliding_window"), 64u);
    EXPECT_EQ(*file.get_u64("llama.attention.sliding_window_pattern"), 2u);
    EXPECT_EQ(file.tensor("blk.3.attn_q.weight")->rows(), 128u);
    EXPECT_EQ(file.tensor("blk.3.attn_output.weight")->columns(), 128u);
    EXPECT_EQ(file.get_strings("tokenizer.ggml.tokens")->size(), 300u);
    EXPECT_EQ(parse(*synth_bytes(SynthSpec())).find("llama.attention.sliding_window"), nullptr);
}

TEST(Synth, EveryTypeOpensAsAModelWithAVocabulary) {
    const std::string path = testing::TempDir() + "hone_synth_" + std::to_string(getpid());
    for (const tensor::DTypeTraits& traits : tensor::kDTypes) {
        if (!tensor::can_quantize(traits.dtype) || traits.dtype == DType::i32) continue;
        const SynthSpec spec{.n_layers = 3,
                             .n_embd = 256,
                             .n_ff = 256,
                             .type = traits.dtype,
                             .sliding_window = 16,
                             .sliding_window_pattern = 2};
        ASSERT_TRUE(write_synth(spec, path));
        const auto model = Model::open(path);
        ASSERT_TRUE(model) << model.error().message;
        EXPECT_EQ((*model)->config().n_layers, 3u);
        EXPECT_EQ((*model)->config().groups.size(), 2u);
        const auto vocabulary = (*model)->vocabulary();
        ASSERT_TRUE(vocabulary) << vocabulary.error().message;
        EXPECT_TRUE(text::Tokenizer::create(*vocabulary));
    }
    std::filesystem::remove(path);
}

TEST(Synth, EveryArchitectureOpensWithAGraph) {
    const std::string path = testing::TempDir() + "hone_synth_arch_" + std::to_string(getpid());
    for (const Architecture& architecture : architectures()) {
        SCOPED_TRACE(architecture.name);
        // An encoder has neither a head nor windows.
        const bool encoder = std::string_view(architecture.name) == "bert";
        for (const bool tied : {true, false}) {
            if (encoder && !tied) continue;
            const SynthSpec spec{.architecture = architecture.name,
                                 .n_layers = 3,
                                 .tied_embeddings = tied,
                                 .sliding_window = encoder ? 0u : 16u,
                                 .sliding_window_pattern = 2};
            ASSERT_TRUE(write_synth(spec, path));
            const auto model = Model::open(path);
            ASSERT_TRUE(model) << model.error().message;
            EXPECT_EQ((*model)->config().architecture, architecture.name);
            EXPECT_EQ((*model)->config().tied_embeddings, tied);
            const auto graph = (*model)->build_graph(64);
            ASSERT_TRUE(graph) << graph.error().message;
        }
    }
    std::filesystem::remove(path);
}

TEST(Synth, ImpossibleShapesAreRefused) {
    struct Case {
        std::string fragment;
        SynthSpec spec;
    };
    const std::vector<Case> cases{
        {"the layer count is 0", {.n_layers = 0}},
        {"the layer count is 4294967295", {.n_layers = ~0u}},
        {"the embedding width is 0", {.n_embd = 0}},
        {"the head count is 0", {.n_heads = 0}},
        {"the KV head count is 0", {.n_kv_heads = 0}},
        {"the KV head count is 5", {.n_kv_heads = 5}},
        {"not a multiple of 3 KV heads", {.n_kv_heads = 3}},
        {"does not divide into 3 heads", {.n_heads = 3, .n_kv_heads = 1}},
        {"odd head dimension", {.head_dim = 31}},
        {"the feed-forward width is 0", {.n_ff = 0}},
        {"the context length is 0", {.n_ctx = 0}},
        {"a vocabulary of 258 tokens", {.n_vocab = 258}},
        {"weights cannot be I32", {.type = DType::i32}},
        {"weights cannot be made IQ2_S, only read", {.type = DType::iq2_s}},
    };
    for (const Case& wrong : cases) {
        const auto status = write_synth(wrong.spec, "/nonexistent/never-written");
        ASSERT_FALSE(status) << wrong.fragment;
        EXPECT_EQ(status.error().code, ErrorCode::invalid_argument) << status.error().message;
        EXPECT_THAT(status.error().message, HasSubstr(wrong.fragment));
    }
    const auto unknown = write_synth({.architecture = "mamba"}, "/nonexistent/never-written");
    EXPECT_EQ(unknown.error().code, ErrorCode::unsupported);
    EXPECT_THAT(unknown.error().message, HasSubstr("'mamba'"));
}

TEST(Synth, PlantsAreInTheWeights) {
    SynthSpec spec{.n_layers = 2, .type = DType::f32};
    const std::string plain = *synth_bytes(spec);
    spec.plants = {.denormals = true, .zero_blocks = true};
    const std::string planted = *synth_bytes(spec);
    const formats::GgufFile before = parse(plain);
    const formats::GgufFile after = parse(planted);
    std::vector<float> was(384 * 128);
    std::vector<float> is(384 * 128);
    const auto values = [](const formats::GgufFile& file, std::vector<float>& out) {
        const auto view = file.tensor("blk.1.ffn_down.weight");
        ASSERT_TRUE(view);
        ASSERT_EQ(view->elements(), out.size());
        tensor::dequantize(DType::f32, view->data, out.size(), out.data());
    };
    values(before, was);
    values(after, is);
    for (size_t i = 0; i < is.size(); ++i) {
        const size_t column = i % 384;
        if (column / 32 % 4 == 3) {
            EXPECT_EQ(is[i], 0.0f);
        } else if (column % 8 == 0) {
            EXPECT_EQ(std::fpclassify(is[i]), FP_SUBNORMAL);
        } else {
            EXPECT_EQ(is[i], was[i]) << "the others are what they were";
        }
    }
}

TEST(Synth, DuplicateAndEmptyLayers) {
    SynthSpec spec{.n_layers = 3};
    spec.plants = {.zero_layer = true, .duplicate_layer = true, .duplicate_rows = true};
    const std::string bytes = *synth_bytes(spec);
    const formats::GgufFile file = parse(bytes);
    const auto content = [&](const std::string& name) {
        const auto view = file.tensor(name);
        EXPECT_TRUE(view) << name;
        return std::string(reinterpret_cast<const char*>(view->data), view->bytes);
    };
    for (const char* part : {"attn_norm", "attn_q", "ffn_norm", "ffn_down"}) {
        const std::string name = std::string(part) + ".weight";
        EXPECT_EQ(content("blk.1." + name), content("blk.0." + name)) << name;
        EXPECT_NE(content("blk.2." + name), content("blk.0." + name)) << name;
    }
    for (const char* part : {"attn_output", "ffn_down"}) {
        const auto view = file.tensor(std::string("blk.2.") + part + ".weight");
        ASSERT_TRUE(view);
        std::vector<float> values(view->elements());
        tensor::dequantize(view->dtype, view->data, values.size(), values.data());
        EXPECT_THAT(values, testing::Each(0.0f));
    }
    const auto rows = file.tensor("token_embd.weight");
    ASSERT_TRUE(rows);
    const auto row = [&](uint64_t index) {
        return std::string(reinterpret_cast<const char*>(rows->row(index)), rows->row_size_bytes());
    };
    EXPECT_EQ(row(1023), row(768));
    EXPECT_NE(row(767), row(768));
}

TEST(Synth, PlantsThatCannotBeAreRefused) {
    SynthPlants plants;
    EXPECT_TRUE(add_plant("zero-blocks", plants));
    EXPECT_TRUE(plants.zero_blocks);
    EXPECT_FALSE(plants.denormals);
    const auto unknown = add_plant("weeds", plants);
    ASSERT_FALSE(unknown);
    EXPECT_THAT(unknown.error().message, HasSubstr("'weeds'"));
    SynthSpec spec;
    spec.plants.denormals = true;
    EXPECT_EQ(make_synth(spec).error().code, ErrorCode::invalid_argument);
    spec = SynthSpec{.n_layers = 1};
    spec.plants.duplicate_layer = true;
    EXPECT_EQ(make_synth(spec).error().code, ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace hone::models
