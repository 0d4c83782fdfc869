// Broken GGUF files by section, every truncation, and random mutations. Several lines of the table
// repeat real vulnerabilities of other GGUF readers: counts that wrap (CVE-2024-23605 and its kin),
// size sums that wrap (CVE-2025-53630), alignments that abort, tensor ranges beyond the file
// (CVE-2026-7482).
#include "formats/gguf_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "base/random.h"
#include "formats/gguf_bytes.h"
#include "formats/gguf_exercise.h"

namespace hone::formats {
namespace {

using base::ErrorCode;
using testing::HasSubstr;

struct Broken {
    std::string name;
    ErrorCode code;
    std::string fragment;
    std::function<void(GgufBytes&)> breaks;
};

constexpr uint64_t kHuge = ~uint64_t{0};

void check(const std::vector<Broken>& table) {
    for (const Broken& broken : table) {
        GgufBytes small;
        broken.breaks(small);
        const std::string bytes = small.build();
        const auto file = GgufFile::parse(as_span(bytes), "m.gguf");
        ASSERT_FALSE(file) << broken.name << ": was accepted";
        EXPECT_EQ(file.error().code, broken.code) << broken.name << ": " << file.error().message;
        EXPECT_THAT(file.error().message, HasSubstr(broken.fragment)) << broken.name;
        EXPECT_EQ(file.error().message.substr(0, 8), "m.gguf: ") << broken.name;
        EXPECT_EQ(file.error().message.find('\n'), std::string::npos) << broken.name;
    }
}

TEST(BrokenGguf, Header) {
    const auto set_bytes = [](std::string all) {
        return [all](GgufBytes& b) {
            b = GgufBytes();
            b.magic = all;
        };
    };
    check({
        {"other magic", ErrorCode::corrupt, "header: not a GGUF file (it starts with 'GGML')",
         set_bytes("GGML")},
        {"binary magic", ErrorCode::corrupt, "not a GGUF file",
         set_bytes(std::string("\x7f\0\n\xff", 4))},
        {"version 0", ErrorCode::unsupported, "GGUF version 0",
         [](GgufBytes& b) { b.version = 0; }},
        {"version 1", ErrorCode::unsupported, "GGUF version 1",
         [](GgufBytes& b) { b.version = 1; }},
        {"version 4", ErrorCode::unsupported, "GGUF version 4",
         [](GgufBytes& b) { b.version = 4; }},
        {"version max", ErrorCode::unsupported, "GGUF version 4294967295",
         [](GgufBytes& b) { b.version = ~0u; }},
        {"big endian", ErrorCode::unsupported, "big endian",
         [](GgufBytes& b) { b.version = 0x03000000; }},
    });
}

// Each count at the values where 32-bit, signed and multiplied arithmetic turns over.
TEST(BrokenGguf, HeaderCounts) {
    std::vector<Broken> table;
    for (uint64_t count : {uint64_t{1} << 31, (uint64_t{1} << 32) - 1, uint64_t{1} << 32,
                           kHuge / 64 + 1, uint64_t{1} << 63, kHuge}) {
        const std::string text = std::to_string(count);
        table.push_back({"tensors " + text, ErrorCode::corrupt,
                         "header: claims " + text + " tensors",
                         [count](GgufBytes& b) { b.tensor_count = count; }});
        table.push_back({"entries " + text, ErrorCode::corrupt,
                         "header: claims " + text + " metadata entries",
                         [count](GgufBytes& b) { b.entry_count = count; }});
    }
    table.push_back({"entries above the limit", ErrorCode::exhausted,
                     "65537 metadata entries, more than", [](GgufBytes& b) {
                         b.entry_count = 65537;
                         b.data.resize(14 * 65537);
                     }});
    table.push_back({"tensors above the limit", ErrorCode::exhausted, "65537 tensors, more than",
                     [](GgufBytes& b) {
                         b.tensor_count = 65537;
                         b.data.resize(33 * 65537);
                     }});
    // One too many: the parser then reads tensor infos as metadata, or data as a tensor info.
    table.push_back({"one entry too many", ErrorCode::corrupt, "",
                     [](GgufBytes& b) { b.entry_count = b.entries.size() + 1; }});
    table.push_back({"one entry too few", ErrorCode::corrupt, "",
                     [](GgufBytes& b) { b.entry_count = b.entries.size() - 1; }});
    table.push_back({"one tensor too many", ErrorCode::corrupt, "",
                     [](GgufBytes& b) { b.tensor_count = b.tensors.size() + 1; }});
    check(table);
}

// A table line that puts one more metadata entry behind the good ones.
Broken entry(const std::string& name, ErrorCode code, const std::string& fragment,
             const std::string& bytes) {
    return {name, code, fragment, [bytes](GgufBytes& b) { b.entries.push_back(bytes); }};
}

TEST(BrokenGguf, Metadata) {
    const std::string one = wire<uint32_t>(1);
    check({
        entry("empty key", ErrorCode::corrupt, "metadata entry 3: empty key",
              wire_entry("", 4, one)),
        entry("key beyond the file", ErrorCode::corrupt,
              "metadata entry 3: key of 18446744073709551615", wire(kHuge)),
        entry("key of 64 KiB", ErrorCode::exhausted, "key of 65536 bytes, more than the 65535",
              wire_entry(std::string(65536, 'k'), 4, one)),
        entry("duplicate key", ErrorCode::corrupt, "key 'llama.block_count': appears twice",
              wire_entry("llama.block_count", 4, one)),
        entry("value type 13", ErrorCode::corrupt, "key 'k': value type 13",
              wire_entry("k", 13, one)),
        entry("value type max", ErrorCode::corrupt, "value type 4294967295",
              wire_entry("k", ~0u, one)),
        entry("bool of 2", ErrorCode::corrupt, "key 'k': a bool of value 2",
              wire_entry("k", 7, wire<uint8_t>(2))),
        entry("string beyond the file", ErrorCode::corrupt,
              "key 'k': string of 9223372036854775808 bytes",
              wire_entry("k", 8, wire(uint64_t{1} << 63))),
        entry("string one beyond", ErrorCode::corrupt, "key 'k': string of",
              wire_entry("k", 8, wire(uint64_t{1000}))),
        entry("array of arrays", ErrorCode::unsupported, "key 'k': an array of arrays",
              wire_entry("k", 9, wire_array(9, 1, wire_array(4, 1, one)))),
        entry("array of type 77", ErrorCode::corrupt, "key 'k': element type 77",
              wire_entry("k", 9, wire_array(77, 1, one))),
        entry("array count max", ErrorCode::corrupt,
              "key 'k': claims 18446744073709551615 elements",
              wire_entry("k", 9, wire_array(4, kHuge, one))),
        entry("array count wraps at 4 bytes", ErrorCode::corrupt,
              "claims 4611686018427387905 elements",
              wire_entry("k", 9, wire_array(4, kHuge / 4 + 2, one))),
        entry("array count wraps at 8 bytes", ErrorCode::corrupt,
              "claims 2305843009213693953 elements",
              wire_entry("k", 9, wire_array(10, kHuge / 8 + 2, one))),
        entry("string array count", ErrorCode::corrupt, "claims 4294967296 elements",
              wire_entry("k", 9, wire_array(8, uint64_t{1} << 32, ""))),
        entry("string in an array", ErrorCode::corrupt,
              "key 'k': array element of 18446744073709551615",
              wire_entry("k", 9, wire_array(8, 1, wire(kHuge)))),
        entry("control characters in a key", ErrorCode::corrupt, "key 'a\\x0ab\\x1b[31m'",
              wire_entry("a\nb\x1b[31m", 13, one)),
    });
}

TEST(BrokenGguf, Alignment) {
    std::vector<Broken> table;
    for (uint32_t alignment : {0u, 1u, 4u, 7u, 12u, 33u, 131072u, 1u << 31, ~0u}) {
        table.push_back(entry("alignment " + std::to_string(alignment), ErrorCode::corrupt,
                              fmt::format("{} is not a power of two", alignment),
                              wire_entry("general.alignment", 4, wire(alignment))));
    }
    table.push_back(entry("alignment as string", ErrorCode::corrupt, "holds string, must be u32",
                          wire_entry("general.alignment", 8, wire_text("32"))));
    table.push_back(entry("alignment as u64", ErrorCode::corrupt, "holds u64, must be u32",
                          wire_entry("general.alignment", 10, wire<uint64_t>(32))));
    table.push_back(
        entry("alignment as array", ErrorCode::corrupt, "holds array of 1 u32, must be u32",
              wire_entry("general.alignment", 9, wire_array(4, 1, wire<uint32_t>(32)))));
    check(table);
}

// A table line whose second tensor is replaced.
Broken tensor(const std::string& name, const std::string& fragment, const std::string& bytes,
              ErrorCode code = ErrorCode::corrupt) {
    return {name, code, fragment, [bytes](GgufBytes& b) { b.tensors[1] = bytes; }};
}

TEST(BrokenGguf, TensorInfos) {
    const uint64_t two32 = uint64_t{1} << 32;
    check({
        tensor("empty name", "tensor entry 1: empty name", wire_tensor("", {32}, 8, 32)),
        tensor("name beyond the file", "tensor entry 1: name of 18446744073709551615 bytes",
               wire(kHuge)),
        tensor("name above the limit", "name of 1025 bytes, more than the 1024",
               wire_tensor(std::string(1025, 'n'), {32}, 8, 32), ErrorCode::exhausted),
        tensor("duplicate name", "tensor 'a.weight': appears twice",
               wire_tensor("a.weight", {32}, 8, 32)),
        tensor("rank 0", "tensor 'b': rank 0", wire_tensor("b", {}, 8, 32)),
        tensor("rank 5", "tensor 'b': rank 5", wire_tensor("b", {32, 1, 1, 1, 1}, 8, 32)),
        tensor("rank max", "tensor 'b': rank 4294967295", wire_text("b") + wire(~0u)),
        tensor("zero dimension", "tensor 'b': dimension 1 is zero",
               wire_tensor("b", {32, 0}, 8, 32)),
        tensor("elements wrap to zero", "its size wraps", wire_tensor("b", {two32, two32}, 8, 32)),
        tensor("elements wrap to small", "its size wraps",
               wire_tensor("b", {32, (uint64_t{1} << 59) + 1}, 0, 32)),
        tensor("elements wrap over four", "its size wraps",
               wire_tensor("b", {65536, 65536, 65536, 65536}, 0, 32)),
        tensor("bytes wrap", "its size wraps", wire_tensor("b", {uint64_t{1} << 62}, 0, 32)),
        tensor("bytes of blocks wrap", "its size wraps",
               wire_tensor("b", {kHuge / 32 * 32}, 8, 32)),
        tensor("not whole blocks", "rows of 33 elements are not whole Q8_0 blocks",
               wire_tensor("b", {33}, 8, 32)),
        tensor("blocks across rows", "rows of 16 elements are not whole Q8_0 blocks",
               wire_tensor("b", {16, 2}, 8, 32)),
        tensor("offset not aligned", "offset 33 is not a multiple of the alignment 32",
               wire_tensor("b", {32}, 8, 33)),
        tensor("offset wraps", "wraps around", wire_tensor("b", {32}, 8, kHuge - 31)),
        tensor("offset of 2^63", "data ends at byte", wire_tensor("b", {32}, 8, uint64_t{1} << 63)),
        tensor("offset beyond the file", "data ends at byte", wire_tensor("b", {32}, 8, 4096)),
        tensor("unknown type beyond the file", "data ends at byte",
               wire_tensor("b", {32}, 99, 4096)),
        tensor("size beyond the file", "data ends at byte", wire_tensor("b", {32, 2}, 8, 32)),
        tensor("overlaps another", "tensor 'b': overlaps tensor 'a.weight'",
               wire_tensor("b", {32}, 8, 0)),
    });
}

TEST(BrokenGguf, TensorData) {
    GgufBytes small;
    small.data.pop_back();
    const std::string bytes = small.build();
    const auto file = GgufFile::parse(as_span(bytes), "model.gguf");
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().message,
              fmt::format("model.gguf: tensor 'b.weight': data ends at byte {} but the file has {} "
                          "bytes",
                          bytes.size() + 1, bytes.size()));
    check({{"no data at all", ErrorCode::corrupt, "tensor 'a.weight': data ends",
            [](GgufBytes& b) { b.data.clear(); }},
           {"no padding either", ErrorCode::corrupt, "tensor 'a.weight': data ends",
            [](GgufBytes& b) {
                b.data.clear();
                b.alignment = 0;
            }}});
}

// Every tensor needs its bytes, so no prefix of the file is a file.
TEST(BrokenGguf, EveryTruncationIsRefused) {
    const std::string bytes = GgufBytes().build();
    for (size_t length = 0; length < bytes.size(); ++length) {
        // A copy of its own size, so that a sanitizer sees the first byte beyond.
        const std::vector<std::byte> prefix(as_span(bytes).begin(),
                                            as_span(bytes).begin() + static_cast<long>(length));
        const auto file = GgufFile::parse(prefix, "cut");
        ASSERT_FALSE(file) << length;
        EXPECT_EQ(file.error().code, ErrorCode::corrupt) << length;
        EXPECT_EQ(file.error().message.substr(0, 5), "cut: ") << file.error().message;
    }
}

// Random bytes and words in a good file: no crash, no read outside (seen by sanitizers), and either
// an orderly file or one line of error.
TEST(BrokenGguf, RandomMutations) {
    const uint64_t seed = std::random_device()();
    SCOPED_TRACE(fmt::format("seed {}", seed));
    base::Random random(seed);
    const std::string good = GgufBytes().build();
    const uint64_t words[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff, kHuge >> 1, kHuge};
    size_t refused = 0;
    constexpr int kRounds = 20000;
    for (int round = 0; round < kRounds; ++round) {
        std::string bytes = good;
        const uint64_t changes = 1 + random.next_below(3);
        for (uint64_t i = 0; i < changes; ++i) {
            const size_t at = random.next_below(bytes.size());
            if (random.next_below(2) == 0) {
                bytes[at] = static_cast<char>(random.next_u64());
            } else {
                const std::string word = wire(words[random.next_below(std::size(words))]);
                const size_t width = random.next_below(2) == 0 ? 4 : 8;
                bytes.replace(at, width, word.substr(0, width));
            }
        }
        if (random.next_below(8) == 0) bytes.resize(random.next_below(bytes.size()));
        const std::vector<std::byte> exact(as_span(bytes).begin(), as_span(bytes).end());
        base::Error error;
        exercise_gguf(exact, &error);
        if (error.message.empty()) continue;
        ++refused;
        ASSERT_EQ(error.message.find_first_of("\n\r\x1b"), std::string::npos) << error.message;
    }
    // The file is mostly structure: if nothing were refused, nothing would be checked.
    EXPECT_GT(refused, kRounds / 4);
    EXPECT_LT(refused, kRounds);
}

}  // namespace
}  // namespace hone::formats
