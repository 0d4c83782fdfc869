// Good files, broken files by section, every truncation, random mutations, and the fuzzer's corpus.
// The lines about offsets repeat real weaknesses of readers of this format (CVE-2026-110695).
#include "formats/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/fuzz_corpus.h"
#include "base/random.h"
#include "formats/gguf_assembly.h"
#include "formats/safetensors_bytes.h"
#include "formats/safetensors_exercise.h"

namespace hone::formats {
namespace {

namespace fs = std::filesystem;
using base::ErrorCode;
using testing::HasSubstr;

const fs::path kSafetensorsCorpus = HONE_SOURCE_DIR "/src/formats/corpus/safetensors_fuzz";

std::string tensor(const std::string& name, const std::string& dtype, const std::string& shape,
                   const std::string& offsets) {
    return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
           ",\"data_offsets\":" + offsets + "}";
}

SafetensorsBytes with_header(std::string header, size_t data_bytes) {
    return {{}, std::move(header), std::string(data_bytes, '\x11')};
}

TEST(Safetensors, ReadsWhatTheFormatSays) {
    SafetensorsBytes small;
    small.header += "   ";  // padded
    const std::string bytes = small.build();
    const auto file = SafetensorsFile::parse(as_span(bytes), "m.safetensors");
    ASSERT_TRUE(file) << file.error().message;
    ASSERT_EQ(file->tensors().size(), size_t{3});
    const SafetensorsTensor& a = file->tensors()[0];
    EXPECT_EQ(a.name, "a.weight");
    EXPECT_EQ(a.type_name, "F32");
    EXPECT_EQ(a.dtype, tensor::DType::f32);
    EXPECT_EQ(a.shape, (std::vector<uint64_t>{2, 4}));
    EXPECT_EQ(a.bytes.size(), size_t{32});
    EXPECT_EQ(a.offset, 8 + small.header.size());
    EXPECT_EQ(a.bytes.data(), as_span(bytes).data() + a.offset);
    EXPECT_EQ(file->tensors()[1].bytes.size(), size_t{6});
    EXPECT_EQ(file->tensors()[2].dtype, std::nullopt);
    ASSERT_EQ(file->metadata().size(), size_t{1});
    EXPECT_EQ(file->metadata()[0].second, "pt");
}

TEST(Safetensors, TakesOddFilesThatTheFormatAllows) {
    // Types that Hone cannot compute with, a single number, half bytes, any order, no tensors.
    const std::string types = "{" + tensor("x", "F8_E4M3", "[2]", "[8,10]") + "," +
                              tensor("y", "F4", "[4]", "[10,12]") + "," +
                              tensor("z", "I64", "[]", "[0,8]") + "}";
    for (const auto& [header, bytes] :
         {std::pair<std::string, size_t>(types, 12), {"{}", 0}, {R"({"__metadata__":{}})", 0}}) {
        const std::string whole = with_header(header, bytes).build();
        const auto file = SafetensorsFile::parse(as_span(whole), "m");
        EXPECT_TRUE(file) << header << ": " << file.error().message;
    }
}

struct BrokenFile {
    std::string name;
    ErrorCode code;
    std::string fragment;
    SafetensorsBytes bytes;
};

void check_broken(const std::vector<BrokenFile>& table) {
    for (const BrokenFile& broken : table) {
        const std::string bytes = broken.bytes.build();
        const auto file = SafetensorsFile::parse(as_span(bytes), "m.st");
        ASSERT_FALSE(file) << broken.name << ": was accepted";
        EXPECT_EQ(file.error().code, broken.code) << broken.name << ": " << file.error().message;
        EXPECT_THAT(file.error().message, HasSubstr(broken.fragment)) << broken.name;
        EXPECT_EQ(file.error().message.substr(0, 6), "m.st: ") << broken.name;
        EXPECT_EQ(file.error().message.find('\n'), std::string::npos) << broken.name;
    }
}

TEST(BrokenSafetensors, Header) {
    std::vector<BrokenFile> table;
    for (const uint64_t size : {uint64_t{1} << 31, uint64_t{1} << 32, uint64_t{1} << 63,
                                ~uint64_t{0}, ~uint64_t{0} - 7}) {
        table.push_back(
            {"size", ErrorCode::corrupt, "header: claims " + std::to_string(size), {size}});
    }
    const auto header = [&](const char* name, const char* fragment, const std::string& text) {
        table.push_back({name, ErrorCode::corrupt, fragment, with_header(text, 0)});
    };
    header("empty", "does not begin with '{'", "");
    header("space first", "does not begin with '{'", " {}");
    header("a list", "does not begin with '{'", "[]");
    header("no end", "not valid JSON", "{");
    header("more behind", "not valid JSON", "{}{}");
    header("not UTF-8", "not valid JSON", "{\"\xff\":{}}");
    header("a control character", "not valid JSON", "{\"a\nb\":{}}");
    header("deep", "has no place", R"({"a":{"shape":[[[[[[1]]]]]]}})");
    header("a number for a tensor", "'a': a number has no place", R"({"a":1})");
    header("a list for a tensor", "'a': an array has no place", R"({"a":[]})");
    header("null for a tensor", "'a': null has no place", R"({"a":null})");
    header("no fields", "'a': lacks its dtype", R"({"a":{}})");
    header("unknown field", "'a', 'size': a number has no place", R"({"a":{"size":1}})");
    header("empty name", "a name of 0 bytes", "{" + tensor("", "F32", "[]", "[0,0]") + "}");
    header("long name", "a name of 2000 bytes",
           "{" + tensor(std::string(2000, 'x'), "F32", "[]", "[0,0]") + "}");
    header("metadata of numbers", "'n': a number has no place", R"({"__metadata__":{"n":1}})");
    header("metadata of objects", "'n': an object has no place", R"({"__metadata__":{"n":{}}})");
    header("metadata twice", "'__metadata__': appears twice",
           R"({"__metadata__":{},"__metadata__":{}})");
    header("metadata's key twice", "'k': appears twice", R"({"__metadata__":{"k":"1","k":"2"}})");
    check_broken(table);
    const std::string seven(7, '\0');
    EXPECT_FALSE(SafetensorsFile::parse(as_span(seven), "m"));
}

TEST(BrokenSafetensors, Tensors) {
    std::vector<BrokenFile> table;
    const auto one = [&](const char* name, ErrorCode code, const char* fragment,
                         const std::string& dtype, const std::string& shape,
                         const std::string& offsets) {
        table.push_back(
            {name, code, fragment, with_header("{" + tensor("t", dtype, shape, offsets) + "}", 8)});
    };
    one("unknown type", ErrorCode::unsupported, "dtype 'Q4_0'", "Q4_0", "[2]", "[0,8]");
    one("begin behind end", ErrorCode::corrupt, "bytes 8 to 0 of 8", "F32", "[2]", "[8,0]");
    one("end behind the file", ErrorCode::corrupt, "bytes 0 to 9 of 8", "F32", "[2]", "[0,9]");
    one("end that wraps", ErrorCode::corrupt, "of 8", "F32", "[2]", "[8,18446744073709551615]");
    one("offset over 64 bits", ErrorCode::corrupt, "a fraction", "F32", "[2]",
        "[0,18446744073709551616]");
    one("negative offset", ErrorCode::corrupt, "a negative number", "F32", "[2]", "[-8,0]");
    one("negative dimension", ErrorCode::corrupt, "a negative number", "F32", "[-2]", "[0,8]");
    one("fraction", ErrorCode::corrupt, "a fraction", "F32", "[2.0]", "[0,8]");
    one("text for a dimension", ErrorCode::corrupt, "a string", "F32", "[\"2\"]", "[0,8]");
    one("one offset", ErrorCode::corrupt, "lacks its", "F32", "[2]", "[0]");
    one("three offsets", ErrorCode::corrupt, "more than 2 numbers", "F32", "[2]", "[0,8,8]");
    one("nine dimensions", ErrorCode::corrupt, "more than 8 numbers", "F32", "[1,1,1,1,1,1,1,1,2]",
        "[0,8]");
    one("too short for its shape", ErrorCode::corrupt, "has 8 bytes; its shape asks for 12", "F32",
        "[3]", "[0,8]");
    one("too long for its shape", ErrorCode::corrupt, "asks for 4", "F32", "[]", "[0,8]");
    one("a shape that wraps to 8 bytes", ErrorCode::corrupt, "not a number of bytes", "F32",
        "[4611686018427387906]", "[0,8]");
    one("a product that wraps to 0", ErrorCode::corrupt, "not a number of bytes", "F32",
        "[4294967296,4294967296]", "[0,0]");
    one("half a byte", ErrorCode::corrupt, "not a number of bytes", "F4", "[15]", "[0,8]");
    one("a hole at the end", ErrorCode::corrupt, "4 bytes at its end belong to no tensor", "F32",
        "[1]", "[0,4]");
    one("a hole at the start", ErrorCode::corrupt, "leaves a hole before it", "F32", "[1]",
        "[4,8]");
    const auto two = [&](const char* name, const char* fragment, const std::string& first,
                         const std::string& second) {
        table.push_back(
            {name, ErrorCode::corrupt, fragment, with_header("{" + first + "," + second + "}", 8)});
    };
    const std::string whole = tensor("t", "F32", "[2]", "[0,8]");
    two("twice the same bytes", "overlaps another", whole, tensor("u", "F32", "[2]", "[0,8]"));
    two("overlap", "overlaps another", whole, tensor("u", "F32", "[1]", "[4,8]"));
    two("a hole between", "leaves a hole", tensor("t", "U8", "[3]", "[0,3]"),
        tensor("u", "F32", "[1]", "[4,8]"));
    two("empty inside another", "overlaps another", whole, tensor("u", "F32", "[0]", "[4,4]"));
    two("the same name", "'t': appears twice", whole, tensor("t", "F32", "[0]", "[8,8]"));
    const std::string twice =
        R"({"t":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
    table.push_back(
        {"a field twice", ErrorCode::corrupt, "'dtype': appears twice", with_header(twice, 8)});
    check_broken(table);
}

TEST(BrokenSafetensors, Limits) {
    std::string many = "{";
    for (size_t i = 0; i <= kSafetensorsTensorsMax; ++i) {
        many += (i > 0 ? "," : "") + tensor(std::to_string(i), "F32", "[0]", "[0,0]");
    }
    check_broken(
        {{"tensors", ErrorCode::exhausted, "more than the 65536", with_header(many + "}", 0)},
         {"header", ErrorCode::exhausted, "more than the 100000000 of the format",
          with_header("{" + std::string(kSafetensorsHeaderBytesMax, ' ') + "}", 0)}});
}

TEST(BrokenSafetensors, NoTruncationIsAccepted) {
    const std::string whole = SafetensorsBytes().build();
    for (size_t size = 0; size < whole.size(); ++size) {
        const std::string part = whole.substr(0, size);
        EXPECT_FALSE(SafetensorsFile::parse(as_span(part), "m")) << size;
    }
}

TEST(BrokenSafetensors, MutationsAreReadOrRefused) {
    base::Random random(1);
    const std::string whole = SafetensorsBytes().build();
    for (int round = 0; round < 20000; ++round) {
        std::string bytes = whole;
        const uint64_t changes = 1 + random.next_below(4);
        for (uint64_t i = 0; i < changes; ++i) {
            bytes[random.next_below(bytes.size())] = static_cast<char>(random.next_u64());
        }
        exercise_safetensors(as_span(bytes));
    }
}

TEST(SafetensorsCorpus, EveryFileIsHandled) {
    const base::CorpusCounts counts =
        base::run_corpus(kSafetensorsCorpus, [](std::string_view bytes) {
            base::Error error;
            exercise_safetensors(std::as_bytes(std::span(bytes)), &error);
            return error.message.empty();
        });
    EXPECT_GE(counts.files, 5u);
    EXPECT_GE(counts.accepted, 2u);
}

TEST(SafetensorsCorpus, DISABLED_WriteSeeds) {
    fs::create_directories(kSafetensorsCorpus);
    const SafetensorsBytes seeds[] = {
        {},
        with_header("{}", 0),
        with_header("{" + tensor("t", "BF16", "[2,2]", "[0,8]") + "}  ", 8),
        with_header("{" + tensor("t", "F4", "[16]", "[0,8]") + "}", 8),
        with_header("{" + tensor("t", "I64", "[]", "[0,8]") + "," +
                        tensor("u", "F8_E5M2", "[0,4294967296]", "[8,8]") + "}",
                    8)};
    int index = 0;
    for (const SafetensorsBytes& seed : seeds) {
        std::ofstream(kSafetensorsCorpus / ("seed_" + std::to_string(index++)), std::ios::binary)
            << seed.build();
    }
}

base::Result<GgufFile> assemble(const std::string& bytes, std::vector<AssembledTensor> tensors,
                                uint32_t stored) {
    HONE_TRY(auto file, SafetensorsFile::parse(as_span(bytes), "m.safetensors"));
    tensors[0].stored = &file.tensors()[stored];
    std::vector<SafetensorsFile> files;
    files.push_back(std::move(file));
    GgufWriter head;
    head.add_string("general.architecture", "llama");
    return GgufAssembly::make("dir", head, std::move(files), std::move(tensors));
}

TEST(GgufAssembly, TensorsKeepTheirBytesUnderNewNames) {
    const std::string bytes = SafetensorsBytes().build();
    AssembledTensor own{.name = "own"};
    own.own = std::vector<std::byte>(8, std::byte{7});
    own.own_dims = {2};
    auto made = assemble(bytes, {{.name = "new.name"}, own}, 0);
    ASSERT_TRUE(made) << made.error().message;
    const GgufFile file = std::move(*made);
    EXPECT_EQ(*file.get_string("general.architecture"), "llama");
    const auto view = file.tensor("new.name");
    ASSERT_TRUE(view) << view.error().message;
    EXPECT_EQ(view->columns(), 4u);
    EXPECT_EQ(view->rows(), 2u);
    EXPECT_EQ(view->data, as_span(bytes).data() + bytes.size() - 38);
    EXPECT_EQ(file.tensor("own")->bytes, 8u);
    EXPECT_EQ(file.tensor("own")->data[0], std::byte{7});
    EXPECT_FALSE(file.tensor("a.weight"));
    EXPECT_FALSE(file.assembled_head().empty());
    EXPECT_EQ(file.size_bytes(), file.assembled_head().size() + bytes.size());
    file.release(*file.find_tensor("own"));
}

TEST(GgufAssembly, RefusesWhatNoModelFileHas) {
    const std::string bytes = SafetensorsBytes().build();
    auto made = assemble(bytes, {{.name = "x"}, {.name = "x", .own_dims = {1}}}, 0);
    ASSERT_FALSE(made);
    EXPECT_THAT(made.error().message, HasSubstr("dir: tensor 'x': appears twice"));
    made = assemble(bytes, {{.name = "x"}}, 2);
    ASSERT_FALSE(made);
    EXPECT_THAT(made.error().message, HasSubstr("dir: tensor 'x': a dimension is zero"));
    const std::string five =
        with_header("{" + tensor("t", "F32", "[1,1,1,1,2]", "[0,8]") + "}", 8).build();
    made = assemble(five, {{.name = "x"}}, 0);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, ErrorCode::unsupported);
    // A type that nothing computes with is refused when it is used.
    const std::string other =
        with_header("{" + tensor("t", "F8_E4M3", "[8]", "[0,8]") + "}", 8).build();
    made = assemble(other, {{.name = "x"}}, 0);
    ASSERT_TRUE(made) << made.error().message;
    const auto view = made->tensor("x");
    ASSERT_FALSE(view);
    EXPECT_THAT(view.error().message, HasSubstr("Hone does not compute with F8_E4M3"));
}

}  // namespace
}  // namespace hone::formats
