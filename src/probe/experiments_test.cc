#include "probe/experiments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "base/json.h"
#include "cost/experiments.h"
#include "cost/observations.h"
#include "probe/probe_fixture.h"

namespace hone::probe {
namespace {

using measure::ExperimentResult;

class ExperimentsTest : public TinyModelTest {
  protected:
    static std::vector<ExperimentResult> run(const std::vector<ExperimentOrder>& orders,
                                             double budget_s = 20) {
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
        EXPECT_GT(result.parameters->at("nodes").get<int>(), 0);
        EXPECT_GE(result.values->at("hot_share").get<double>(), 0.0);
        EXPECT_LE(result.values->at("hot_share").get<double>(), 1.0);
        EXPECT_GT(result.values->at("full_ns").get<double>(), 0.0);
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
    EXPECT_EQ(result.values->at("points")[2].at("threads"), 3);
    EXPECT_GT(result.values->at("points")[0].at("decode_tokens_per_s").get<double>(), 0.0);
    EXPECT_GT(result.values->at("points")[0].at("prefill_tokens_per_s").get<double>(), 0.0);
}

TEST_F(ExperimentsTest, BatchSweepFitsALine) {
    const ExperimentResult result = run_one({"batch_sweep", "", "", {"2", "8"}});
    ASSERT_TRUE(result.valid) << result.note;
    const auto sweep = cost::as_sweep(result);
    ASSERT_TRUE(sweep.has_value());
    EXPECT_EQ(sweep->baseline, "1");
    ASSERT_EQ(sweep->points.size(), 3u) << "the run's own batch is among them";
    EXPECT_EQ(result.values->at("points")[2].at("batch"), 8)
        << "more than the session has room for";
    EXPECT_TRUE(result.values->contains("intercept_ns"));
    EXPECT_TRUE(result.values->contains("slope_ns"));
    for (const cost::SweepPoint& point : sweep->points) {
        EXPECT_EQ(point.prefill_ns.size(), point.decode_ns.size());
        EXPECT_FALSE(point.prefill_ns.empty());
    }
    EXPECT_EQ(result.parameters->at("prompt_tokens"), 16);
}

TEST_F(ExperimentsTest, LengthSweepFitsALine) {
    const ExperimentResult result = run_one({"length_sweep", "", "", {"4", "40"}});
    ASSERT_TRUE(result.valid) << result.note;
    const auto sweep = cost::as_sweep(result);
    ASSERT_TRUE(sweep.has_value());
    EXPECT_EQ(sweep->baseline, "16");
    ASSERT_EQ(sweep->points.size(), 3u) << "the run's own length is among them";
    EXPECT_EQ(sweep->points[2].setting, "40");
    for (const cost::SweepPoint& point : sweep->points) {
        EXPECT_GE(point.prefill_ns.size(), 3u);
        EXPECT_TRUE(point.decode_ns.empty());
    }
    EXPECT_TRUE(result.values->contains("intercept_ns"));
    EXPECT_TRUE(result.values->contains("slope_ns"));
}

TEST_F(ExperimentsTest, SubstitutionReadsTheWeights) {
    const auto results = run({{"compute_substitution", "linear", "", {}}});
    ASSERT_EQ(results.size(), 2u);
    uint64_t weights = 0;
    uint64_t nodes = 0;
    for (const graph::PlanNode& node : session_->plan().nodes) {
        if (node.desc.kind != cost::OpKind::linear || node.desc.weight_bytes == 0) continue;
        weights += node.desc.weight_bytes;
        ++nodes;
    }
    for (const ExperimentResult& result : results) {
        ASSERT_TRUE(result.valid) << result.note;
        const auto read = cost::as_compute_substitution(result);
        ASSERT_TRUE(read.has_value());
        EXPECT_EQ(read->kind, "linear");
        EXPECT_EQ(read->full_ns.size(), read->read_ns.size());
        EXPECT_GE(read->full_ns.size(), 3u);
        // Whole chunks of 512 bytes are read.
        EXPECT_LE(read->bytes, weights / nodes);
        EXPECT_GT(read->bytes, weights / nodes - 512);
    }
}

TEST_F(ExperimentsTest, DelaysAreInTheSteps) {
    const auto results = run({{"delay_injection", "linear", "decode", {}}});
    ASSERT_EQ(results.size(), 2u);
    uint64_t linears = 0;
    for (const graph::PlanNode& node : session_->plan().nodes) {
        linears += node.desc.kind == cost::OpKind::linear;
    }
    for (const ExperimentResult& result : results) {
        ASSERT_TRUE(result.valid) << result.note;
        const auto delay = cost::as_delay_injection(result);
        ASSERT_TRUE(delay.has_value());
        EXPECT_EQ(delay->calls, linears);
        EXPECT_GE(delay->delay_ns, 500);
        // The calling thread waits in both, so no step is shorter than what it waited at least.
        for (const double step_ns : delay->delayed_ns) {
            EXPECT_GE(step_ns, 500.0 * static_cast<double>(linears));
        }
    }
    EXPECT_EQ(cost::as_delay_injection(results[0])->threads, "all");
    EXPECT_EQ(cost::as_delay_injection(results[1])->threads, "one");
}

TEST_F(ExperimentsTest, FlushingDenormalsLeavesTheTeamAsItWas) {
    machine::ThreadTeam& team = session_->executor().team();
    const ExperimentResult result = run_one({"ftz", "", "", {}});
    ASSERT_TRUE(result.valid) << result.note;
    EXPECT_FALSE(team.flush_denormals());
    const auto flush = cost::as_flush_denormals(result);
    ASSERT_TRUE(flush.has_value());
    EXPECT_EQ(flush->baseline, "off");
    EXPECT_GE(flush->rows, 5u) << "one of the prompt, four or more of the steps after it";
    EXPECT_EQ(flush->off.decode_ns.size(), flush->on.decode_ns.size());
    EXPECT_EQ(flush->off.prefill_ns.size(), flush->on.prefill_ns.size());
    EXPECT_EQ(flush->rows_differing, 0u) << "this model has no denormals";
    team.set_flush_denormals(true);
    EXPECT_EQ(cost::as_flush_denormals(run_one({"ftz", "", "", {}}))->baseline, "on");
    EXPECT_TRUE(team.flush_denormals());
    team.set_flush_denormals(false);
}

TEST_F(ExperimentsTest, ScanGoesThroughTheFile) {
    const ExperimentResult result = run_one({"weight_scan", "", "", {}});
    ASSERT_TRUE(result.valid) << result.note;
    const auto scan = cost::as_weight_scan(result);
    ASSERT_TRUE(scan.has_value());
    EXPECT_TRUE(scan->complete);
    EXPECT_EQ(scan->bytes_scanned, scan->bytes);
    EXPECT_GT(scan->bytes, 0u);
    EXPECT_TRUE(scan->findings.empty());
}

TEST_F(ExperimentsTest, InfluenceIsSeenOfEveryLayer) {
    const ExperimentResult result = run_one({"layer_influence", "", "", {}});
    ASSERT_TRUE(result.valid) << result.note;
    const auto influences = cost::as_layer_influences(result);
    ASSERT_TRUE(influences.has_value());
    EXPECT_GE(influences->tokens, 4u);
    ASSERT_EQ(influences->layers.size(), 2u);
    for (int layer = 0; layer < 2; ++layer) {
        const auto& seen = influences->layers[static_cast<size_t>(layer)];
        EXPECT_EQ(seen.layer, layer);
        EXPECT_GT(seen.influence, 1e-3) << "random weights turn everything";
        EXPECT_LT(seen.influence, 1.5);
    }
}

TEST_F(ExperimentsTest, ALayerThatDoesNothingHasNoInfluence) {
    models::SynthSpec spec;
    spec.n_layers = 3;
    spec.n_embd = 64;
    spec.n_ff = 128;
    spec.n_ctx = 256;
    spec.plants.zero_layer = true;
    ASSERT_TRUE(models::write_synth(spec, directory_ + "/idle.gguf"));
    runtime::LoadOptions options;
    options.threads = 1;
    options.limits.context = 128;
    options.without_layers = {1};
    auto session = runtime::Session::open(directory_ + "/idle.gguf", options, clock_);
    ASSERT_TRUE(session) << session.error().message;
    const auto results = run_experiments(**session, {{"layer_influence", "", "", {}}}, {}, clock_);
    ASSERT_TRUE(results);
    const auto influences = cost::as_layer_influences(results->at(0));
    ASSERT_TRUE(influences.has_value()) << results->at(0).note;
    ASSERT_EQ(influences->layers.size(), 2u) << "layer 1 is left out";
    EXPECT_GT(influences->layers[0].influence, 1e-3);
    EXPECT_EQ(influences->layers[1].layer, 2);
    EXPECT_LT(influences->layers[1].influence, 1e-12);
}

TEST_F(ExperimentsTest, NullGraphWalksThePlan) {
    const ExperimentResult result = run_one({"null_graph", "", "", {}});
    ASSERT_TRUE(result.valid) << result.note;
    const auto walk = cost::as_null_graph(result);
    ASSERT_TRUE(walk.has_value());
    EXPECT_EQ(walk->nodes, static_cast<int>(session_->plan().nodes.size()));
    EXPECT_EQ(walk->threads, 2);
    EXPECT_EQ(result.values->at("barriers"), session_->plan().barriers(1));
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
    EXPECT_GT(result.values->at("decode_ratio").get<double>(), 0.0);
    EXPECT_GT(result.values->at("prefill_ratio").get<double>(), 0.0);
    EXPECT_GE(result.values->at("n").get<int>(), 3);

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

TEST_F(ExperimentsTest, VariantSweepTriesKernelsOfOneFamily) {
    const ExperimentResult result = run_one({"variant_sweep", "linear", "", {"portable"}});
    ASSERT_TRUE(result.valid) << result.note;
    const auto sweep = cost::as_sweep(result);
    ASSERT_TRUE(sweep.has_value());
    EXPECT_EQ(sweep->baseline, "chosen");
    ASSERT_EQ(sweep->points.size(), 2u);
    EXPECT_EQ(sweep->points[1].setting, "portable");
    EXPECT_FALSE(run_one({"variant_sweep", "linear", "", {"no_such_kernel"}}).valid);
    EXPECT_FALSE(run_one({"variant_sweep", "linear", "", {}}).valid);
}

TEST_F(ExperimentsTest, ColdWarmReadsOrSaysWhyNot) {
    const ExperimentResult result = run_one({"cold_warm", "load", "", {}});
    if (result.valid) {
        const auto times = cost::as_cold_warm(result);
        ASSERT_TRUE(times.has_value());
        EXPECT_EQ(times->subject, "load");
        EXPECT_GT(result.values->at("bytes").get<uint64_t>(), 0u);
    } else {
        EXPECT_NE(result.note, "");
    }
    EXPECT_FALSE(run_one({"cold_warm", "elsewhere", "", {}}).valid);
}

TEST_F(ExperimentsTest, FirstRunIsThatOfASecondSession) {
    const ExperimentResult result = run_one({"cold_warm", "first_run", "", {}});
    if (!result.valid) {
        EXPECT_NE(result.note, "");
        return;
    }
    const auto times = cost::as_cold_warm(result);
    ASSERT_TRUE(times.has_value());
    EXPECT_EQ(times->subject, "first_run");
    EXPECT_GT(times->dropped_share.value_or(1), 0.0);
}

TEST_F(ExperimentsTest, ControlRunsTheSameTwice) {
    const ExperimentResult result = run_one({"control", "", "", {}});
    ASSERT_TRUE(result.valid);
    EXPECT_EQ(result.values->at("first_ns").size(), result.values->at("second_ns").size());
    EXPECT_GT(result.values->at("ratio").get<double>(), 0.0);
    const auto control = cost::as_control(result);
    ASSERT_TRUE(control.has_value());
    EXPECT_TRUE(control->frequency_drift().has_value());
}

TEST_F(ExperimentsTest, WrongOrdersAreResultsWithANote) {
    const auto results = run({{"no_such", "", "", {}},
                              {"thread_sweep", "", "", {"many"}},
                              {"thread_sweep", "", "", {"0"}},
                              {"batch_sweep", "", "", {"-1"}},
                              {"isa_sweep", "", "", {"mmx"}},
                              {"length_sweep", "", "", {"100000"}},
                              {"delay_injection", "no_such_kind", "", {}},
                              {"delay_injection", "linear", "mixed", {}},
                              {"compute_substitution", "rms_norm", "", {}},
                              {"null_graph", "", "", {}}});
    ASSERT_EQ(results.size(), 10u);
    for (size_t i = 0; i < 9; ++i) {
        EXPECT_FALSE(results[i].valid) << results[i].name;
        EXPECT_NE(results[i].note, "");
    }
    EXPECT_TRUE(results[9].valid) << results[9].note;
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
                ::testing::UnorderedElementsAre(
                    "control", "weight_scan", "hot_copy", "compute_substitution", "delay_injection",
                    "thread_sweep", "batch_sweep", "length_sweep", "variant_sweep", "ftz",
                    "null_graph", "cold_warm", "isa_sweep", "pass_ablation", "layer_influence"));
}

}  // namespace
}  // namespace hone::probe
