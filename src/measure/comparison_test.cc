#include "measure/comparison.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/json.h"

namespace hone::measure {
namespace {

const std::vector<double> kA = {100, 102, 98, 101, 99, 103, 97, 100, 102, 101};
const std::vector<double> kB = {105, 107, 104, 106, 108, 103, 107, 105, 106, 109};

RunRecord record_of(const char* name, const char* unit, const std::vector<double>& samples) {
    RunRecord record;
    record.metrics.push_back({name, unit, samples});
    return record;
}

TEST(CompareRecords, ARateThatRose) {
    const RunRecord a = record_of("decode_tokens_per_s", "tokens/s", kA);
    const RunRecord b = record_of("decode_tokens_per_s", "tokens/s", kB);
    const Comparison up = compare_records(a, b, 1);
    ASSERT_EQ(up.metrics.size(), 1u);
    const MetricComparison& metric = up.metrics[0];
    EXPECT_EQ(metric.verdict, Verdict::improved);
    EXPECT_NEAR(*metric.p, 0.000204, 1e-6);
    EXPECT_EQ(*metric.a, 100.5);
    EXPECT_EQ(*metric.b, 106);
    EXPECT_NEAR(*metric.change_percent, 5.7, 0.5);
    EXPECT_LT(metric.ci95->low, *metric.change_percent);
    EXPECT_GT(metric.ci95->low, 1);
    EXPECT_EQ(metric.n, 10u);
    EXPECT_FALSE(up.regressed());
    EXPECT_TRUE(compare_records(b, a, 1).regressed());
    // A difference that is there but below what anybody would act on.
    EXPECT_EQ(compare_records(a, b, 10).metrics[0].verdict, Verdict::within_noise);
    EXPECT_EQ(compare_records(a, a, 1).metrics[0].verdict, Verdict::within_noise);
}

TEST(CompareRecords, ATimeThatRoseIsWorse) {
    const Comparison comparison =
        compare_records(record_of("ttft_ms", "ms", kA), record_of("ttft_ms", "ms", kB), 1);
    EXPECT_EQ(comparison.metrics[0].verdict, Verdict::regressed);
}

TEST(CompareRecords, FiveSamplesAreNotEnough) {
    const RunRecord a = record_of("ttft_ms", "ms", {1, 2, 3, 4, 5});
    const RunRecord b = record_of("ttft_ms", "ms", {11, 12, 13, 14, 15, 16, 17});
    const Comparison comparison = compare_records(a, b, 1);
    EXPECT_EQ(comparison.metrics[0].verdict, Verdict::not_enough_data);
    EXPECT_EQ(comparison.metrics[0].n, 5u);
    EXPECT_FALSE(comparison.metrics[0].p.has_value());
}

TEST(CompareRecords, HolmOverTheMetrics) {
    // p is 0.0175 here: enough alone, not among three.
    const std::vector<double> low = {1, 2, 3, 4, 5, 9, 10};
    const std::vector<double> high = {6, 7, 8, 11, 12, 13, 14};
    RunRecord a = record_of("ttft_ms", "ms", low);
    RunRecord b = record_of("ttft_ms", "ms", high);
    ASSERT_LT(*compare_records(a, b, 1).metrics[0].p, 0.05);
    EXPECT_EQ(compare_records(a, b, 1).metrics[0].verdict, Verdict::regressed);
    for (const char* name : {"itl_ms", "latency_ms"}) {
        a.metrics.push_back({name, "ms", low});
        b.metrics.push_back({name, "ms", low});
    }
    EXPECT_EQ(compare_records(a, b, 1).metrics[0].verdict, Verdict::within_noise);
}

TEST(CompareRecords, SizesThatAreCountedNeedNoSamples) {
    const Comparison comparison = compare_records(record_of("weights_bytes", "bytes", {200}),
                                                  record_of("weights_bytes", "bytes", {100}), 1);
    EXPECT_EQ(comparison.metrics[0].verdict, Verdict::improved);
    EXPECT_NEAR(*comparison.metrics[0].change_percent, -50, 1e-9);
    EXPECT_FALSE(comparison.metrics[0].ci95.has_value());
}

TEST(CompareRecords, ZeroesInfinitiesAndForeignMetrics) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    RunRecord a = record_of("ttft_ms", "ms", {1, 2, 3, 4, 5, 6, kInfinity});
    RunRecord b =
        record_of("ttft_ms", "ms",
                  {kInfinity, kInfinity, kInfinity, kInfinity, kInfinity, kInfinity, kInfinity});
    a.metrics.push_back({"nothing", "things", {0, 0, 0, 0, 0, 0}});
    b.metrics.push_back({"nothing", "things", {0, 1, 2, 3, 4, 5}});
    a.metrics.push_back({"empty", "things", {}});
    b.metrics.push_back({"empty", "things", {}});
    a.metrics.push_back({"unit", "ms", {1}});
    b.metrics.push_back({"unit", "s", {1}});
    a.metrics.push_back({"only_a", "ms", {1}});
    const Comparison comparison = compare_records(a, b, 1);
    ASSERT_EQ(comparison.metrics.size(), 2u);
    EXPECT_EQ(comparison.metrics[0].verdict, Verdict::regressed);
    EXPECT_EQ(comparison.metrics[1].verdict, Verdict::within_noise);
}

TEST(CompareRecords, SaysWhatElseDiffers) {
    RunRecord a = record_of("ttft_ms", "ms", kA);
    RunRecord b = a;
    EXPECT_TRUE(compare_records(a, b, 1).warnings.empty());
    b.build = "other";
    b.context.threads = 7;
    b.machine.fingerprint = "0123456789abcdef";
    b.context.command = "bench x";
    const Comparison comparison = compare_records(a, b, 1);
    EXPECT_EQ(comparison.warnings, (std::vector<std::string>{"machine", "build", "threads"}));
    EXPECT_EQ(comparison.signature_b->at("threads"), 7);
}

TEST(Verdict, NamesAndFloor) {
    EXPECT_STREQ(verdict_name(Verdict::within_noise), "within_noise");
    EXPECT_EQ(verdict_of(0.0995, true, Better::higher, 10), Verdict::improved);
    EXPECT_EQ(verdict_of(0.09, true, Better::higher, 10), Verdict::within_noise);
    EXPECT_EQ(verdict_of(-0.5, true, Better::higher, 1), Verdict::regressed);
    EXPECT_EQ(verdict_of(-0.5, true, Better::lower, 1), Verdict::improved);
    EXPECT_EQ(verdict_of(-0.5, false, Better::lower, 1), Verdict::within_noise);
    EXPECT_FALSE(percent_of(std::optional<Interval>()).has_value());
}

}  // namespace
}  // namespace hone::measure
