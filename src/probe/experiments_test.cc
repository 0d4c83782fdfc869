#include "probe/experiments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "cost/experiments.h"
#include "probe/probe_fixture.h"

namespace hone::probe {
namespace {

using measure::ExperimentResult;

class ExperimentsTest : public TinyModelTest {
  protected:
    static std::vector<ExperimentResult> run(const std::vector<ExperimentOrder>& orders,
                                             double budget_s = 0.2) {
        ExperimentOptions options;
        options.budget_s = budget_s;
        options.depth = 16;
        auto results = run_experiments(*session_, orders, options, clock_);
        EXPECT_TRUE(results);
        return results ? std::move(*results) : std::vector<ExperimentResult>();
    }
    static ExperimentResult run_one(ExperimentOrder order) {
        auto results = run({std::move(order)});
        EXPECT_EQ(results.size(), 1u);
        return results.empty() ? ExperimentResult() : results.front();
    }
};

TEST_F(ExperimentsTest, HotCopyTimesBothSlices) {
    const auto results = run({{"hot_copy", "linear", "", {}}});
    ASSERT_EQ(results.size(), 2u);
    for (const ExperimentResult& result : results) {
        ASSERT_TRUE(result.valid) << result.note;
        const auto hot = cost::as_hot_copy(result);
        ASSERT_TRUE(hot.has_value());
        EXPECT_EQ(hot->kind, "linear");
        EXPECT_EQ(hot->cold_ns.size(), hot->hot_ns.size());
        EXPECT_GE(hot->cold_ns.size(), 3u);
        EXPECT_LE(hot->hot_bytes, 128u << 10);
        EXPECT_EQ(result.parameters.at("node_kind"), "linear");
        EXPECT_GT(result.parameters.at("nodes").get<int>(), 0);
        EXPECT_GE(result.values.at("hot_share").get<double>(), 0.0);
        EXPECT_LE(result.values.at("hot_share").get<double>(), 1.0);
        EXPECT_GT(result.values.at("full_ns").get<double>(), 0.0);
    }
    EXPECT_EQ(cost::as_hot_copy(results[0])->slice, "decode");
    EXPECT_EQ(cost::as_hot_copy(results[1])->slice, "prefill");
}

TEST_F(ExperimentsTest, HotCopyOfAKindThatIsNotThere) {
    const ExperimentResult result = run_one({"hot_copy", "concat", "decode", {}});
    EXPECT_FALSE(result.valid);
    EXPECT_NE(result.note, "");
    EXPECT_FALSE(cost::as_hot_copy(result).has_value());
}

TEST_F(ExperimentsTest, ThreadSweepHasTheRunAsItsBaseline) {
    const ExperimentResult result = run_one({"thread_sweep", "", "", {"1", "2", "3"}});
    ASSERT_TRUE(result.valid) << result.note;
    const auto sweep = cost::as_sweep(result);
    ASSERT_TRUE(sweep.has_value());
    EXPECT_EQ(sweep->baseline, "2");
    ASSERT_EQ(sweep->points.size(), 3u);
    for (const cost::SweepPoint& point : sweep->points) {
        EXPECT_EQ(point.decode_ns.size(), sweep->points[0].decode_ns.size());
        EXPECT_EQ(point.prefill_ns.size(), point.decode_ns.size());
    }
    EXPECT_EQ(result.values.at("points")[2].at("threads"), 3);
    EXPECT_GT(result.values.at("points")[0].at("decode_tokens_per_s").get<double>(), 0.0);
    EXPECT_GT(result.values.at("points")[0].at("prefill_tokens_per_s").get<double>(), 0.0);
}

TEST_F(ExperimentsTest, BatchSweepFitsALine) {
    const ExperimentResult result = run_one({"batch_sweep", "", "", {"2", "8"}});
    ASSERT_TRUE(result.valid) << result.note;
    const auto sweep = cost::as_sweep(result);
    ASSERT_TRUE(sweep.has_value());
    EXPECT_EQ(sweep->baseline, "1");
    ASSERT_EQ(sweep->points.size(), 3u) << "the run's own batch is among them";
    EXPECT_EQ(result.values.at("points")[2].at("batch"), 8) << "more than the session has room for";
    EXPECT_TRUE(result.values.contains("intercept_ns"));
    EXPECT_TRUE(result.values.contains("slope_ns"));
}

TEST_F(ExperimentsTest, NullGraphWalksThePlan) {
    const ExperimentResult result = run_one({"null_graph", "", "", {}});
    ASSERT_TRUE(result.valid) << result.note;
    const auto walk = cost::as_null_graph(result);
    ASSERT_TRUE(walk.has_value());
    EXPECT_EQ(walk->nodes, static_cast<int>(session_->plan().nodes.size()));
    EXPECT_EQ(walk->threads, 2);
    EXPECT_EQ(result.values.at("barriers"), session_->plan().barriers(1));
}

TEST_F(ExperimentsTest, PassAblationComparesOnAndOff) {
    const auto& passes = session_->plan().passes;
    const auto pass =
        std::find_if(passes.begin(), passes.end(), [](const auto& p) { return p.enabled; });
    ASSERT_NE(pass, passes.end());
    const ExperimentResult result = run_one({"pass_ablation", pass->name, "", {}});
    ASSERT_TRUE(result.valid) << result.note;
    const auto sweep = cost::as_sweep(result);
    ASSERT_TRUE(sweep.has_value());
    EXPECT_EQ(sweep->baseline, "on");
    EXPECT_EQ(sweep->points[1].setting, "off");
    EXPECT_GT(result.values.at("decode_ratio").get<double>(), 0.0);
    EXPECT_GT(result.values.at("prefill_ratio").get<double>(), 0.0);
    EXPECT_GE(result.values.at("n").get<int>(), 3);

    EXPECT_FALSE(run_one({"pass_ablation", "no_such_pass", "", {}}).valid);
}

TEST_F(ExperimentsTest, IsaSweepNeedsTwoLevels) {
    if (session_->plan().options.isa == machine::Isa::portable) {
        GTEST_SKIP() << "this CPU has only the lowest level";
    }
    const ExperimentResult result = run_one({"isa_sweep", "", "", {"portable"}});
    ASSERT_TRUE(result.valid) << result.note;
    const auto sweep = cost::as_sweep(result);
    ASSERT_TRUE(sweep.has_value());
    EXPECT_EQ(sweep->points[0].setting, "portable");
    EXPECT_EQ(sweep->baseline, machine::isa_name(session_->plan().options.isa));
}

TEST_F(ExperimentsTest, ColdWarmReadsOrSaysWhyNot) {
    const ExperimentResult result = run_one({"cold_warm", "load", "", {}});
    if (result.valid) {
        const auto times = cost::as_cold_warm(result);
        ASSERT_TRUE(times.has_value());
        EXPECT_EQ(times->subject, "load");
        EXPECT_GT(result.values.at("bytes").get<uint64_t>(), 0u);
    } else {
        EXPECT_NE(result.note, "");
    }
    EXPECT_FALSE(run_one({"cold_warm", "elsewhere", "", {}}).valid);
}

TEST_F(ExperimentsTest, ControlRunsTheSameTwice) {
    const ExperimentResult result = run_one({"control", "", "", {}});
    ASSERT_TRUE(result.valid);
    EXPECT_EQ(result.values.at("first_ns").size(), result.values.at("second_ns").size());
    EXPECT_GT(result.values.at("ratio").get<double>(), 0.0);
}

TEST_F(ExperimentsTest, WrongOrdersAreResultsWithANote) {
    const auto results = run({{"no_such", "", "", {}},
                              {"thread_sweep", "", "", {"many"}},
                              {"thread_sweep", "", "", {"0"}},
                              {"batch_sweep", "", "", {"-1"}},
                              {"isa_sweep", "", "", {"mmx"}},
                              {"null_graph", "", "", {}}},
                             1.0);
    ASSERT_EQ(results.size(), 6u);
    for (size_t i = 0; i < 5; ++i) {
        EXPECT_FALSE(results[i].valid) << results[i].name;
        EXPECT_NE(results[i].note, "");
    }
    EXPECT_TRUE(results[5].valid);
}

TEST_F(ExperimentsTest, WithoutTimeNothingRuns) {
    const auto results = run({{"thread_sweep", "", "", {}}, {"null_graph", "", "", {}}}, 0);
    ASSERT_EQ(results.size(), 2u);
    EXPECT_FALSE(results[0].valid);
    EXPECT_FALSE(results[1].valid);
}

TEST_F(ExperimentsTest, CancelIsTheOnlyError) {
    const std::atomic<bool> cancel{true};
    Conduct conduct;
    conduct.cancel = &cancel;
    const auto results =
        run_experiments(*session_, {{"null_graph", "", "", {}}}, {}, clock_, conduct);
    ASSERT_FALSE(results);
    EXPECT_EQ(results.error().code, base::ErrorCode::cancelled);
}

TEST_F(ExperimentsTest, EveryNameHasAnExperiment) {
    EXPECT_THAT(experiment_names(),
                ::testing::IsSupersetOf({"hot_copy", "thread_sweep", "batch_sweep", "null_graph",
                                         "cold_warm", "isa_sweep", "pass_ablation", "control"}));
}

}  // namespace
}  // namespace hone::probe
