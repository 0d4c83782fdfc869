#include "probe/prompt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "probe/probe_fixture.h"

namespace hone::probe {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ParsePrompts, TextsAndTokensLineByLine) {
    const auto prompts =
        parse_prompts("{\"text\": \"a b\", \"id\": 7}\n\n  {\"tokens\": [1, 2]}\r\n");
    ASSERT_TRUE(prompts) << prompts.error().message;
    ASSERT_EQ(prompts->size(), 2u);
    EXPECT_EQ((*prompts)[0].text, "a b");
    EXPECT_TRUE((*prompts)[0].tokens.empty());
    EXPECT_THAT((*prompts)[1].tokens, ElementsAre(1, 2));
}

TEST(ParsePrompts, BrokenLinesAreNamed) {
    std::string lines;
    for (size_t i = 0; i <= kPromptsMax; ++i) lines += "{\"text\":\"\"}\n";
    const struct {
        std::string file;
        base::ErrorCode code;
        const char* message;
    } cases[] = {
        {"", base::ErrorCode::invalid_argument, "no prompts"},
        {" \n \n", base::ErrorCode::invalid_argument, "no prompts"},
        {"{\"text\":\"a\"}\nhello", base::ErrorCode::corrupt, "line 2"},
        {"{\"text\":\"a\"", base::ErrorCode::corrupt, "line 1"},
        {"[1,2]", base::ErrorCode::corrupt, "line 1: neither"},
        {"\"text\"", base::ErrorCode::corrupt, "line 1: neither"},
        {"{\"text\": 5}", base::ErrorCode::corrupt, "line 1: neither"},
        {"{\"tokens\": []}", base::ErrorCode::corrupt, "line 1: neither"},
        {"{\"tokens\": [1, -1]}", base::ErrorCode::corrupt, "-1 is no token id"},
        {"{\"tokens\": [1.5]}", base::ErrorCode::corrupt, "1.5 is no token id"},
        {"{\"tokens\": [3000000000]}", base::ErrorCode::corrupt, "3000000000 is no token id"},
        {"{\"tokens\": [[[[[[[[[[1]]]]]]]]]]}", base::ErrorCode::exhausted, "line 1"},
        {"{\"text\": \"\xff\"}", base::ErrorCode::corrupt, "line 1"},
        {lines, base::ErrorCode::exhausted, "more than 100000 prompts"},
    };
    for (const auto& c : cases) {
        const auto prompts = parse_prompts(c.file);
        ASSERT_FALSE(prompts) << c.file.substr(0, 50);
        EXPECT_EQ(prompts.error().code, c.code) << prompts.error().message;
        EXPECT_THAT(prompts.error().message, HasSubstr(c.message));
    }
}

class PaddingTest : public TinyModelTest {};

TEST_F(PaddingTest, RunsAtTheEndsAreFoundAndTaken) {
    const text::Tokenizer& tokenizer = session_->tokenizer();
    const int32_t pad = tokenizer.pad() >= 0 ? tokenizer.pad() : tokenizer.eos();
    const int32_t bos = tokenizer.bos();
    ASSERT_GE(pad, 0);
    const int32_t x = std::max(pad, bos) + 1;
    const struct {
        std::vector<int32_t> tokens;
        size_t padding;
        std::vector<int32_t> rest;
    } cases[] = {
        {{x, x}, 0, {x, x}},          {{pad, pad, x, x}, 2, {x, x}},
        {{x, pad, pad, pad}, 3, {x}}, {{pad, pad, x, pad, x, pad, pad}, 4, {x, pad, x}},
        {{pad, pad, pad}, 2, {pad}},  {{}, 0, {}},
    };
    for (const auto& c : cases) {
        std::vector<int32_t> tokens = c.tokens;
        const Padding padding = find_padding(tokenizer, tokens);
        EXPECT_EQ(padding.tokens(), c.padding);
        trim_padding(padding, tokens);
        EXPECT_EQ(tokens, c.rest);
    }
    if (bos >= 0 && bos != pad) {
        EXPECT_THAT(prompt_ids(tokenizer, {"", {bos, pad, pad, x}}, true), ElementsAre(bos, x));
    }
}

