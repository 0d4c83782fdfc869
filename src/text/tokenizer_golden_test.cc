// Hone's tokenizers against the libraries that define them (tests/golden/make_tokenizers.py).
#include <gtest/gtest.h>

#include "base/json.h"
#include "base/text.h"
#include "text/tokenizer.h"

namespace hone::text {
namespace {

using base::Json;

Json read_golden() {
    const auto text = base::read_file(HONE_SOURCE_DIR "/tests/golden/tokenizers.json", 1 << 24);
    EXPECT_TRUE(text.has_value());
    auto json = base::parse_json(text.value_or("null"));
    EXPECT_TRUE(json.has_value());
    return json.value_or(Json());
}

std::string bytes_of(const std::string& hex) {
    std::string out;
    for (size_t i = 0; i + 1 < hex.size(); i += 2) {
        out.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    }
    return out;
}

VocabularyData vocabulary_of(const Json& golden) {
    VocabularyData data;
    data.model = golden.at("model").get<std::string>();
    data.tokens = golden.at("tokens").get<std::vector<std::string>>();
    data.merges = golden.value("merges", std::vector<std::string>());
    data.scores = golden.value("scores", std::vector<float>());
    data.types = golden.value("types", std::vector<int32_t>());
    data.charsmap = bytes_of(golden.value("charsmap", std::string()));
    data.unk_id = golden.value("unknown", -1);
    data.add_space_prefix = golden.value("add_space_prefix", false);
    data.remove_extra_spaces = golden.value("remove_extra_spaces", false);
    data.lowercase = golden.value("lowercase", true);
    data.strip_accents = golden.value("strip_accents", true);
    return data;
}

// FNV-1a over the four bytes of each id.
uint32_t sum_of(const std::vector<int32_t>& ids) {
    uint32_t out = 0x811C9DC5u;
    for (const int32_t id : ids) {
        for (int shift = 0; shift < 32; shift += 8) {
            out = (out ^ (static_cast<uint32_t>(id) >> shift & 0xFF)) * 0x01000193u;
        }
    }
    return out;
}

// How many lines were compared.
size_t compare(const VocabularyData& data, const Json& lines, const Json& sums) {
    const auto tokenizer = Tokenizer::create(data);
    EXPECT_TRUE(tokenizer.has_value());
    if (!tokenizer) return 0;
    size_t compared = 0;
    for (size_t i = 0; i < lines.size(); ++i) {
        if (sums[i].is_null()) continue;
        const auto line = lines[i].get<std::string>();
        const auto ids = tokenizer->encode(line, {.add_bos = false});
        EXPECT_EQ(sum_of(ids), sums[i].get<uint32_t>()) << "line " << i << ": " << line;
        ++compared;
    }
    return compared;
}

TEST(TokenizerGolden, EachKindEqualsItsOwnLibrary) {
    const Json golden = read_golden();
    size_t kinds = 0;
    for (const Json& entry : golden.at("cases")) {
        if (entry.contains("pre")) continue;
        SCOPED_TRACE(entry.at("name").get<std::string>());
        EXPECT_GE(compare(vocabulary_of(entry), golden.at("lines"), entry.at("sums")), 300u);
        ++kinds;
    }
    EXPECT_GE(kinds, 6u);
}

TEST(TokenizerGolden, EachPreTokenizerEqualsItsPublishedPattern) {
    const Json golden = read_golden();
    const Json& entry = golden.at("cases").at(0);
    VocabularyData data = vocabulary_of(entry);
    for (const auto& [name, sums] : entry.at("pre").items()) {
        SCOPED_TRACE(name);
        data.pre = name;
        const bool tells_case = name == "gpt-4o" || name == "tekken";
        EXPECT_GE(compare(data, golden.at("lines"), sums), tells_case ? 150u : 300u);
    }
    EXPECT_GE(entry.at("pre").size(), 12u);
}

}  // namespace
}  // namespace hone::text
