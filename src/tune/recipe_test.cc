#include "tune/recipe.h"

#include <gtest/gtest.h>

#include "tune/optimizer.h"

namespace hone::tune {
namespace {

using base::ErrorCode;
using ledger::TrialStatus;

ledger::Trial trial(const char* action, TrialStatus status) {
    ledger::Trial out;
    out.action = action;
    out.status = status;
    return out;
}

TEST(Recipe, HasWhatWasKeptInOrder) {
    ledger::Run run;
    run.subject.scenario = "batch";
    run.trials = {trial("threads:2", TrialStatus::kept), trial("kv:q8", TrialStatus::rolled_back),
                  trial("without:merge_qkv", TrialStatus::kept),
                  trial("pin:on", TrialStatus::refused)};
    const auto recipe = parse_recipe(recipe_text(run, "kl:0.1"));
    ASSERT_TRUE(recipe) << recipe.error().message;
    EXPECT_EQ(recipe->scenario, "batch");
    EXPECT_EQ(recipe->gate, "kl:0.1");
    EXPECT_EQ(recipe->actions, (std::vector<std::string>{"threads:2", "without:merge_qkv"}));
}

TEST(Recipe, BrokenOnesAreErrors) {
    const std::string head = "{\"schema\":1,\"scenario\":\"batch\",\"gate\":\"kl:1\",\"steps\":[";
    const auto code = [](const std::string& text) {
        const auto recipe = parse_recipe(text);
        EXPECT_FALSE(recipe) << text;
        return recipe ? ErrorCode::internal : recipe.error().code;
    };
    EXPECT_EQ(code(""), ErrorCode::corrupt);
    EXPECT_EQ(code("[]"), ErrorCode::corrupt);
    EXPECT_EQ(code("{\"schema\":1}"), ErrorCode::corrupt);
    EXPECT_EQ(code("{\"schema\":2,\"scenario\":\"\",\"gate\":\"\"}"), ErrorCode::unsupported);
    EXPECT_EQ(code(head + "{}]}"), ErrorCode::corrupt);
    EXPECT_EQ(code(head + "{\"action\":3}]}"), ErrorCode::corrupt);
    EXPECT_EQ(code(head + "{\"action\":\"fly:high\"}]}"), ErrorCode::unsupported);
    EXPECT_EQ(code(head + "{\"action\":\"threads:many\"}]}"), ErrorCode::unsupported);
    EXPECT_EQ(code(std::string(kRecipeBytesMax + 1, ' ')), ErrorCode::exhausted);
}

TEST(Request, ComesBackForAResumedRun) {
    OptimizeOptions asked;
    asked.slo = "ttft_p50<2s";
    asked.gate = *parse_gate("ppl:+2%");
    asked.floor_percent = 3;
    asked.work.seed = 42;
    OptimizeOptions back;
    ASSERT_TRUE(restore_request(request_text(asked), back));
    EXPECT_EQ(back.slo, asked.slo);
    EXPECT_EQ(back.gate.text(), "ppl:+2%");
    EXPECT_EQ(back.floor_percent, 3);
    EXPECT_EQ(back.work.seed, 42u);
    EXPECT_FALSE(restore_request("{}", back));
    EXPECT_FALSE(restore_request("x", back));
}

}  // namespace
}  // namespace hone::tune
