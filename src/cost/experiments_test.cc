#include "cost/experiments.h"

#include <gtest/gtest.h>

#include "base/json.h"
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

TEST(Experiments, SubstitutionAndDelaySurviveTheRecord) {
    measure::RunRecord record;
    record.experiments.push_back(
        to_experiment(ComputeSubstitution{"linear", "decode", 4096, {5, 6}, {3, 4}}));
    record.experiments.push_back(to_experiment(
        DelayInjection{"attend", "decode", "one", 30, 100, {5000, 6000}, {8000, 9100}}));
    const auto read = find_compute_substitution(record, "linear", "decode");
    ASSERT_TRUE(read);
    EXPECT_EQ(read->bytes, 4096u);
    EXPECT_EQ(read->full_ns, (std::vector<double>{5, 6}));
    EXPECT_EQ(read->read_ns, (std::vector<double>{3, 4}));
    EXPECT_FALSE(find_compute_substitution(record, "linear", "prefill"));
    const auto delay = find_delay_injection(record, "attend", "decode", "one");
    ASSERT_TRUE(delay);
    EXPECT_EQ(delay->calls, 30u);
    EXPECT_NEAR(*delay->criticality(), (1.0 + 31.0 / 30.0) / 2, 1e-12);
    EXPECT_FALSE(find_delay_injection(record, "attend", "decode", "all"));
    EXPECT_FALSE(as_delay_injection(
        to_experiment(DelayInjection{"attend", "decode", "one", 0, 100, {5000}, {8000}})))
        << "nothing was added";
}

TEST(Experiments, FlushDenormalsIsASweepToo) {
    measure::RunRecord record;
    FlushDenormals flush;
    flush.baseline = "off";
    flush.off = {"off", {4, 4}, {10, 12}};
    flush.on = {"on", {2, 2}, {5, 6}};
    flush.rows = 7;
    flush.rows_differing = 3;
    flush.top_differing = 1;
    flush.logit_difference_max = 0.25;
    record.experiments.push_back(to_experiment(flush));
    const auto back = find_flush_denormals(record);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->on.decode_ns, (std::vector<double>{5, 6}));
    EXPECT_EQ(back->rows, 7u);
    EXPECT_EQ(back->rows_differing, 3u);
    EXPECT_EQ(back->top_differing, 1u);
    EXPECT_DOUBLE_EQ(back->logit_difference_max, 0.25);
    ASSERT_TRUE(find_sweep(record, "ftz"));
    EXPECT_EQ(find_sweep(record, "ftz")->baseline, "off");
    record.experiments[0].values["points"].erase(1);
    EXPECT_FALSE(find_flush_denormals(record));
}

TEST(Experiments, ControlAndColdKeepWhatTheyVerified) {
    measure::RunRecord record;
    record.experiments.push_back(to_experiment(Control{{10, 11}, {11, 10}, 100, 110}));
    record.experiments.push_back(to_experiment(ColdWarm{"load", {50}, {10}, 4096, 0.9}));
    const auto control = find_control(record);
    ASSERT_TRUE(control);
    EXPECT_NEAR(*control->frequency_drift(), 0.1, 1e-12);
    EXPECT_FALSE(Control{}.frequency_drift());
    EXPECT_EQ(find_cold_warm(record, "load")->dropped_share, 0.9);
    record.experiments[1].values->erase("dropped_share");
    EXPECT_FALSE(find_cold_warm(record, "load")->dropped_share);
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
    cold.parameters = base::Json(3);
    EXPECT_FALSE(as_cold_warm(cold));
    auto read = to_experiment(ComputeSubstitution{"linear", "decode", 1, {5}, {3}});
    read.values["read_ns"] = base::Json::array();
    EXPECT_FALSE(as_compute_substitution(read));
    auto delay = to_experiment(DelayInjection{"linear", "decode", "all", 1, 5, {5}, {9}});
    delay.parameters["delay_ns"] = "5";
    EXPECT_FALSE(as_delay_injection(delay));
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
    control.values =
        base::Json{{"first_ns", {100.0, 100.0, 100.0}}, {"second_ns", {104.0, 99.0, 101.0}}};
    record.experiments.push_back(control);
    ASSERT_TRUE(control_noise(record));
    EXPECT_NEAR(*control_noise(record), 0.04, 1e-12);
    record.experiments[0].values = base::Json{{"first_ns", "x"}};
    EXPECT_FALSE(control_noise(record));
}

}  // namespace
}  // namespace hone::cost
