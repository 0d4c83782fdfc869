#include "compress/quantize_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/text.h"
#include "compress/compress_fixture.h"
#include "formats/gguf_writer.h"
#include "tensor/codec.h"

namespace hone::compress {
namespace {

using base::ErrorCode;
using tensor::DType;

base::Result<std::vector<TensorResult>> quantize(const SynthModel& model, DType type,
                                                 const std::string& output,
                                                 const Guidance& guidance = {}, int threads = 2) {
    RecipeSpec spec;
    spec.type = type;
    const auto recipe = make_recipe(model.file(), spec);
    EXPECT_TRUE(recipe);
    const auto team = make_team(threads);
    return write_quantized(model.file(), *recipe, guidance, *team, output);
}

TEST(QuantizeFile, OutputOpensAndIsClose) {
    const SynthModel model({.n_embd = 256, .n_ff = 512, .type = DType::f32});
    for (const DType type : {DType::f16, DType::q8_0, DType::q5_k, DType::q4_0, DType::iq4_nl}) {
        const std::string output = model.directory().file("out.gguf");
        const auto results = quantize(model, type, output);
        ASSERT_TRUE(results) << results.error().message;
        const auto file = formats::GgufFile::open(output);
        ASSERT_TRUE(file);
        EXPECT_EQ(*file->get_u64("general.file_type"), gguf_file_type(type));
        EXPECT_EQ(*file->get_u64("general.quantization_version"), 2u);
        ASSERT_EQ(file->tensors().size(), model.file().tensors().size());
        for (size_t i = 0; i < results->size(); ++i) {
            const EncodeError& error = (*results)[i].error;
            EXPECT_EQ((*results)[i].name, file->tensors()[i].name);
            EXPECT_LE(error.squared, 0.02 * error.magnitude) << (*results)[i].name;
        }
    }
}

TEST(QuantizeFile, MetadataIsCarriedOver) {
    const SynthModel model({.type = DType::f16});
    const std::string output = model.directory().file("out.gguf");
    ASSERT_TRUE(quantize(model, DType::q8_0, output));
    const auto file = formats::GgufFile::open(output);
    ASSERT_TRUE(file);
    for (const formats::GgufEntry& entry : model.file().metadata()) {
        const formats::GgufValue* value = file->find(entry.key);
        ASSERT_NE(value, nullptr) << entry.key;
        EXPECT_EQ(value->type_text(), entry.value.type_text());
        const bool same = std::equal(value->bytes.begin(), value->bytes.end(),
                                     entry.value.bytes.begin(), entry.value.bytes.end());
        EXPECT_TRUE(same) << entry.key;
    }
}

TEST(QuantizeFile, AnyNumberOfThreadsWritesTheSameBytes) {
    const SynthModel model({.type = DType::f16});
    const std::string one = model.directory().file("one.gguf");
    const std::string three = model.directory().file("three.gguf");
    ASSERT_TRUE(quantize(model, DType::q4_1, one, {}, 1));
    ASSERT_TRUE(quantize(model, DType::q4_1, three, {}, 3));
    EXPECT_EQ(*base::read_file(one, 64 << 20), *base::read_file(three, 64 << 20));
}

TEST(QuantizeFile, ImportanceChangesWhatMatters) {
    const SynthModel model({.n_embd = 128, .type = DType::f32});
    Guidance guidance;
    auto& importance = guidance.importance;
    importance["blk.0.attn_q.weight"] = std::vector<float>(128, 1.0f);
    for (size_t i = 0; i < 16; ++i) importance["blk.0.attn_q.weight"][i] = 100.0f;
    const std::string output = model.directory().file("out.gguf");
    const auto plain = quantize(model, DType::q4_0, output);
    const auto weighted = quantize(model, DType::q4_0, output, guidance);
    ASSERT_TRUE(plain && weighted);
    for (size_t i = 0; i < plain->size(); ++i) {
        if ((*plain)[i].name != "blk.0.attn_q.weight") continue;
        EXPECT_GT((*weighted)[i].error.squared, (*plain)[i].error.squared);
    }
    importance["blk.0.attn_q.weight"].pop_back();
    const auto wrong = quantize(model, DType::q4_0, output, guidance);
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().code, ErrorCode::corrupt);
}

// One bad weight, and no file is left, not even a temporary one.
TEST(QuantizeFile, BadWeightsAreNamedAndLeaveNothing) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const float infinity = std::numeric_limits<float>::infinity();
    struct Case {
        float value;
        DType type;
        ErrorCode code;
    };
    for (const Case& c : {Case{nan, DType::q4_0, ErrorCode::corrupt},
                          Case{-infinity, DType::f16, ErrorCode::corrupt},
                          Case{1e6f, DType::f16, ErrorCode::invalid_argument}}) {
        const TestDirectory directory;
        std::vector<float> weights(64 * 4, 0.5f);
        weights[3 * 64 + 9] = c.value;
        formats::GgufWriter writer;
        writer.add_string("general.architecture", "llama");
        writer.add_tensor("blk.0.attn_q.weight", DType::f32, {64, 4},
                          std::as_bytes(std::span(weights)));
        ASSERT_TRUE(writer.write(directory.file("in.gguf")));
        const auto file = formats::GgufFile::open(directory.file("in.gguf"));
        ASSERT_TRUE(file);
        RecipeSpec spec;
        spec.type = c.type;
        const auto team = make_team(2);
        const auto result = write_quantized(*file, *make_recipe(*file, spec), {}, *team,
                                            directory.file("out.gguf"));
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, c.code);
        EXPECT_NE(result.error().message.find("'blk.0.attn_q.weight', row 3, column 9"),
                  std::string::npos)
            << result.error().message;
        EXPECT_EQ(directory.count(), 1u);
    }
}

TEST(QuantizeFile, CancelledLeavesNothing) {
    const SynthModel model({.type = DType::f16});
    const auto team = make_team(1);
    int calls = 0;
    const auto result =
        write_quantized(model.file(), *make_recipe(model.file(), {}), {}, *team,
                        model.directory().file("out.gguf"), [&](double) { return ++calls < 5; });
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::cancelled);
    EXPECT_EQ(model.directory().count(), 1u);
}

}  // namespace
}  // namespace hone::compress
