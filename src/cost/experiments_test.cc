#include "cost/experiments.h"

#include <gtest/gtest.h>

#include "cost/fake_record.h"

namespace hone::cost {
namespace {

Sweep thread_sweep() {
    return {"thread_sweep", "", "2", {{"1", {4, 4}, {10, 12}}, {"2", {2, 2}, {8, 8}}}};
}

TEST(Experiments, SweepSurvivesTheRecord) {
    measure::RunRecord record;
    record.experiments.push_back(to_experiment(thread_sweep()));
    const auto back = find_sweep(record, "thread_sweep");
    ASSERT_TRUE(back);
    EXPECT_EQ(back->baseline, "2");
    ASSERT_NE(back->point("1"), nullptr);
    EXPECT_EQ(back->point("1")->decode_ns, (std::vector<double>{10, 12}));
    EXPECT_EQ(back->point("3"), nullptr);
    EXPECT_FALSE(find_sweep(record, "batch_sweep"));
    EXPECT_FALSE(find_sweep(record, "thread_sweep", "linear"));
}

TEST(Experiments, OthersSurviveTheRecord) {
    measure::RunRecord record;
    record.experiments.push_back(to_experiment(HotCopy{"linear", "decode", 100, 10, {5}, {3}}));
    record.experiments.push_back(to_experiment(NullGraph{30, 2, {900}}));
    record.experiments.push_back(to_experiment(ColdWarm{"load", {50}, {10}, 4096}));
    const auto hot = find_hot_copy(record, "linear", "decode");
    ASSERT_TRUE(hot);
    EXPECT_EQ(hot->cold_bytes, 100u);
    EXPECT_EQ(hot->hot_ns, (std::vector<double>{3}));
    EXPECT_FALSE(find_hot_copy(record, "linear", "prefill"));
    const auto null_graph = find_null_graph(record);
    ASSERT_TRUE(null_graph);
    EXPECT_EQ(null_graph->nodes, 30);
    const auto cold = find_cold_warm(record, "load");
    ASSERT_TRUE(cold);
    EXPECT_EQ(cold->bytes_read, 4096u);
    EXPECT_FALSE(find_cold_warm(record, "first_run"));
}

TEST(Experiments, WrongShapesAreNoExperiment) {
    auto good = to_experiment(thread_sweep());
    auto invalid = good;
    invalid.valid = false;
    EXPECT_FALSE(as_sweep(invalid));
    for (const char* values :
         {"null", "[]", "{}", R"({"points":{}})", R"({"points":[1]})", R"({"points":[{}]})",
          R"({"points":[{"setting":1}]})", R"({"points":[{"setting":"1","decode_ns":["a"]}]})",
          R"({"points":[{"setting":"1","decode_ns":[0]}]})",
          R"({"points":[{"setting":"1","decode_ns":[-1]}]})",
          R"({"points":[{"setting":"1","decode_ns":5}]})"}) {
        auto broken = good;
        broken.values = *base::parse_json(values);
        EXPECT_FALSE(as_sweep(broken)) << values;
    }
    auto hot = to_experiment(HotCopy{"linear", "decode", 1, 1, {5}, {3}});
    hot.values = *base::parse_json(R"({"cold_ns":[1]})");
    EXPECT_FALSE(as_hot_copy(hot));
    auto null_graph = to_experiment(NullGraph{0, 2, {900}});
    EXPECT_FALSE(as_null_graph(null_graph));
    auto cold = to_experiment(ColdWarm{"load", {}, {1}, 0});
    EXPECT_FALSE(as_cold_warm(cold));
    cold.parameters = 3;
    EXPECT_FALSE(as_cold_warm(cold));
}

TEST(Ratio, IsTheMedianOfPairs) {
    // Both drift by a factor of two between rounds; their ratio does not.
    const auto ratio = ratio_of({2, 4, 2, 4, 2, 4}, {1, 2, 1, 2, 1, 2});
    ASSERT_TRUE(ratio);
    EXPECT_DOUBLE_EQ(ratio->value, 2);
    EXPECT_TRUE(ratio->has_interval);
    EXPECT_DOUBLE_EQ(ratio->low, 2);
    const auto few = ratio_of({2, 4}, {1, 2, 3});
    ASSERT_TRUE(few);
    EXPECT_EQ(few->n, 2u);
    EXPECT_FALSE(few->has_interval);
    const auto spread = ratio_of({2, 3, 4}, {1, 1, 1});
    EXPECT_DOUBLE_EQ(spread->low, 2);
    EXPECT_DOUBLE_EQ(spread->high, 4);
    EXPECT_FALSE(ratio_of({}, {1}));
    EXPECT_FALSE(ratio_of({1}, {0}));
}

TEST(Control, SaysHowMuchNothingChanges) {
    measure::RunRecord record;
    EXPECT_FALSE(control_noise(record));
    measure::ExperimentResult control;
    control.name = "control";
    control.values = {{"first_ns", {100.0, 100.0, 100.0}}, {"second_ns", {104.0, 99.0, 101.0}}};
    record.experiments.push_back(control);
    ASSERT_TRUE(control_noise(record));
    EXPECT_NEAR(*control_noise(record), 0.04, 1e-12);
    record.experiments[0].values = {{"first_ns", "x"}};
    EXPECT_FALSE(control_noise(record));
}

}  // namespace
}  // namespace hone::cost
