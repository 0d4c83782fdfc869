#include "cost/observations.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace hone::cost {
namespace {

WeightScan some_scan() {
    WeightScan scan;
    scan.tensors = 3;
    scan.bytes = 300;
    scan.tensors_scanned = 2;
    scan.bytes_scanned = 200;
    TensorScan tensor;
    tensor.name = "blk.0.ffn_up.weight";
    tensor.dtype = "F32";
    tensor.elements = 64;
    tensor.bytes = 256;
    tensor.denormals = 5;
    tensor.half_denormals = 4;
    tensor.nans = 1;
    tensor.infinities = 2;
    tensor.blocks = 2;
    tensor.zero_blocks = 1;
    tensor.rows = 8;
    tensor.zero_rows = 3;
    tensor.duplicate_rows = 6;
    scan.findings.push_back(tensor);
    TensorScan copy;
    copy.name = "blk.1.ffn_up.weight";
    copy.all_zero = true;
    copy.duplicate_of = "blk.0.ffn_up.weight";
    scan.findings.push_back(copy);
    scan.findings_left_out = 9;
    return scan;
}

TEST(Observations, ScanSurvivesTheRecord) {
    measure::RunRecord record;
    EXPECT_FALSE(find_weight_scan(record));
    record.experiments.push_back(to_experiment(some_scan()));
    const auto back = find_weight_scan(record);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->tensors, 3u);
    EXPECT_EQ(back->bytes, 300u);
    EXPECT_EQ(back->tensors_scanned, 2u);
    EXPECT_EQ(back->bytes_scanned, 200u);
    EXPECT_FALSE(back->complete);
    EXPECT_EQ(back->findings_left_out, 9u);
    const TensorScan* tensor = back->tensor("blk.0.ffn_up.weight");
    ASSERT_NE(tensor, nullptr);
    EXPECT_EQ(tensor->elements, 64u);
    EXPECT_EQ(tensor->bytes, 256u);
    EXPECT_EQ(tensor->denormals, 5u);
    EXPECT_EQ(tensor->half_denormals, 4u);
    EXPECT_EQ(tensor->nans, 1u);
    EXPECT_EQ(tensor->infinities, 2u);
    EXPECT_EQ(tensor->blocks, 2u);
    EXPECT_EQ(tensor->zero_blocks, 1u);
    EXPECT_EQ(tensor->rows, 8u);
    EXPECT_EQ(tensor->zero_rows, 3u);
    EXPECT_EQ(tensor->duplicate_rows, 6u);
    EXPECT_FALSE(tensor->all_zero);
    EXPECT_TRUE(back->findings[1].all_zero);
    EXPECT_EQ(back->findings[1].duplicate_of, "blk.0.ffn_up.weight");
    EXPECT_EQ(back->tensor("blk.2.ffn_up.weight"), nullptr);
}

TEST(Observations, SeriesSurviveTheRecord) {
    measure::RunRecord record;
    record.experiments.push_back(
        to_experiment(BandwidthProbe{64u << 20, 2, {10, 20, 30}, {1, 2, 3}, 40}));
    InterferenceSeries series;
    series.slices.push_back({1.5, 1.5, 0.0, 0.25, std::nullopt, 900.0});
    series.throttled_periods = 4;
    series.frequency_drift = 0.02;
    record.experiments.push_back(to_experiment(series));
    const auto probe = find_bandwidth_probe(record);
    ASSERT_TRUE(probe);
    EXPECT_EQ(probe->bytes, 64u << 20);
    EXPECT_EQ(probe->threads, 2);
    EXPECT_DOUBLE_EQ(*probe->quiet_ratio(), 0.5);
    const auto watched = find_interference(record);
    ASSERT_TRUE(watched);
    ASSERT_EQ(watched->slices.size(), 1u);
    EXPECT_EQ(watched->slices[0].steal_share, 0.0);
    EXPECT_EQ(watched->slices[0].run_delay_share, 0.25);
    EXPECT_FALSE(watched->slices[0].throttled_share);
    EXPECT_EQ(watched->slices[0].spin_ns, 900.0);
    EXPECT_EQ(watched->throttled_periods, 4u);
    EXPECT_FALSE(watched->throttled_share);
    EXPECT_EQ(watched->frequency_drift, 0.02);
    record.experiments[0].values->erase("quiet_gb_per_s");
    EXPECT_FALSE(find_bandwidth_probe(record)->quiet_ratio());
}

