#include "reference/float_reference.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "base/text.h"
#include "compress/compress_fixture.h"
#include "compress/model_outputs.h"
#include "models/synth.h"

namespace hone::reference {
namespace {

using compress::difference;
using compress::outputs_of;

void expect_equal_and_off_grid(const std::string& source, const std::string& reference,
                               uint64_t seed) {
    auto file = formats::GgufFile::open(source);
    ASSERT_TRUE(file) << file.error().message;
    ASSERT_TRUE(write_float_reference(*file, {.seed = seed}, reference));
    EXPECT_LT(difference(outputs_of(source), outputs_of(reference)), 1e-3);
    auto made = formats::GgufFile::open(reference);
    ASSERT_TRUE(made);
    for (const formats::GgufTensor& tensor : made->tensors()) {
        if (tensor.rank < 2) continue;
        const auto fewest = fewest_distinct(*made, std::string(tensor.name));
        ASSERT_TRUE(fewest);
        EXPECT_GE(*fewest, 25u) << tensor.name;
    }
}

TEST(FloatReference, SameLogitsAndNoGridLeft) {
    for (const bool tied : {true, false}) {
        const compress::TestDirectory directory;
        models::SynthSpec spec;
        spec.n_heads = 4;
        spec.n_kv_heads = 2;
        spec.type = tensor::DType::q4_1;
        spec.embedding_type = tensor::DType::q8_0;
        spec.tied_embeddings = tied;
        ASSERT_TRUE(models::write_synth(spec, directory.file("q4_1.gguf")));
        expect_equal_and_off_grid(directory.file("q4_1.gguf"), directory.file("f32.gguf"), 7);
    }
}

// A block of 4-bit weights has at most 16 values: the count above can fail.
TEST(FloatReference, TheSourceItselfIsOnAGrid) {
    const compress::TestDirectory directory;
    models::SynthSpec spec;
    spec.type = tensor::DType::q4_1;
    ASSERT_TRUE(models::write_synth(spec, directory.file("q4_1.gguf")));
    const auto file = formats::GgufFile::open(directory.file("q4_1.gguf"));
    EXPECT_LE(*fewest_distinct(*file, "blk.0.ffn_up.weight"), 16u);
}

TEST(FloatReference, AnotherSeedIsAnotherModel) {
    const compress::TestDirectory directory;
    ASSERT_TRUE(models::write_synth({}, directory.file("a.gguf")));
    const auto file = formats::GgufFile::open(directory.file("a.gguf"));
    for (const uint64_t seed : {1, 1, 2}) {
        ASSERT_TRUE(write_float_reference(*file, {.seed = seed}, directory.file("r.gguf")));
        const auto bytes = base::read_file(directory.file("r.gguf"), 64 << 20);
        ASSERT_TRUE(bytes);
        static std::string first;
        if (first.empty()) first = *bytes;
        EXPECT_EQ(*bytes == first, seed == 1);
    }
}

TEST(FloatReference, DefaultModel) {
    const char* path = std::getenv("HONE_TEST_MODEL");
    if (path == nullptr) GTEST_SKIP() << "HONE_TEST_MODEL names no model";
    const compress::TestDirectory directory;
    expect_equal_and_off_grid(path, directory.file("f32.gguf"), 1);
}

}  // namespace
}  // namespace hone::reference