TEST(PrefixHistory, CountsWholePagesOfABeginningSeenBefore) {
    PrefixHistory history;
    std::vector<int32_t> first(100);
    std::iota(first.begin(), first.end(), 5);
    EXPECT_EQ(history.repeated(first), 0u);
    history.add(first);
    EXPECT_EQ(history.repeated(first), 96u);
    std::vector<int32_t> second = first;
    second[40] = 1;
    EXPECT_EQ(history.repeated(second), 32u);
    EXPECT_EQ(history.repeated(std::span(first).first(64)), 32u) << "one token is always computed";
    EXPECT_EQ(history.repeated(std::span(first).subspan(32)), 0u) << "not from the beginning";
    history.clear();
    EXPECT_EQ(history.repeated(first), 0u);
}

class PromptWorkloadTest : public TinyModelTest {
  protected:
    measure::RunRecord run(const ScenarioOptions& options) {
        auto record = run_scenario(*session_, options, setting());
        EXPECT_TRUE(record) << record.error().message;
        return std::move(*record);
    }
    static std::vector<int32_t> ids(size_t count, int32_t first) {
        std::vector<int32_t> out(count);
        std::iota(out.begin(), out.end(), first);
        return out;
    }
};

TEST_F(PromptWorkloadTest, SharedBeginningsAreReusedWithinAPassOnly) {
    ScenarioOptions options;
    options.output_tokens = 2;
    options.requests = 4;
    options.overhead_pairs = 0;
    std::vector<int32_t> other = ids(80, 10);
    other[70] = 9;
    options.prompts = {{"", ids(80, 10)}, {"", other}};
    const measure::RunRecord record = run(options);
    EXPECT_EQ(record.context.prompt_tokens, 80);
    ASSERT_EQ(record.requests.size(), 5u);
    const auto warm = std::span(record.requests).subspan(1);
    for (size_t i = 0; i < warm.size(); ++i) {
        EXPECT_EQ(warm[i].prompt_tokens_reused, i % 2 == 0 ? 0 : 64) << i;
        EXPECT_EQ(warm[i].prompt_tokens_repeated, i % 2 == 0 ? 0 : 64) << i;
    }
}

TEST_F(PromptWorkloadTest, PaddingIsCountedOrTrimmed) {
    const text::Tokenizer& tokenizer = session_->tokenizer();
    const int32_t pad = tokenizer.pad() >= 0 ? tokenizer.pad() : tokenizer.eos();
    std::vector<int32_t> padded(24, pad);
    const std::vector<int32_t> text = ids(8, pad + 10);
    padded.insert(padded.end(), text.begin(), text.end());
    ScenarioOptions options;
    options.output_tokens = 2;
    options.requests = 2;
    options.overhead_pairs = 0;
    options.prompts = {{"", padded}};
    EXPECT_EQ(run(options).requests.back().padding_tokens, 24);
    options.trim_padding = true;
    const measure::RunRecord trimmed = run(options);
    EXPECT_EQ(trimmed.requests.back().padding_tokens, 0);
    EXPECT_EQ(trimmed.requests.back().prompt_tokens, 8);
}

TEST_F(PromptWorkloadTest, PromptsThatDoNotFitAreRefused) {
    ScenarioOptions options;
    options.prompts = {{"", ids(200, 1)}};
    const auto record = run_scenario(*session_, options, setting());
    ASSERT_FALSE(record);
    EXPECT_EQ(record.error().code, base::ErrorCode::invalid_argument);
    options.prompts = {{"", {1'000'000}}};
    EXPECT_FALSE(run_scenario(*session_, options, setting()));
}

}  // namespace
}  // namespace hone::probe