TEST(Observations, ReadsOfALoadSurviveTheRecord) {
    measure::RunRecord record;
    record.experiments.push_back(to_experiment(LoadReads{1000, 400, 7}));
    const auto reads = find_load_reads(record);
    ASSERT_TRUE(reads);
    EXPECT_EQ(reads->file_bytes, 1000u);
    EXPECT_EQ(reads->storage_bytes, 400u);
    EXPECT_EQ(reads->major_faults, 7u);
    record.experiments[0] = to_experiment(LoadReads{1000, std::nullopt, std::nullopt});
    EXPECT_FALSE(find_load_reads(record)->storage_bytes);
    EXPECT_FALSE(find_load_reads(measure::RunRecord{}));
}

TEST(Observations, CountersThatCannotBeReadAreAbsent) {
    measure::RunRecord record;
    Counters counters;
    counters.wall_ns = 1e9;
    counters.tokens = 80;
    counters.task_clock_ns = 2e9;
    counters.page_faults = 0;
    record.experiments.push_back(to_experiment(counters));
    auto back = find_counters(record);
    ASSERT_TRUE(back);
    EXPECT_EQ(back->tokens, 80u);
    EXPECT_EQ(back->task_clock_ns, 2e9);
    EXPECT_EQ(back->page_faults, 0u);
    EXPECT_FALSE(back->cycles);
    EXPECT_FALSE(back->instructions_per_cycle());
    EXPECT_FALSE(record.experiments[0].values->contains("cycles"));
    counters.cycles = 100;
    counters.instructions = 250;
    counters.context_switches = 1;
    counters.migrations = 2;
    counters.cache_misses = 3;
    back = as_counters(to_experiment(counters));
    ASSERT_TRUE(back);
    EXPECT_DOUBLE_EQ(*back->instructions_per_cycle(), 2.5);
    EXPECT_EQ(back->context_switches, 1u);
    EXPECT_EQ(back->migrations, 2u);
    EXPECT_EQ(back->cache_misses, 3u);
}

TEST(Observations, WrongShapesAreNoObservation) {
    for (const char* values : {"null", "[]", "{}", R"({"findings":{}})", R"({"findings":[1]})",
                               R"({"findings":[{"dtype":"F32"}]})", R"({"slices":[[]]})",
                               R"({"slices":[{"at_s":-1,"wall_s":1}]})", R"({"wall_ns":0})",
                               R"({"gb_per_s":[1],"at_s":[]})", R"({"gb_per_s":[],"at_s":[]})",
                               R"({"gb_per_s":[0],"at_s":[1]})"}) {
        measure::ExperimentResult broken;
        broken.values = *base::parse_json(values);
        for (const char* name : {"weight_scan", "bandwidth_probe", "interference", "counters"}) {
            broken.name = name;
            EXPECT_FALSE(as_weight_scan(broken)) << values;
            EXPECT_FALSE(as_bandwidth_probe(broken)) << values;
            EXPECT_FALSE(as_interference(broken)) << values;
            EXPECT_FALSE(as_counters(broken)) << values;
        }
    }
    auto scan = to_experiment(some_scan());
    scan.valid = false;
    EXPECT_FALSE(as_weight_scan(scan));
    scan.valid = true;
    scan.values["findings"][0]["denormals"] = -3;
    scan.values["findings"][0]["all_zero"] = "yes";
    ASSERT_TRUE(as_weight_scan(scan));
    EXPECT_EQ(as_weight_scan(scan)->findings[0].denormals, 0u);
    EXPECT_FALSE(as_weight_scan(scan)->findings[0].all_zero);
}

}  // namespace
}  // namespace hone::cost
