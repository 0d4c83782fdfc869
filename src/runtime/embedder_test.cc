// Embeddings against transformers (tests/golden/make_architectures.py), and texts beside each other
// against texts alone.
#include "runtime/embedder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>

#include "base/json.h"
#include "base/text.h"

namespace hone::runtime {
namespace {

using base::ErrorCode;
using models::Pooling;
using testing::HasSubstr;

constexpr const char* kEmbeddingGoldens = HONE_SOURCE_DIR "/tests/golden/";
// Of a vector of length 1 and 32 values: 2 % of their deviation. Keys and values are kept in f16.
constexpr float kTolerance = 0.0035f;

std::string golden_model(const char* name) {
    return std::string(kEmbeddingGoldens) + "architectures/" + name + ".gguf";
}

base::Json embedding_goldens() {
    const auto text = base::read_file(std::string(kEmbeddingGoldens) + "embeddings.json", 1 << 20);
    EXPECT_TRUE(text) << text.error().message;
    const auto json = base::parse_json(text ? *text : "[]");
    EXPECT_TRUE(json) << json.error().message;
    return json ? *json : base::Json::array();
}

std::unique_ptr<Embedder> open(LoadOptions options = {},
                               const std::string& path = golden_model("bert")) {
    static const base::SteadyClock clock;
    options.limits.sequences_max = 8;
    auto embedder = Embedder::open(path, options, clock);
    EXPECT_TRUE(embedder) << embedder.error().message;
    return embedder ? std::move(*embedder) : nullptr;
}

std::vector<std::vector<int32_t>> golden_tokens() {
    std::vector<std::vector<int32_t>> out;
    for (const base::Json& golden : embedding_goldens()) {
        out.push_back(golden["tokens"].get<std::vector<int32_t>>());
    }
    return out;
}

TEST(Embedder, TextsEqualAnIndependentImplementation) {
    const auto embedder = open();
    ASSERT_NE(embedder, nullptr);
    ASSERT_GE(embedding_goldens().size(), size_t{6});
    for (const base::Json& golden : embedding_goldens()) {
        const std::string text = golden["text"];
        SCOPED_TRACE(text);
        const std::vector<int32_t> tokens = embedder->tokenizer().encode(text);
        EXPECT_EQ(tokens, golden["tokens"].get<std::vector<int32_t>>());
        for (const auto& [name, pooling] :
             {std::pair("mean", Pooling::mean), {"cls", Pooling::cls}}) {
            const auto got = embedder->embed({&tokens, 1}, {.pooling = pooling});
            ASSERT_TRUE(got) << got.error().message;
            const auto expected = golden[name].get<std::vector<float>>();
            ASSERT_EQ(got->at(0).size(), expected.size());
            for (size_t i = 0; i < expected.size(); ++i) {
                EXPECT_NEAR(got->at(0)[i], expected[i], kTolerance) << name << " " << i;
            }
        }
    }
}

TEST(Embedder, TextsBesideEachOtherEqualTextsAloneOnAnyThreads) {
    const auto tokens = golden_tokens();
    const auto one = open({.threads = 1});
    const auto three = open({.threads = 3});
    ASSERT_TRUE(one && three);
    // More texts than a step takes, the long one among short ones, again and again.
    std::vector<std::vector<int32_t>> many;
    for (size_t i = 0; i < 20; ++i) many.push_back(tokens[i * 5 % tokens.size()]);
    const auto together = three->embed(many, {});
    ASSERT_TRUE(together) << together.error().message;
    for (size_t i = 0; i < many.size(); ++i) {
        EXPECT_EQ(one->embed({&many[i], 1}, {})->at(0), together->at(i)) << i;
    }
}

// The same weights as a directory of transformers (make_checkpoints.py): whole, and with data that
// begins at an odd byte, which the format allows.
TEST(Embedder, DirectoriesGiveTheSameVectors) {
    namespace fs = std::filesystem;
    const fs::path odd = fs::path(testing::TempDir()) / "embedder_odd";
    fs::remove_all(odd);
    fs::copy(std::string(kEmbeddingGoldens) + "checkpoints/bert", odd, fs::copy_options::recursive);
    auto weights = base::read_file((odd / "model.safetensors").string(), 1 << 20);
    ASSERT_TRUE(weights);
    uint64_t header_bytes = 0;
    std::memcpy(&header_bytes, weights->data(), sizeof(header_bytes));
    weights->insert(sizeof(header_bytes) + header_bytes, " ");
    ++header_bytes;
    std::memcpy(weights->data(), &header_bytes, sizeof(header_bytes));
    ASSERT_TRUE(base::write_file((odd / "model.safetensors").string(), *weights));
    const auto tokens = golden_tokens();
    const auto expected = open()->embed(tokens, {});
    ASSERT_TRUE(expected) << expected.error().message;
    for (const std::string& path :
         {std::string(kEmbeddingGoldens) + "checkpoints/bert", odd.string()}) {
        const auto embedder = open({}, path);
        ASSERT_NE(embedder, nullptr);
        EXPECT_EQ(embedder->config().pooling, Pooling::mean);
        const auto got = embedder->embed(tokens, {});
        ASSERT_TRUE(got) << got.error().message;
        EXPECT_EQ(*got, *expected);
    }
    fs::remove_all(odd);
}

TEST(Embedder, PoolsWhatItWouldGiveUnpooled) {
    const auto embedder = open();
    ASSERT_NE(embedder, nullptr);
    const auto tokens = golden_tokens();
    const size_t width = embedder->width();
    const auto vectors = [&](Pooling pooling) {
        return embedder->embed({&tokens[0], 1}, {.pooling = pooling, .normalize = false})->at(0);
    };
    const std::vector<float> each = vectors(Pooling::none);
    ASSERT_EQ(each.size(), tokens[0].size() * width);
    EXPECT_EQ(vectors(Pooling::cls), pooled(each, width, Pooling::cls));
    EXPECT_EQ(vectors(Pooling::mean), pooled(each, width, Pooling::mean));
    EXPECT_EQ(vectors(Pooling::last),
              std::vector<float>(each.end() - static_cast<long>(width), each.end()));
    std::vector<float> scaled = vectors(Pooling::mean);
    normalize(scaled);
    EXPECT_EQ(embedder->embed({&tokens[0], 1}, {})->at(0), scaled);
}

TEST(Embedder, VectorsArePooledAndNormalizedByTheirFormulas) {
    const std::vector<float> rows = {1, 2, 3, 4, 5, 12};
    EXPECT_EQ(pooled(rows, 2, Pooling::mean), (std::vector<float>{3, 6}));
    EXPECT_EQ(pooled(rows, 2, Pooling::cls), (std::vector<float>{1, 2}));
    EXPECT_EQ(pooled(rows, 2, Pooling::last), (std::vector<float>{5, 12}));
    std::vector<float> vector = {3, -4};
    normalize(vector);
    EXPECT_EQ(vector, (std::vector<float>{0.6f, -0.8f}));
    std::vector<float> zeros = {0, 0};
    normalize(zeros);
    EXPECT_EQ(zeros, (std::vector<float>{0, 0}));
}

TEST(Embedder, RefusesTextsThatDoNotFit) {
    LoadOptions options;
    options.limits.context = 8;
    const auto embedder = open(options);
    ASSERT_NE(embedder, nullptr);
    const std::vector<std::vector<int32_t>> texts = {{2, 5, 3}, std::vector<int32_t>(9, 5)};
    const auto longer = embedder->embed(texts, {});
    ASSERT_FALSE(longer);
    EXPECT_EQ(longer.error().code, ErrorCode::exhausted);
    EXPECT_THAT(longer.error().message, HasSubstr("text 2 has 9 tokens; 8 fit"));
    const std::vector<int32_t> nothing;
    const auto empty = embedder->embed({&nothing, 1}, {});
    ASSERT_FALSE(empty);
    EXPECT_EQ(empty.error().code, ErrorCode::invalid_argument);
}

TEST(Embedder, EncodersAndDecodersAreNotTakenForEachOther) {
    const base::SteadyClock clock;
    const auto decoder = Embedder::open(golden_model("llama3"), {}, clock);
    ASSERT_FALSE(decoder);
    EXPECT_EQ(decoder.error().code, ErrorCode::unsupported);
    EXPECT_THAT(decoder.error().message, HasSubstr("llama generates text"));
    const auto session = open_session(golden_model("bert"), {}, clock);
    ASSERT_FALSE(session);
    EXPECT_EQ(session.error().code, ErrorCode::unsupported);
    EXPECT_THAT(session.error().message, HasSubstr("hone embed"));
}

}  // namespace
}  // namespace hone::runtime
