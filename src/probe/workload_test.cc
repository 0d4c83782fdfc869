#include "probe/workload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>

#include "base/json.h"
#include "cost/observations.h"
#include "measure/metrics.h"
#include "probe/probe_fixture.h"

namespace hone::probe {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class WorkloadTest : public TinyModelTest {
  protected:
    static BenchOptions tiny_bench() {
        BenchOptions options;
        options.prompt_tokens = 40;
        options.output_tokens = 6;
        options.repeats = 2;
        options.warm_ups = 1;
        options.batch_steps_max = 3;
        return options;
    }
    static ScenarioOptions tiny_scenario() {
        ScenarioOptions options;
        options.name = "realtime";
        options.primary_metric = "latency_ms";
        options.prompt_tokens = 24;
        options.output_tokens = 5;
        options.requests = 3;
        options.budget_s = 5;
        options.overhead_pairs = 4;
        return options;
    }
    static size_t samples_of(const measure::RunRecord& record, const char* name) {
        const measure::MetricSamples* metric = record.metric(name);
        return metric == nullptr ? 0 : metric->samples.size();
    }
    static double stage_sum_ns(const measure::RequestSample& sample) {
        double sum = 0;
        for (const auto& [stage, ns] : sample.stage_ns) sum += ns;
        return sum;
    }
};

TEST_F(WorkloadTest, BenchWritesEveryMetricOnceForEachRepeat) {
    const auto record = run_bench(*session_, tiny_bench(), setting());
    ASSERT_TRUE(record) << record.error().message;
    for (const char* name : {"prefill_tokens_per_s", "decode_tokens_per_s", "batch1_tokens_per_s",
                             "batch2_tokens_per_s", "batch4_tokens_per_s", "ttft_ms", "itl_ms",
                             "latency_ms", "prefill_compute_share", "decode_bandwidth_share"}) {
        EXPECT_EQ(samples_of(*record, name), 2u) << name;
    }
    for (const char* name :
         {"ttft_ms_cold", "itl_ms_cold", "latency_ms_cold", "load_ms", "cold_start_ms",
          "weights_bytes", "workspace_bytes", "kv_bytes", "kv_bytes_per_token", "peak_rss_bytes"}) {
        EXPECT_EQ(samples_of(*record, name), 1u) << name;
    }
    EXPECT_EQ(record->metric("batch8_tokens_per_s"), nullptr) << "the session has 4 sequences";
    for (const measure::MetricSamples& metric : record->metrics) {
        const auto* definition = measure::find_metric_definition(metric.name);
        ASSERT_NE(definition, nullptr) << metric.name;
        EXPECT_EQ(metric.unit, definition->unit) << metric.name;
        for (const double sample : metric.samples) EXPECT_GT(sample, 0) << metric.name;
    }
    EXPECT_EQ(record->context.repeats, 2);
    EXPECT_EQ(record->context.threads, 2);
    EXPECT_EQ(record->requests.size(), 3u);
    EXPECT_EQ(record->requests.front().phase, "cold");
    EXPECT_EQ(record->requests.back().phase, "warm");
}

TEST_F(WorkloadTest, RequestsHaveTheExactLengthsAndStagesThatFitTheirTotal) {
    const auto record = run_bench(*session_, tiny_bench(), setting());
    ASSERT_TRUE(record);
    for (const measure::RequestSample& sample : record->requests) {
        EXPECT_EQ(sample.prompt_tokens, 40);
        EXPECT_EQ(sample.output_tokens, 6);
        EXPECT_EQ(sample.token_gap_ns.size(), 5u);
        EXPECT_GT(sample.ttft_ns, 0);
        EXPECT_LE(sample.ttft_ns, sample.total_ns);
        EXPECT_LE(stage_sum_ns(sample), sample.total_ns * 1.0001);
        EXPECT_GT(stage_sum_ns(sample), 0);
        for (const char* stage : {"tokenize", "prefill", "decode", "sample", "detokenize"}) {
            EXPECT_TRUE(sample.stage_ns.contains(stage)) << stage;
        }
    }
}

TEST_F(WorkloadTest, TheRecordIsWholeAndReadable) {
    const auto record = run_scenario(*session_, tiny_scenario(), setting());
    ASSERT_TRUE(record) << record.error().message;
    EXPECT_EQ(record->model.file, "tiny.gguf");
    EXPECT_GT(record->model.parameters, 0u);
    EXPECT_EQ(record->nodes.size(), session_->plan().nodes.size());
    EXPECT_FALSE(record->passes.empty());
    EXPECT_FALSE(record->isa.empty());
    EXPECT_EQ(record->build, "test");
    EXPECT_GT(record->memory.weights_bytes, 0u);
    EXPECT_GT(record->memory.kv_bytes_per_token, 0u);
    EXPECT_GT(record->interference.wall_s, 0);
    EXPECT_TRUE(record->load_stage_ms.contains("pack"));
    const std::string text = base::dump_json(measure::to_json(*record));
    EXPECT_THAT(text, Not(HasSubstr(directory_))) << "no path of this machine";
    const auto json = base::parse_json(text);
    ASSERT_TRUE(json);
    const auto again = measure::record_from_json(*json);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(base::dump_json(measure::to_json(*again)), text);
}

TEST_F(WorkloadTest, ScenarioDecomposesItsWarmSteps) {
    const auto record = run_scenario(*session_, tiny_scenario(), setting());
    ASSERT_TRUE(record);
    EXPECT_EQ(record->context.scenario, "realtime");
    EXPECT_EQ(record->requests.size(), 4u);
    EXPECT_TRUE(record->timing_overhead_share.has_value());
    std::set<std::string> slices;
    uint64_t head_calls = 0;
    double attributed_ns = 0;
    for (const measure::OperatorSample& sample : record->operators) {
        slices.insert(sample.slice);
        attributed_ns += sample.compute_ns + sample.barrier_ns + sample.dispatch_ns;
        if (sample.node + 1 == record->nodes.size()) head_calls += sample.calls;
    }
    EXPECT_EQ(slices, (std::set<std::string>{"prefill", "decode"}));
    // 3 warm requests, each one step of prefill and four of decode.
    EXPECT_EQ(head_calls, 3u * 5u);
    EXPECT_GT(attributed_ns, 0);
    EXPECT_LE(attributed_ns, record->forward_wall_ns * 1.0001);
    double forward_ns = 0;
    for (const measure::RequestSample& sample : record->requests) {
        if (sample.phase != "warm") continue;
        forward_ns += sample.stage_ns.at("prefill") + sample.stage_ns.at("decode");
    }
    EXPECT_LE(record->forward_wall_ns, forward_ns * 1.0001) << "steps lie inside the stages";
}

TEST_F(WorkloadTest, ScenarioIsWatched) {
    const auto record = run_scenario(*session_, tiny_scenario(), setting());
    ASSERT_TRUE(record);
    const auto series = cost::find_interference(*record);
    ASSERT_TRUE(series.has_value());
    ASSERT_GE(series->slices.size(), 1u) << "the last slice is closed with the run";
    EXPECT_GT(series->slices.back().wall_s, 0);
    EXPECT_GT(series->slices.back().spin_ns.value_or(0), 0);
    EXPECT_TRUE(series->frequency_drift.has_value());
    const auto probe = cost::find_bandwidth_probe(*record);
    ASSERT_TRUE(probe.has_value());
    EXPECT_EQ(probe->threads, 2);
    EXPECT_GT(probe->bytes, 0u);
    EXPECT_LE(probe->bytes, record->memory.weights_bytes);
    EXPECT_EQ(probe->gb_per_s.size(), series->slices.size());
    const auto counters = cost::find_counters(*record);
    ASSERT_TRUE(counters.has_value());
    EXPECT_GT(counters->wall_ns, 0);
    EXPECT_GT(counters->task_clock_ns.value_or(0), 0);
    EXPECT_TRUE(counters->page_faults.has_value());
    EXPECT_TRUE(counters->context_switches.has_value());
    uint64_t tokens = 0;
    for (const measure::RequestSample& sample : record->requests) {
        if (sample.phase != "warm") continue;
        tokens += static_cast<uint64_t>(sample.prompt_tokens + sample.output_tokens);
    }
    EXPECT_EQ(counters->tokens, tokens);
}

TEST_F(WorkloadTest, ABatchScenarioRunsItsRequestsSideBySide) {
    ScenarioOptions options = tiny_scenario();
    options.name = "batch";
    options.batch = 4;
    options.requests = 8;
    options.overhead_pairs = 0;
    const auto record = run_scenario(*session_, options, setting());
    ASSERT_TRUE(record) << record.error().message;
    EXPECT_EQ(record->requests.size(), 4u + 8u);
    EXPECT_EQ(record->context.batch, 4);
    EXPECT_EQ(record->context.repeats, 2);
    EXPECT_FALSE(record->timing_overhead_share.has_value());
    for (const measure::RequestSample& sample : record->requests) {
        EXPECT_EQ(sample.output_tokens, 5);
        EXPECT_LE(stage_sum_ns(sample), sample.total_ns * 1.0001);
    }
}

TEST_F(WorkloadTest, DraftedRequestsDoTheSameWorkAndSayHowOftenTheyWereRight) {
    runtime::LoadOptions load = session_->options();
    load.limits.drafts_max = 4;
    const auto drafting = runtime::Session::open(directory_ + "/tiny.gguf", load, clock_);
    ASSERT_TRUE(drafting) << drafting.error().message;
    ScenarioOptions options = tiny_scenario();
    options.output_tokens = 60;
    options.overhead_pairs = 0;
    for (const int batch : {1, 4}) {
        options.batch = batch;
        options.requests = 3 * batch;
        const auto record = run_scenario(**drafting, options, setting());
        ASSERT_TRUE(record) << record.error().message;
        for (const measure::RequestSample& sample : record->requests) {
            EXPECT_EQ(sample.output_tokens, 60);
            EXPECT_EQ(sample.token_gap_ns.size(), 59u);
            EXPECT_LE(stage_sum_ns(sample), sample.total_ns * 1.0001);
        }
        EXPECT_EQ(samples_of(*record, "draft_accepted_share"), 3u);
    }
    const auto plain = run_scenario(*session_, options, setting());
    ASSERT_TRUE(plain);
    EXPECT_EQ(samples_of(*plain, "draft_accepted_share"), 0u);
}

TEST_F(WorkloadTest, AScenarioOutOfTimeStillHasTwoRounds) {
    ScenarioOptions options = tiny_scenario();
    options.requests = 50;
    options.budget_s = 0;
    const auto record = run_scenario(*session_, options, setting());
    ASSERT_TRUE(record);
    EXPECT_EQ(record->context.repeats, 2);
    EXPECT_EQ(record->requests.size(), 3u);
}

TEST_F(WorkloadTest, WithoutCeilingsThereIsNoShareOfThePeak) {
    const machine::MachineProfile nothing;
    RunSetting bare{.clock = clock_, .machine = nothing};
    bare.reading_s = 0;
    BenchOptions options = tiny_bench();
    options.batches = {};
    const auto record = run_bench(*session_, options, bare);
    ASSERT_TRUE(record);
    EXPECT_EQ(record->metric("prefill_compute_share"), nullptr);
    EXPECT_NE(record->metric("decode_bandwidth_share"), nullptr) << "the run itself reads";
    EXPECT_EQ(record->metric("cold_start_ms"), nullptr);
    EXPECT_FALSE(record->interference.ceiling_drift.has_value());
}

TEST_F(WorkloadTest, ReadingsAroundTheRunGiveTheDrift) {
    RunSetting with_readings = setting();
    with_readings.reading_s = 0.001;
    ScenarioOptions options = tiny_scenario();
    options.requests = 1;
    const auto record = run_scenario(*session_, options, with_readings);
    ASSERT_TRUE(record);
    EXPECT_TRUE(record->interference.ceiling_drift.has_value());
    ASSERT_TRUE(record->memory.peak_rss_bytes.has_value());
}

TEST_F(WorkloadTest, WrongOptionsAreErrors) {
    BenchOptions bench = tiny_bench();
    bench.prompt_tokens = 0;
    EXPECT_EQ(run_bench(*session_, bench, setting()).error().code,
              base::ErrorCode::invalid_argument);
    bench = tiny_bench();
    bench.prompt_tokens = 125;  // with 6 out: over the context of 128
    EXPECT_EQ(run_bench(*session_, bench, setting()).error().code,
              base::ErrorCode::invalid_argument);
    bench = tiny_bench();
    bench.repeats = 0;
    EXPECT_EQ(run_bench(*session_, bench, setting()).error().code,
              base::ErrorCode::invalid_argument);
    ScenarioOptions scenario = tiny_scenario();
    scenario.batch = 5;
    EXPECT_EQ(run_scenario(*session_, scenario, setting()).error().code,
              base::ErrorCode::invalid_argument);
    scenario = tiny_scenario();
    scenario.output_tokens = 1000;
    EXPECT_EQ(run_scenario(*session_, scenario, setting()).error().code,
              base::ErrorCode::invalid_argument);
}

TEST_F(WorkloadTest, CancelStopsBothAndLeavesTheSessionUsable) {
    std::atomic<bool> cancel{false};
    Conduct conduct;
    conduct.cancel = &cancel;
    int reports = 0;
    conduct.progress = [&](std::string_view, double) { cancel = ++reports >= 3; };
    EXPECT_EQ(run_bench(*session_, tiny_bench(), setting(), conduct).error().code,
              base::ErrorCode::cancelled);
    reports = 0;
    cancel = false;
    EXPECT_EQ(run_scenario(*session_, tiny_scenario(), setting(), conduct).error().code,
              base::ErrorCode::cancelled);
    EXPECT_TRUE(run_scenario(*session_, tiny_scenario(), setting()));
}

TEST_F(WorkloadTest, DecodeFromADepth) {
    BenchOptions options = tiny_bench();
    options.depth = 50;
    options.batches = {1, 0, -3, 99};
    const auto record = run_bench(*session_, options, setting());
    ASSERT_TRUE(record);
    EXPECT_EQ(samples_of(*record, "decode_tokens_per_s"), 2u);
    EXPECT_EQ(samples_of(*record, "batch1_tokens_per_s"), 2u);
    EXPECT_EQ(record->metric("batch99_tokens_per_s"), nullptr);
}

}  // namespace
}  // namespace hone::probe
