#include "quality/items.h"

#include <gtest/gtest.h>

#include <cmath>

#include "quality/builtin_data.h"
#include "quality/item_scores.h"

namespace hone::quality {
namespace {

using base::ErrorCode;

std::vector<Item> items_of(std::string_view jsonl) {
    std::vector<Item> items;
    const auto status = add_items(jsonl, items);
    EXPECT_TRUE(status) << status.error().message;
    return items;
}

base::Error error_of(std::string_view jsonl) {
    std::vector<Item> items;
    const auto status = add_items(jsonl, items);
    return status ? base::Error{} : status.error();
}

constexpr const char* kChoice =
    R"({"task":"choice","prompt":"2+2=","choices":["3","4"],"answer":"4"})";

TEST(Items, AreReadLineByLine) {
    const auto items = items_of(
        "\n" + std::string(kChoice) + "\r\n\n" +
        R"({"id":"x","task":"generation","messages":[{"role":"user","content":"Hi"}],)"
        R"("references":["Hello"],"output_tokens":7,"stop":["\n"],"_note":{"any":1}})" +
        "\n" + R"({"task":"consistency","prompts":["a",[{"role":"user","content":"b"}]]})" + "\n" +
        R"({"task":"consistency","prompt":"a","samples":3,"temperature":0.7})" + "\n" +
        R"({"task":"consistency","turns":["a","b","a"],"system":"s"})");
    ASSERT_EQ(items.size(), 5u);
    EXPECT_EQ(items[0].where, "line 2");
    EXPECT_EQ(items[0].answer, 1u);
    EXPECT_EQ(items[1].where, "line 4");
    EXPECT_EQ(items[1].output_tokens, 7u);
    EXPECT_EQ(items[1].prompts[0].messages[0].content, "Hi");
    EXPECT_EQ(items[2].outputs_wanted(), 2u);
    EXPECT_EQ(items[3].outputs_wanted(), 3u);
    EXPECT_EQ(items[4].outputs_wanted(), 3u);
    EXPECT_EQ(items[4].same, (std::vector<size_t>{0, 2}));
}

TEST(Items, WrongLinesAreNamed) {
    const std::string start = std::string(kChoice) + "\n";
    for (const char* wrong : {
             "{",
             "[]",
             "null",
             "{}",
             R"({"task":"sing"})",
             R"({"task":1})",
             R"({"task":"choice","prompt":"x","choices":["a","b"]})",
             R"({"task":"choice","prompt":"x","choices":["a","b"],"answer":2})",
             R"({"task":"choice","prompt":"x","choices":["a","b"],"answer":-1})",
             R"({"task":"choice","prompt":"x","choices":["a","b"],"answer":"c"})",
             R"({"task":"choice","prompt":"x","choices":["a"],"answer":0})",
             R"({"task":"choice","prompt":"x","choices":["a","a"],"answer":0})",
             R"({"task":"choice","prompt":"x","choices":["a",""],"answer":0})",
             R"({"task":"choice","prompt":"x","choices":["a",1],"answer":0})",
             R"({"task":"choice","prompt":"","choices":["a","b"],"answer":0})",
             R"({"task":"choice","choices":["a","b"],"answer":0})",
             R"({"task":"choice","prompt":"x","choices":["a","b"],"anwser":0,"answer":0})",
             R"({"task":"choice","prompt":"x","messages":[],"choices":["a","b"],"answer":0})",
             R"({"task":"choice","messages":[],"choices":["a","b"],"answer":0})",
             R"({"task":"choice","messages":"x","choices":["a","b"],"answer":0})",
             R"({"task":"choice","messages":[{"content":"x"}],"choices":["a","b"],"answer":0})",
             R"({"task":"generation","prompt":"x"})",
             R"({"task":"generation","prompt":"x","references":[]})",
             R"({"task":"generation","prompt":"x","references":["y"],"output_tokens":0})",
             R"({"task":"generation","prompt":"x","references":["y"],"output_tokens":1.5})",
             R"({"task":"consistency"})",
             R"({"task":"consistency","prompt":"x"})",
             R"({"task":"consistency","prompt":"x","samples":3})",
             R"({"task":"consistency","prompt":"x","samples":3,"temperature":0})",
             R"({"task":"consistency","prompts":["x"]})",
             R"({"task":"consistency","prompts":["x","y"],"samples":2,"temperature":1})",
             R"({"task":"consistency","prompts":["x","y"],"turns":["a","b"]})",
             R"({"task":"consistency","turns":["a","b"],"same":[0,2]})",
             R"({"task":"consistency","turns":["a","b"],"same":[0,0]})",
             R"({"task":"consistency","turns":["a","b"],"outputs":["x","y","z"]})",
         }) {
        const base::Error error = error_of(start + wrong);
        EXPECT_EQ(error.code, ErrorCode::corrupt) << wrong;
        EXPECT_EQ(error.message.substr(0, 8), "line 2: ") << wrong << ": " << error.message;
        EXPECT_EQ(error.message.find('\n'), std::string::npos);
    }
    EXPECT_EQ(error_of(start + "\"\xff\"").message, "line 2: not UTF-8");
    EXPECT_EQ(error_of(" \n\n").code, ErrorCode::invalid_argument);
    EXPECT_NE(
        error_of(R"({"task":"choice","anwser":1,"prompt":"x","choices":["a","b"],"answer":0})")
            .message.find("unknown key 'anwser'"),
        std::string::npos);
}

TEST(Items, EverythingHasALimit) {
    const auto line = [](const std::string& text) {
        return R"({"task":"generation","prompt":"x","references":[")" + text + "\"]}";
    };
    EXPECT_EQ(error_of(line(std::string(kItemTextBytesMax + 1, 'a'))).code, ErrorCode::exhausted);
    EXPECT_EQ(error_of(line(std::string(kItemLineBytesMax, 'a'))).code, ErrorCode::exhausted);
    std::string many = R"({"task":"choice","prompt":"x","answer":0,"choices":["c")";
    for (size_t i = 0; i < kChoicesMax; ++i) many += ",\"" + std::to_string(i) + '"';
    EXPECT_EQ(error_of(many + "]}").code, ErrorCode::exhausted);
    EXPECT_EQ(error_of(std::string(100, '[')).code, ErrorCode::exhausted);
    std::string outputs = R"({"task":"consistency","outputs":["x")";
    for (size_t i = 1; i < kVariantsMax; ++i) outputs += ",\"x\"";
    EXPECT_EQ(items_of(outputs + "]}").size(), 1u);
    EXPECT_EQ(error_of(outputs + ",\"x\"]}").code, ErrorCode::exhausted);
}

TEST(Items, OneClassificationAtATime) {
    const std::string a =
        R"({"task":"classification","prompt":"x","choices":["no","yes"],"answer":1})";
    std::string b = a;
    b.replace(b.find("yes"), 3, "may");
    EXPECT_EQ(items_of(a + "\n" + a).size(), 2u);
    EXPECT_NE(error_of(a + "\n" + b).message.find("other choices"), std::string::npos);
    // Other tasks before and between them do not count.
    const std::string other = R"({"task":"choice","prompt":"x","choices":["p","q"],"answer":0})";
    EXPECT_EQ(items_of(other + "\n" + a + "\n" + other + "\n" + a).size(), 4u);
    EXPECT_NE(error_of(other + "\n" + a + "\n" + other + "\n" + b).message.find("of line 2"),
              std::string::npos);
    auto items = items_of(a);
    EXPECT_FALSE(add_items(b, items));
}

TEST(Items, TheBuiltInOnesAreWhole) {
    const std::vector<std::pair<std::string_view, size_t>> wanted{
        {"choice", 60}, {"classification", 40}, {"generation", 20}, {"consistency", 20}};
    ASSERT_EQ(builtin_data().size(), wanted.size());
    for (size_t i = 0; i < wanted.size(); ++i) {
        EXPECT_EQ(builtin_data()[i].name, wanted[i].first);
        EXPECT_EQ(items_of(builtin_data()[i].jsonl).size(), wanted[i].second);
    }
    // No place among the choices may be right more often than others: it could be learned.
    std::vector<size_t> right(4, 0);
    for (const Item& item : items_of(builtin_data()[0].jsonl)) ++right[item.answer];
    for (const size_t count : right) EXPECT_EQ(count, 15u);
}

double value_of(const std::vector<MeasuredItems>& measured, std::string_view name) {
    for (const MeasuredItems& metric : measured) {
        if (metric.metric.name == name) return score_items(metric.metric, metric.sums)->value;
    }
    ADD_FAILURE() << name << " is missing";
    return -1;
}

TEST(ItemScores, TheLikelierChoiceIsTakenByItsLength) {
    const auto items = items_of(
        R"({"task":"choice","prompt":"x","choices":[" ab"," abcdefgh"],"answer":1})"
        "\n"
        R"({"task":"classification","prompt":"x","choices":["no","maybe so"],"answer":0})");
    const ItemAnswer answer{{-4, -8}, {}};
    EXPECT_EQ(chosen(items[0], answer, {}), 1u);  // -2 against -1 a character
    EXPECT_EQ(chosen(items[1], answer, {}), 0u);  // classes as they are
    EXPECT_EQ(chosen(items[0], answer, {.choice_length = ChoiceLength::none}), 0u);
    EXPECT_EQ(chosen(items[0], ItemAnswer{{-1, -1}, {}}, {.choice_length = ChoiceLength::none}),
              0u);
    for (const ItemAnswer& partly :
         {ItemAnswer{{std::nan(""), -8}, {}}, ItemAnswer{{-8, std::nan("")}, {}}}) {
        const size_t number = std::isnan(partly.log_likelihoods[0]) ? 1 : 0;
        EXPECT_EQ(chosen(items[0], partly, {}), number);
    }
    const auto measured = *measure_items(items, std::vector{answer, answer}, {});
    EXPECT_EQ(value_of(measured, "accuracy"), 1);
    EXPECT_EQ(value_of(measured, "f1"), 0);  // the positive class, the second, never occurred
}

TEST(ItemScores, GivenAnswersNeedNoModel) {
    const auto items =
        items_of(R"({"task":"classification","choices":["a","b"],"answer":1,"prediction":"b"})"
                 "\n"
                 R"({"task":"generation","references":["the cat is on the mat"],)"
                 R"("output":"the cat sat on the mat"})"
                 "\n"
                 R"({"task":"consistency","outputs":["Yes.","yes","no"]})"
                 "\n"
                 R"({"task":"consistency","turns":["a","b","a"],"outputs":["one","two","One!"]})");
    std::vector<ItemAnswer> answers;
    for (const Item& item : items) {
        EXPECT_TRUE(item.answered());
        answers.push_back(blank_answer(item));
    }
    const auto measured = *measure_items(items, answers, {});
    EXPECT_EQ(value_of(measured, "accuracy"), 1);
    EXPECT_NEAR(value_of(measured, "rouge1"), 5.0 / 6, 1e-12);
    EXPECT_EQ(value_of(measured, "exact_match"), 0);
    EXPECT_NEAR(value_of(measured, "consistency"), 1.0 / 3, 1e-12);
    EXPECT_EQ(value_of(measured, "turn_consistency"), 1);
}

TEST(ItemScores, CanBeStopped) {
    const auto items = items_of(R"({"task":"consistency","outputs":["yes","no"]})");
    const std::vector<ItemAnswer> answers{blank_answer(items[0])};
    const auto stop = [](double) { return false; };
    EXPECT_EQ(measure_items(items, answers, {}, stop).error().code, ErrorCode::cancelled);
    EXPECT_EQ(measure_distances(items, answers, answers, stop).error().code, ErrorCode::cancelled);
}

TEST(ItemScores, DistancesAreToTheBasesOutputs) {
    const auto items = items_of(R"({"task":"consistency","turns":["a","b"]})");
    const std::vector<ItemAnswer> base{{{}, {"same", "abcd"}}}, model{{{}, {"Same.", "abxx"}}};
    const auto measured = *measure_distances(items, base, model);
    EXPECT_EQ(value_of(measured, "same_output"), 0.5);
    EXPECT_NEAR(value_of(measured, "output_similarity"), (0.6 + 0.5) / 2, 1e-12);
    EXPECT_NEAR(value_of(measured, "turn_drift"), 0.1, 1e-12);
    EXPECT_EQ(value_of(*measure_distances(items, base, base), "same_output"), 1);
}

}  // namespace
}  // namespace hone::quality
