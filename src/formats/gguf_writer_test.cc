#include "formats/gguf_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <limits>

#include "formats/gguf.h"
#include "formats/gguf_bytes.h"

namespace hone::formats {
namespace {

using base::ErrorCode;
using testing::ElementsAre;
using testing::HasSubstr;
namespace fs = std::filesystem;

base::Result<std::string> serialize(const GgufWriter& writer) {
    std::string bytes;
    const auto status = writer.write_to([&](std::span<const std::byte> piece) -> base::Status {
        bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
        return {};
    });
    if (!status) return tl::unexpected(status.error());
    return bytes;
}

TensorSource pattern(uint8_t seed) {
    return [seed](uint64_t offset, std::span<std::byte> out) -> base::Status {
        for (size_t i = 0; i < out.size(); ++i) {
            out[i] = static_cast<std::byte>((offset + i) * 7 + seed);
        }
        return {};
    };
}

// The bytes that a hand-made file has are the bytes that the writer makes.
TEST(GgufWriter, WritesTheSmallFileByteForByte) {
    const std::string expected = GgufBytes().build() + std::string(30, '\0');
    GgufWriter writer;
    writer.add_string("general.architecture", "llama");
    writer.add_u32("llama.block_count", 2);
    const std::vector<std::string> tokens{"a", "bc"};
    writer.add_strings("tokenizer.ggml.tokens", tokens);
    const std::string data(34, '\x5a');
    writer.add_tensor("a.weight", tensor::DType::f32, {4, 2}, as_span(data).first(32));
    writer.add_tensor("b.weight", tensor::DType::q8_0, {32}, as_span(data));
    EXPECT_EQ(*serialize(writer), expected);
}

TEST(GgufWriter, EveryKindOfValueComesBack) {
    GgufWriter writer(64);
    writer.add_u32("u32", 4000000000u);
    writer.add_i32("i32", -5);
    writer.add_u64("u64", uint64_t{1} << 63);
    writer.add_f32("f32", 1e-5f);
    writer.add_f64("f64", 1e-300);
    writer.add_bool("yes", true);
    writer.add_string("string", "h\xc3\xa9");
    writer.add_strings("strings", {});
    writer.add_i32s("i32s", std::vector<int32_t>{1, -1});
    writer.add_u32s("u32s", std::vector<uint32_t>{3, 4000000000u});
    writer.add_f32s("f32s", std::vector<float>{0.5f});
    const auto bytes = serialize(writer);
    ASSERT_TRUE(bytes);
    const auto file = GgufFile::parse(as_span(*bytes), "made");
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(file->alignment(), 64u);
    EXPECT_EQ(file->metadata().size(), 12u);
    EXPECT_EQ(*file->get_u64("u32"), 4000000000u);
    EXPECT_EQ(file->find("i32")->as_i64(), -5);
    EXPECT_EQ(*file->get_u64("u64"), uint64_t{1} << 63);
    EXPECT_EQ(*file->get_f64("f32"), 1e-5f);
    EXPECT_EQ(*file->get_f64("f64"), 1e-300);
    EXPECT_EQ(*file->get_bool("yes"), true);
    EXPECT_EQ(*file->get_string("string"), "h\xc3\xa9");
    EXPECT_TRUE(file->get_strings("strings")->empty());
    EXPECT_THAT(*file->get_i64s("i32s"), ElementsAre(1, -1));
    EXPECT_THAT(*file->get_i64s("u32s"), ElementsAre(3, 4000000000));
    EXPECT_THAT(*file->get_f32s("f32s"), ElementsAre(0.5f));
}

// Tensors larger than one piece, of rows that do not divide it, at every alignment.
TEST(GgufWriter, TensorDataComesBack) {
    for (uint32_t alignment : {8u, 32u, 4096u}) {
        GgufWriter writer(alignment);
        writer.add_tensor("wide", tensor::DType::f32, {100000, 7}, pattern(1));
        writer.add_tensor("odd", tensor::DType::q6_k, {256, 3, 2}, pattern(2));
        writer.add_tensor("one", tensor::DType::f16, {1}, pattern(3));
        writer.add_tensor("deep", tensor::DType::i32, {2, 2, 2, 2}, pattern(4));
        const auto bytes = serialize(writer);
        ASSERT_TRUE(bytes);
        EXPECT_EQ(bytes->size() % alignment, 0u);
        const auto file = GgufFile::parse(as_span(*bytes), "made");
        ASSERT_TRUE(file) << file.error().message;
        uint8_t seed = 0;
        for (const GgufTensor& tensor : file->tensors()) {
            std::vector<std::byte> expected(tensor.bytes);
            ASSERT_TRUE(pattern(++seed)(0, expected));
            EXPECT_TRUE(std::equal(expected.begin(), expected.end(), tensor.view.data))
                << tensor.name;
        }
        EXPECT_EQ(file->tensor("odd")->bytes, 6u * 210u);
        EXPECT_THAT(file->tensors()[1].dims, ElementsAre(256, 3, 2, 1));
    }
}

TEST(GgufWriter, MistakesAreErrors) {
    struct Mistake {
        std::string fragment;
        std::vector<uint64_t> dims;
    };
    const uint64_t huge = std::numeric_limits<uint64_t>::max();
    for (const Mistake& mistake :
         {Mistake{"rank 0", {}}, Mistake{"rank 5", {32, 1, 1, 1, 1}},
          Mistake{"not whole Q8_0 blocks", {33}}, Mistake{"impossible shape", {32, 0}},
          Mistake{"impossible shape", {0}}, Mistake{"impossible shape", {32, huge}},
          Mistake{"impossible shape", {32, huge / 34}}}) {
        GgufWriter writer;
        writer.add_tensor("t", tensor::DType::q8_0, mistake.dims, pattern(1));
        const auto bytes = serialize(writer);
        ASSERT_FALSE(bytes) << mistake.fragment;
        EXPECT_EQ(bytes.error().code, ErrorCode::invalid_argument);
        EXPECT_THAT(bytes.error().message, HasSubstr(mistake.fragment));
    }
    GgufWriter twice;
    twice.add_u32("key", 1);
    twice.add_u32("key", 2);
    EXPECT_THAT(serialize(twice).error().message, HasSubstr("key 'key': given twice"));
    GgufWriter unnamed;
    unnamed.add_tensor("", tensor::DType::f32, {1}, pattern(1));
    EXPECT_THAT(serialize(unnamed).error().message, HasSubstr("0 bytes"));
    GgufWriter short_data;
    short_data.add_tensor("t", tensor::DType::f32, {4}, as_span("123"));
    EXPECT_THAT(serialize(short_data).error().message, HasSubstr("only 3 bytes of data"));
}

TEST(GgufWriter, AFailingSourceLeavesNoFile) {
    const fs::path directory =
        fs::path(testing::TempDir()) / ("hone_writer_" + std::to_string(getpid()));
    fs::create_directory(directory);
    const std::string path = directory / "m.gguf";
    GgufWriter writer;
    writer.add_tensor("good", tensor::DType::f32, {4}, pattern(1));
    ASSERT_TRUE(writer.write(path));
    EXPECT_TRUE(GgufFile::open(path));
    fs::remove(path);
    writer.add_tensor("bad", tensor::DType::f32, {4}, [](uint64_t, std::span<std::byte>) {
        return base::Status(base::fail(ErrorCode::cancelled, "stopped"));
    });
    const auto status = writer.write(path);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::cancelled);
    EXPECT_TRUE(fs::is_empty(directory));
    fs::remove_all(directory);
}

}  // namespace
}  // namespace hone::formats
