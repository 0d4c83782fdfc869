#include "models/gguf_vocabulary.h"

#include <gtest/gtest.h>

#include "formats/gguf_bytes.h"
#include "text/tokenizer.h"

namespace hone::models {
namespace {

using base::ErrorCode;
using formats::wire;
using formats::wire_array;
using formats::wire_entry;
using formats::wire_text;

constexpr uint32_t kU8 = 0;
constexpr uint32_t kU32 = 4;
constexpr uint32_t kF32 = 6;
constexpr uint32_t kBool = 7;
constexpr uint32_t kString = 8;
constexpr uint32_t kArray = 9;

std::string strings(const std::vector<std::string>& values) {
    std::string elements;
    for (const std::string& value : values) elements += wire_text(value);
    return wire_array(kString, values.size(), elements);
}

std::string floats(const std::vector<float>& values) {
    std::string elements;
    for (const float value : values) elements += wire(value);
    return wire_array(kF32, values.size(), elements);
}

// A model file's head with these entries and no tensors.
base::Result<text::VocabularyData> read(const std::vector<std::string>& entries) {
    formats::GgufBytes bytes;
    bytes.entries = entries;
    bytes.tensors.clear();
    bytes.data.clear();
    const std::string file = bytes.build();
    HONE_TRY(const auto gguf, formats::GgufFile::parse(std::as_bytes(std::span(file)), "m.gguf"));
    return read_vocabulary(gguf);
}

std::vector<std::string> entries_of(const std::string& model) {
    return {wire_entry("tokenizer.ggml.model", kString, wire_text(model)),
            wire_entry("tokenizer.ggml.tokens", kArray, strings({"a", "b", "c"}))};
}

TEST(GgufVocabulary, ReadsWhatTokenizersNeed) {
    auto entries = entries_of("t5");
    entries.push_back(wire_entry("general.name", kString, wire_text("Phi-3")));
    entries.push_back(wire_entry("tokenizer.ggml.scores", kArray, floats({0, -1, -2})));
    entries.push_back(
        wire_entry("tokenizer.ggml.precompiled_charsmap", kArray, wire_array(kU8, 3, "\xFFxy")));
    entries.push_back(wire_entry("tokenizer.ggml.add_space_prefix", kBool, "\1"));
    entries.push_back(wire_entry("tokenizer.ggml.remove_extra_whitespaces", kBool, "\1"));
    entries.push_back(wire_entry("tokenizer.ggml.bos_token_id", kU32, wire<uint32_t>(1)));
    const auto data = read(entries);
    ASSERT_TRUE(data.has_value()) << data.error().message;
    EXPECT_EQ(data->name, "Phi-3");
    EXPECT_EQ(data->charsmap, "\xFFxy");
    EXPECT_EQ(data->scores, (std::vector<float>{0, -1, -2}));
    EXPECT_EQ(data->add_space_prefix, true);
    EXPECT_EQ(data->remove_extra_spaces, true);
    EXPECT_FALSE(data->lowercase.has_value());
    EXPECT_EQ(data->bos_id, 1);
    EXPECT_EQ(data->eos_id, 1) << "what the kind means by a missing key";
    EXPECT_EQ(data->unk_id, 2);
    EXPECT_EQ(data->pre, "default");
}

TEST(GgufVocabulary, MissingIdsMeanWhatTheKindMeans) {
    const auto llama = *read(entries_of("llama"));
    EXPECT_EQ(llama.bos_id, 1);
    EXPECT_EQ(llama.eos_id, 2);
    EXPECT_EQ(llama.unk_id, 0);
    const auto bytes = *read(entries_of("gpt2"));
    EXPECT_EQ(bytes.bos_id, -1);
    // 101 and 102 are outside a vocabulary of three.
    const auto bert = *read(entries_of("bert"));
    EXPECT_EQ(bert.bos_id, -1);
    EXPECT_EQ(bert.sep_id, -1);
    auto entries = entries_of("bert");
    entries.push_back(wire_entry("tokenizer.ggml.cls_token_id", kU32, wire<uint32_t>(2)));
    EXPECT_EQ(read(entries)->bos_id, 2);
    entries.push_back(wire_entry("tokenizer.ggml.bos_token_id", kU32, wire<uint32_t>(0xFFFFFFFF)));
    EXPECT_EQ(read(entries)->bos_id, 2) << "an id outside the vocabulary counts as missing";
}

struct BrokenVocabulary {
    const char* key;
    uint32_t type;
    std::string value;
};

TEST(GgufVocabulary, ValuesOfAnotherKindAreCorrupt) {
    const BrokenVocabulary table[] = {
        {"tokenizer.ggml.model", kU32, wire<uint32_t>(1)},
        {"tokenizer.ggml.model", kArray, strings({"llama"})},
        {"tokenizer.ggml.pre", kU32, wire<uint32_t>(1)},
        {"tokenizer.ggml.tokens", kString, wire_text("a b c")},
        {"tokenizer.ggml.tokens", kArray, floats({1, 2, 3})},
        {"tokenizer.ggml.scores", kArray, strings({"1", "2", "3"})},
        {"tokenizer.ggml.scores", kF32, wire<float>(1)},
        {"tokenizer.ggml.token_type", kArray, floats({1, 1, 1})},
        {"tokenizer.ggml.token_type", kString, wire_text("111")},
        {"tokenizer.ggml.merges", kArray, floats({1})},
        {"tokenizer.ggml.merges", kString, wire_text("a b")},
        {"tokenizer.ggml.precompiled_charsmap", kString, wire_text("abc")},
        {"tokenizer.ggml.precompiled_charsmap", kArray, floats({1})},
        {"tokenizer.chat_template", kU32, wire<uint32_t>(1)},
        {"tokenizer.chat_template", kArray, strings({"a", "b"})},
        {"general.name", kU32, wire<uint32_t>(1)},
    };
    for (const BrokenVocabulary& broken : table) {
        auto entries = entries_of("llama");
        std::erase_if(entries, [&](const std::string& entry) {
            return entry.find(broken.key) != std::string::npos;
        });
        entries.push_back(wire_entry(broken.key, broken.type, broken.value));
        const auto data = read(entries);
        ASSERT_FALSE(data.has_value()) << broken.key;
        EXPECT_EQ(data.error().code, ErrorCode::corrupt) << data.error().message;
        EXPECT_NE(data.error().message.find(broken.key), std::string::npos);
    }
}

TEST(GgufVocabulary, AFileWithoutATokenizerSaysSo) {
    for (const char* key : {"tokenizer.ggml.model", "tokenizer.ggml.tokens"}) {
        auto entries = entries_of("llama");
        std::erase_if(entries, [&](const std::string& entry) {
            return entry.find(key) != std::string::npos;
        });
        const auto data = read(entries);
        ASSERT_FALSE(data.has_value());
        EXPECT_EQ(data.error().code, ErrorCode::not_found);
        EXPECT_NE(data.error().message.find(key), std::string::npos);
    }
}

// Numbers that are no ids and no bytes are taken as far as they mean something.
TEST(GgufVocabulary, OddNumbersDoNoHarm) {
    auto entries = entries_of("t5");
    entries.push_back(wire_entry("tokenizer.ggml.scores", kArray, floats({0, -1, -2})));
    entries.push_back(wire_entry(
        "tokenizer.ggml.token_type", kArray,
        wire_array(5, 3, wire<int32_t>(-5) + wire<int32_t>(1 << 30) + wire<int32_t>(1))));
    for (const char* key : {"bos", "eos", "eot", "unknown", "padding", "seperator", "cls"}) {
        entries.push_back(wire_entry(std::string("tokenizer.ggml.") + key + "_token_id", kU32,
                                     wire<uint32_t>(0x80000000u)));
    }
    const auto data = read(entries);
    ASSERT_TRUE(data.has_value()) << data.error().message;
    const auto tokenizer = text::Tokenizer::create(*data);
    ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
    for (const int32_t id : tokenizer->encode("abc \xFF")) EXPECT_LT(id, 3);
}

}  // namespace
}  // namespace hone::models
