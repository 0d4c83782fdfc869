#include "formats/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "formats/gguf_bytes.h"
#include "formats/gguf_writer.h"

namespace hone::formats {
namespace {

using base::ErrorCode;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(GgufFile, ReadsTheSmallFile) {
    for (uint32_t version : {2u, 3u}) {
        GgufBytes small;
        small.version = version;
        const std::string bytes = small.build();
        const auto file = GgufFile::parse(as_span(bytes), "small");
        ASSERT_TRUE(file) << file.error().message;
        EXPECT_EQ(file->version(), version);
        EXPECT_EQ(file->alignment(), 32u);
        EXPECT_EQ(file->size_bytes(), bytes.size());
        EXPECT_EQ(file->data_offset(), bytes.size() - 66);
        ASSERT_EQ(file->metadata().size(), 3u);
        EXPECT_EQ(file->metadata()[1].key, "llama.block_count");
        EXPECT_EQ(*file->get_string("general.architecture"), "llama");
        EXPECT_EQ(*file->get_u64("llama.block_count"), 2u);
        EXPECT_EQ(*file->get_f64("llama.block_count"), 2.0);
        EXPECT_THAT(*file->get_strings("tokenizer.ggml.tokens"), ElementsAre("a", "bc"));
    }
}

TEST(GgufFile, TensorsLieWhereTheFileSays) {
    const std::string bytes = GgufBytes().build();
    const auto file = GgufFile::parse(as_span(bytes), "small");
    ASSERT_TRUE(file);
    ASSERT_EQ(file->tensors().size(), 2u);
    const auto a = file->tensor("a.weight");
    const auto b = file->tensor("b.weight");
    ASSERT_TRUE(a && b);
    EXPECT_EQ(a->dtype, tensor::DType::f32);
    EXPECT_EQ(a->rank, 2);
    EXPECT_EQ(a->columns(), 4u);
    EXPECT_EQ(a->rows(), 2u);
    EXPECT_EQ(a->bytes, 32u);
    EXPECT_EQ(a->data, as_span(bytes).data() + bytes.size() - 66);
    EXPECT_EQ(b->dtype, tensor::DType::q8_0);
    EXPECT_EQ(b->bytes, 34u);
    EXPECT_EQ(b->data, a->data + 32);
    EXPECT_EQ(file->tensors()[1].offset, bytes.size() - 34);
}

TEST(GgufFile, ErrorsOfLookupsNameTheKeyAndTheKinds) {
    const std::string bytes = GgufBytes().build();
    const auto file = GgufFile::parse(as_span(bytes), "small.gguf");
    ASSERT_TRUE(file);
    const auto missing = file->get_u64("llama.context_length");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, ErrorCode::not_found);
    EXPECT_EQ(missing.error().message, "small.gguf: key 'llama.context_length': not in the file");
    const auto wrong = file->get_u64("general.architecture");
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().code, ErrorCode::corrupt);
    EXPECT_EQ(wrong.error().message,
              "small.gguf: key 'general.architecture': holds string, expected a non-negative "
              "integer");
    const auto array = file->get_i64s("tokenizer.ggml.tokens");
    ASSERT_FALSE(array);
    EXPECT_THAT(array.error().message, HasSubstr("holds array of 2 string"));
    EXPECT_EQ(*file->get_u64_or("nothing", 7), 7u);
    EXPECT_EQ(*file->get_f64_or("nothing", 0.5), 0.5);
    EXPECT_EQ(*file->get_bool_or("nothing", true), true);
    EXPECT_EQ(*file->get_string_or("nothing", "x"), "x");
    EXPECT_EQ(file->get_bool_or("llama.block_count", true).error().code, ErrorCode::corrupt);
    EXPECT_EQ(file->tensor("c.weight").error().code, ErrorCode::not_found);
}

// A file with types that Hone does not know still opens; only the tensor itself is refused.
TEST(GgufFile, UnsupportedTensorTypesCanBeInspected) {
    GgufBytes small;
    small.tensors = {wire_tensor("odd.weight", {64}, 9, 0), wire_tensor("new.weight", {7}, 99, 96)};
    small.data = std::string(128, 'x');
    const std::string bytes = small.build();
    const auto file = GgufFile::parse(as_span(bytes), "m.gguf");
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(file->tensors()[0].type_name, "Q8_1");
    EXPECT_EQ(file->tensors()[0].bytes, 72u);
    EXPECT_EQ(file->tensors()[1].type_name, "type 99");
    EXPECT_EQ(file->tensors()[1].bytes, 0u);
    EXPECT_EQ(file->tensors()[1].view.data, nullptr);
    const auto odd = file->tensor("odd.weight");
    ASSERT_FALSE(odd);
    EXPECT_EQ(odd.error().code, ErrorCode::unsupported);
    EXPECT_THAT(odd.error().message,
                HasSubstr("m.gguf: tensor 'odd.weight': Hone does not compute with Q8_1; it does "
                          "with F32, F16, BF16, F64, Q4_0,"));
    EXPECT_THAT(file->tensor("new.weight").error().message, HasSubstr("type 99"));
}

TEST(GgufFile, FilesWithoutTensorsOrMetadataAreLegal) {
    GgufBytes small;
    small.tensors.clear();
    small.data.clear();
    small.alignment = 0;
    EXPECT_TRUE(GgufFile::parse(as_span(small.build()), "vocabulary"));
    small.entries.clear();
    const std::string bytes = small.build();
    EXPECT_EQ(bytes.size(), 24u);
    EXPECT_TRUE(GgufFile::parse(as_span(bytes), "empty"));
}

TEST(GgufFile, AlignmentOfTheFileIsUsed) {
    for (uint64_t alignment : {8u, 64u, 65536u}) {
        GgufBytes small;
        small.alignment = alignment;
        small.entries.push_back(
            wire_entry("general.alignment", 4, wire(static_cast<uint32_t>(alignment))));
        small.tensors[1] = wire_tensor("b.weight", {32}, 8, alignment < 32 ? 32 : alignment);
        small.data.resize((alignment < 32 ? 32 : alignment) + 34);
        const std::string bytes = small.build();
        const auto file = GgufFile::parse(as_span(bytes), "small");
        ASSERT_TRUE(file) << file.error().message;
        EXPECT_EQ(file->alignment(), alignment);
        EXPECT_EQ(file->data_offset() % alignment, 0u);
    }
}

TEST(GgufFile, OpensAFileAndOutlivesAMove) {
    const std::string path = testing::TempDir() + "hone_gguf_" + std::to_string(getpid());
    const std::string bytes = GgufBytes().build();
    std::ofstream(path, std::ios::binary) << bytes;
    auto opened = GgufFile::open(path);
    unlink(path.c_str());
    ASSERT_TRUE(opened) << opened.error().message;
    const GgufFile file = std::move(*opened);
    file.release(file.tensors()[0]);
    EXPECT_EQ(file.name(), path);
    EXPECT_EQ(*file.get_string("general.architecture"), "llama");
    EXPECT_EQ(file.tensor("a.weight")->data[0], std::byte{0x5a});

    const auto gone = GgufFile::open(path);
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().code, ErrorCode::not_found);
    EXPECT_THAT(gone.error().message, HasSubstr(path));
}

}  // namespace
}  // namespace hone::formats
