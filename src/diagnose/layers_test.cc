// Scenario, metrics, breakdown and grade: the layers above attribution.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "diagnose/breakdown.h"
#include "diagnose/fake_record.h"
#include "diagnose/grade.h"
#include "diagnose/metrics.h"
#include "diagnose/scenario.h"

namespace hone::diagnose {
namespace {

using ::testing::HasSubstr;

TEST(Scenario, WorkloadsGiveTheirPercentileItsSamples) {
    ASSERT_EQ(scenarios().size(), 3u);
    for (const Scenario& scenario : scenarios()) {
        const auto found = find_scenario(scenario.id);
        ASSERT_TRUE(found);
        EXPECT_EQ((*found)->prompt_tokens, scenario.prompt_tokens);
        const size_t rounds = static_cast<size_t>(scenario.requests / scenario.batch);
        EXPECT_GE(rounds, measure::interval_samples_min(scenario.primary_percentile))
            << scenario.id;
        EXPECT_GE(scenario.requests_long, scenario.requests);
    }
    const Scenario& realtime = **find_scenario("realtime");
    EXPECT_EQ(realtime.prompt_tokens, 64);
    EXPECT_EQ(realtime.output_tokens, 16);
    EXPECT_GE(realtime.requests_long, 368);
}

TEST(Scenario, RetrievalDoesNotFitAndSaysSo) {
    const auto retrieval = find_scenario("retrieval");
    ASSERT_FALSE(retrieval);
    EXPECT_EQ(retrieval.error().code, base::ErrorCode::unsupported);
    EXPECT_THAT(retrieval.error().message, HasSubstr("embeddings"));
    const auto unknown = find_scenario("fast");
    ASSERT_FALSE(unknown);
    EXPECT_EQ(unknown.error().code, base::ErrorCode::invalid_argument);
    EXPECT_THAT(unknown.error().message, HasSubstr("realtime, generative, batch"));
}

TEST(Scenario, MetricAtNamesThePercentile) {
    EXPECT_EQ(metric_at("latency_ms", 0.95), "latency_ms_p95");
    EXPECT_EQ(metric_at("latency_ms", 0.999), "latency_ms_p99.9");
    EXPECT_EQ(metric_at("itl_ms", 0.5), "itl_ms");
}

TEST(Metrics, WarmAndColdAreKeptApart) {
    measure::RunRecord record = fake_record();
    cost::add_fake_request(record, "cold", 9.0);
    EXPECT_EQ(request_values(record, "ttft_ms").size(), 72u);
    EXPECT_EQ(request_values(record, "ttft_ms", "cold").size(), 1u);
    const auto metrics = summarize_metrics(record);
    const MetricSummary* latency = find_metric(metrics, "latency_ms");
    ASSERT_NE(latency, nullptr);
    EXPECT_EQ(latency->n, 72u);
    EXPECT_TRUE(latency->p95);
    EXPECT_FALSE(latency->p99);
    EXPECT_NE(find_metric(metrics, "ttft_ms_cold"), nullptr);
    EXPECT_EQ(find_metric(metrics, "nothing"), nullptr);
}

TEST(Metrics, ThroughputCountsRoundsOfTheBatch) {
    measure::RunRecord record;
    record.context.batch = 2;
    for (const double seconds : {1.0, 2.0, 1.0, 4.0, 3.0}) {
        measure::RequestSample request;
        request.phase = "warm";
        request.output_tokens = 10;
        request.total_ns = seconds * 1e9;
        record.requests.push_back(request);
    }
    // Two rounds of two; the fifth request is no whole round.
    EXPECT_EQ(request_values(record, "output_tokens_per_s"), (std::vector<double>{10, 5}));
}

TEST(Metrics, FailedRequestIsInfinitelyLate) {
    measure::RunRecord record = fake_record();
    record.requests[0].total_ns = std::numeric_limits<double>::infinity();
    const auto metrics = summarize_metrics(record);
    EXPECT_EQ(find_metric(metrics, "latency_ms")->n, 72u);
    EXPECT_TRUE(std::isfinite(*find_metric(metrics, "latency_ms")->median));
}

TEST(Metrics, Directions) {
    EXPECT_TRUE(higher_is_better("decode_tokens_per_s"));
    EXPECT_TRUE(higher_is_better("decode_bandwidth_share"));
    EXPECT_FALSE(higher_is_better("latency_ms_p95"));
    EXPECT_FALSE(higher_is_better("kv_bytes_per_token"));
    EXPECT_FALSE(higher_is_better("peak_rss_bytes"));
}

TEST(Breakdown, StagesPartitionTheWall) {
    const Breakdown breakdown = break_down(fake_record());
    ASSERT_EQ(breakdown.stages.size(), 7u);
    EXPECT_EQ(breakdown.stages[0].id, "load");
    EXPECT_NEAR(*breakdown.stage("load")->ns, 115e6, 1);
    EXPECT_FALSE(breakdown.stage("network")->ns);
    EXPECT_GT(breakdown.stage("forward")->share, 0.9);
    EXPECT_EQ(breakdown.stage("forward")->parts[0].name, "decode");
    EXPECT_LT(breakdown.forward_ns, *breakdown.stage("forward")->ns);
    EXPECT_EQ(breakdown.stage("nothing"), nullptr);
    EXPECT_NEAR(*breakdown.unattributed_share, 0.02 / 1.02, 1e-9);
}

TEST(Breakdown, SequenceSplitsPromptAndGeneration) {
    measure::RunRecord record = fake_record();
    auto far = record.operators.back();
    far.position_bucket = 256;
    record.operators.push_back(far);
    const Breakdown breakdown = break_down(record);
    ASSERT_EQ(breakdown.sequence.size(), 2u);
    EXPECT_EQ(breakdown.sequence[0].slice, "prefill");
    EXPECT_EQ(breakdown.sequence[0].tokens, 72u * 64);
    EXPECT_EQ(breakdown.sequence[1].tokens, 2u * 72 * 15);
    EXPECT_EQ(breakdown.sequence_buckets.size(), 3u);
    EXPECT_GT(breakdown.sequence[1].ns_per_token(), 0);
    EXPECT_EQ(SequenceRow{}.ns_per_token(), 0);
}

TEST(Breakdown, EmptyRecordHasNoShares) {
    const Breakdown breakdown = break_down(measure::RunRecord{});
    EXPECT_EQ(breakdown.wall_ns, 0);
    EXPECT_FALSE(breakdown.unattributed_share);
    EXPECT_TRUE(breakdown.operators.empty());
}

TEST(Breakdown, UnknownNodesKeepTheirTime) {
    measure::RunRecord record = fake_record();
    record.nodes.clear();
    const Breakdown breakdown = break_down(record);
    ASSERT_EQ(breakdown.operators.size(), 1u);
    EXPECT_EQ(breakdown.operators[0].kind, "unknown");
    EXPECT_FALSE(breakdown.operators[0].roof_share());
}

char grade_of(const measure::RunRecord& record) {
    const Breakdown breakdown = break_down(record);
    return grade_measurement(record, breakdown, summarize_metrics(record)).grade;
}

TEST(Grade, CleanRunIsTrusted) {
    EXPECT_EQ(grade_of(fake_record()), 'A');
}

TEST(Grade, EachDisturbanceCosts) {
    const std::pair<char, void (*)(measure::RunRecord&)> cases[] = {
        {'D', [](measure::RunRecord& r) { r.interference.wall_s = 0.1; }},
        {'C', [](measure::RunRecord& r) { r.interference.wall_s = 0.5; }},
        {'B', [](measure::RunRecord& r) { r.interference.steal_share = 0.02; }},
        {'D', [](measure::RunRecord& r) { r.interference.steal_share = 0.2; }},
        {'B', [](measure::RunRecord& r) { r.interference.steal_share.reset(); }},
        {'C', [](measure::RunRecord& r) { r.interference.run_delay_share = 0.2; }},
        {'C', [](measure::RunRecord& r) { r.interference.ceiling_drift = 0.2; }},
        {'B', [](measure::RunRecord& r) { r.interference.ceiling_drift.reset(); }},
        {'B', [](measure::RunRecord& r) { r.forward_wall_ns *= 1.06; }},
        {'B', [](measure::RunRecord& r) { r.timing_overhead_share = 0.03; }},
        {'B', [](measure::RunRecord& r) { r.timing_overhead_share.reset(); }},
        {'C', [](measure::RunRecord& r) { r.operators.clear(); }},
        {'C', [](measure::RunRecord& r) { r.machine.peaks.clear(); }},
        {'B', [](measure::RunRecord& r) { r.requests.resize(20); }},
        {'C', [](measure::RunRecord& r) { r.requests.resize(4); }},
        {'D', [](measure::RunRecord& r) { r.requests.clear(); }},
    };
    int i = 0;
    for (const auto& [expected, spoil] : cases) {
        measure::RunRecord record = fake_record();
        spoil(record);
        EXPECT_EQ(grade_of(record), expected) << "case " << i;
        ++i;
    }
}

TEST(Grade, WorstReasonComesFirstAndLowersConfidence) {
    measure::RunRecord record = fake_record();
    record.interference.steal_share = 0.2;
    const auto grade = grade_measurement(record, break_down(record), summarize_metrics(record));
    EXPECT_EQ(grade.reasons.front().note.id, "grade_steal");
    EXPECT_LT(grade.confidence_factor(), 0.5);
    EXPECT_EQ(MeasurementGrade{}.confidence_factor(), 1.0);
}

}  // namespace
}  // namespace hone::diagnose
