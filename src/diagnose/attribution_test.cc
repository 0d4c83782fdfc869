#include "diagnose/attribution.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "cost/observations.h"
#include "diagnose/diagnosis.h"
#include "diagnose/fake_record.h"
#include "diagnose/operator_class.h"

namespace hone::diagnose {
namespace {

using measure::RunRecord;

Bottleneck class_of(const Diagnosis& diagnosis, std::string_view subject) {
    for (const Attribution& item : diagnosis.attribution) {
        if (item.subject == subject) return item.bottleneck;
    }
    ADD_FAILURE() << "no attribution of " << subject;
    return Bottleneck::unexplained;
}

double confidence_of(const Diagnosis& diagnosis, std::string_view subject) {
    for (const Attribution& item : diagnosis.attribution) {
        if (item.subject == subject) return item.confidence;
    }
    ADD_FAILURE() << "no attribution of " << subject;
    return 0;
}

Bottleneck largest_class(const Diagnosis& diagnosis) {
    const auto shares = shares_by_class(diagnosis.attribution);
    return static_cast<Bottleneck>(std::max_element(shares.begin(), shares.end()) - shares.begin());
}

double total_share(const Diagnosis& diagnosis) {
    const auto shares = shares_by_class(diagnosis.attribution);
    return std::accumulate(shares.begin(), shares.end(), 0.0);
}

TEST(Attribution, NamesAreDistinct) {
    std::set<std::string> names;
    for (int i = 0; i < kBottleneckCount; ++i) {
        names.insert(bottleneck_name(static_cast<Bottleneck>(i)));
    }
    EXPECT_EQ(names.size(), static_cast<size_t>(kBottleneckCount));
}

TEST(Attribution, DecodeOfACleanRunWaitsForMemory) {
    const Diagnosis diagnosis = diagnose(experimented_record());
    EXPECT_EQ(class_of(diagnosis, "decode/linear"), Bottleneck::memory_bandwidth);
    EXPECT_EQ(class_of(diagnosis, "decode/linear_gated"), Bottleneck::memory_bandwidth);
    EXPECT_EQ(largest_class(diagnosis), Bottleneck::memory_bandwidth);
    EXPECT_GT(confidence_of(diagnosis, "decode/linear"), 0.8);
}

TEST(Attribution, PrefillOfACleanRunIsComputeBound) {
    const Diagnosis diagnosis = diagnose(experimented_record());
    EXPECT_EQ(class_of(diagnosis, "prefill/linear_gated"), Bottleneck::compute_bound);
}

TEST(Attribution, ExperimentsRaiseAndLowerConfidence) {
    const double confirmed = confidence_of(diagnose(experimented_record()), "decode/linear");
    const double bare = confidence_of(diagnose(fake_record()), "decode/linear");
    RunRecord denied = fake_record();
    denied.experiments.push_back(cost::to_experiment(
        cost::HotCopy{"linear", "decode", 1000, 10, samples(100), samples(100)}));
    const double refuted = confidence_of(diagnose(denied), "decode/linear");
    EXPECT_GT(confirmed, bare);
    EXPECT_LT(refuted, bare);
}

TEST(Attribution, BadMeasurementLowersConfidence) {
    RunRecord noisy = experimented_record();
    noisy.timing_overhead_share = 0.5;
    const Diagnosis diagnosis = diagnose(noisy);
    EXPECT_EQ(diagnosis.measurement.grade, 'D');
    EXPECT_LT(confidence_of(diagnosis, "decode/linear"), 0.5);
}

TEST(Attribution, TinyModelIsDispatchBound) {
    const Diagnosis diagnosis = diagnose(tiny_record());
    EXPECT_EQ(class_of(diagnosis, "decode/linear"), Bottleneck::startup_overhead);
    EXPECT_EQ(largest_class(diagnosis), Bottleneck::startup_overhead);
    RunRecord with_null = tiny_record();
    with_null.experiments.push_back(cost::to_experiment(cost::NullGraph{6, 2, samples(6 * 1300)}));
    EXPECT_GT(confidence_of(diagnose(with_null), "decode/linear"),
              confidence_of(diagnosis, "decode/linear"));
}

TEST(Attribution, FarFromBothRoofsIsTheKernel) {
    const Diagnosis diagnosis = diagnose(inefficient_record());
    EXPECT_EQ(class_of(diagnosis, "decode/linear_gated"), Bottleneck::kernel_inefficiency);
    EXPECT_EQ(class_of(diagnosis, "prefill/linear_gated"), Bottleneck::kernel_inefficiency);
    EXPECT_EQ(largest_class(diagnosis), Bottleneck::kernel_inefficiency);
}

TEST(Attribution, GoodKernelOfWeakArithmeticIsNotComputeBound) {
    const Diagnosis diagnosis = diagnose(weak_arithmetic_record());
    EXPECT_EQ(class_of(diagnosis, "prefill/linear_gated"), Bottleneck::kernel_inefficiency);
    bool said = false;
    for (const Attribution& item : diagnosis.attribution) {
        for (const cost::Note& line : item.evidence) said = said || line.id == "better_arithmetic";
    }
    EXPECT_TRUE(said);
}

TEST(Attribution, StolenTimeIsInterference) {
    const Diagnosis diagnosis = diagnose(stolen_record());
    EXPECT_EQ(class_of(diagnosis, "machine"), Bottleneck::interference);
    EXPECT_EQ(largest_class(diagnosis), Bottleneck::interference);
    EXPECT_EQ(diagnosis.measurement.grade, 'D');
    EXPECT_GT(confidence_of(diagnosis, "machine"), 0.8);
}

TEST(Attribution, WaitingForStorageIsIo) {
    const Diagnosis diagnosis = diagnose(cold_record());
    EXPECT_EQ(class_of(diagnosis, "load"), Bottleneck::io);
    EXPECT_EQ(class_of(diagnosis, "first_run"), Bottleneck::io);
    EXPECT_EQ(largest_class(diagnosis), Bottleneck::io);
}

TEST(Attribution, WarmLoadIsStartup) {
    RunRecord record = fake_record();
    EXPECT_EQ(class_of(diagnose(record), "load"), Bottleneck::startup_overhead);
    // A storage that would have been slow does not make a warm load an I/O problem.
    record.experiments.push_back(
        cost::to_experiment(cost::ColdWarm{"", {9e8, 9e8}, {1e7, 1e7}, 98'000'000}));
    EXPECT_EQ(class_of(diagnose(record), "load"), Bottleneck::startup_overhead);
}

TEST(Attribution, BytesFromStorageDecideWhetherALoadWasCold) {
    RunRecord record = fake_record();
    record.experiments.push_back(
        cost::to_experiment(cost::ColdWarm{"load", {1e8, 1e8, 1e8}, {4e7, 4e7, 4e7}, 98'000'000}));
    // As long as a cold one, but nothing came from storage: whatever it was, it was not that.
    RunRecord warm = record;
    warm.experiments.push_back(
        cost::to_experiment(cost::LoadReads{record.model.file_bytes, 40'960, 0}));
    EXPECT_EQ(class_of(diagnose(warm), "load"), Bottleneck::startup_overhead);
    // The part that a warm start would not take is storage; packing is the rest.
    record.experiments.push_back(cost::to_experiment(
        cost::LoadReads{record.model.file_bytes, record.model.file_bytes, 900}));
    const Diagnosis diagnosis = diagnose(record);
    double io = 0;
    double startup = 0;
    for (const Attribution& item : diagnosis.attribution) {
        if (item.subject != "load") continue;
        (item.bottleneck == Bottleneck::io ? io : startup) += item.time_share;
        EXPECT_FALSE(item.evidence.empty());
    }
    // Loading took 115 ms, 40 ms of which it takes from memory too; storage cost 60 ms.
    EXPECT_NEAR(io / (io + startup), (75.0 + 60.0) / 2 / 115, 1e-3);
    EXPECT_NEAR(total_share(diagnosis), 1, 1e-9);
}

TEST(Attribution, AFewFaultsAreNotIo) {
    RunRecord record = fake_record();
    record.interference.major_faults = 12;
    EXPECT_EQ(class_of(diagnose(record), "load"), Bottleneck::startup_overhead);
    record.interference.major_faults = 1000;
    EXPECT_EQ(class_of(diagnose(record), "load"), Bottleneck::io);
}

TEST(Attribution, LogitsNobodyReadsAreRedundant) {
    const Diagnosis diagnosis = diagnose(wasteful_record());
    EXPECT_EQ(class_of(diagnosis, "prefill/head"), Bottleneck::structural_redundancy);
    // The other linears of the prompt are not blamed for it.
    EXPECT_EQ(class_of(diagnosis, "prefill/linear"), Bottleneck::compute_bound);
    EXPECT_NEAR(total_share(diagnosis), 1, 1e-9);
}

TEST(Attribution, ConstantsInEveryStepAreRedundant) {
    RunRecord record = fake_record();
    record.nodes.push_back({6, "rope", "rope_table", "plain", -1});
    record.operators.push_back({6, "decode", 0, 1080, 1080, 9e6, 9e6, 0, 0, 100, 100});
    record.forward_wall_ns += 9e6;
    EXPECT_EQ(class_of(diagnose(record), "decode/rope_table"), Bottleneck::structural_redundancy);
}

TEST(Attribution, FasterThanItsRoofIsDoubted) {
    const Diagnosis diagnosis = diagnose(resampled(cost::fake_nodes(), "avx2", 1.6, 1000, 200));
    EXPECT_LE(confidence_of(diagnosis, "decode/linear"), 0.5);
}

TEST(Attribution, WithoutCeilingsNothingIsExplained) {
    RunRecord record = fake_record();
    record.machine.bandwidth.clear();
    record.machine.peaks.clear();
    const Diagnosis diagnosis = diagnose(record);
    EXPECT_EQ(class_of(diagnosis, "decode/linear"), Bottleneck::unexplained);
    EXPECT_EQ(confidence_of(diagnosis, "decode/linear"), 0);
}

TEST(Attribution, SharesAddUpToOneForAnyRecord) {
    const uint32_t seed = 20260102;
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> unit(0, 1);
    const RunRecord bases[] = {fake_record(),   tiny_record(), inefficient_record(),
                               stolen_record(), cold_record(), wasteful_record()};
    for (int round = 0; round < 200; ++round) {
        RunRecord record = bases[static_cast<size_t>(round) % std::size(bases)];
        for (auto& sample : record.operators) {
            sample.compute_ns *= 0.2 + 2 * unit(random);
            sample.barrier_ns *= 2 * unit(random);
        }
        record.forward_wall_ns *= 0.5 + unit(random);
        for (auto& request : record.requests) request.total_ns *= 0.9 + 0.2 * unit(random);
        if (unit(random) < 0.2) record.requests.clear();
        if (unit(random) < 0.2) record.load_stage_ms.clear();
        if (unit(random) < 0.5) record.interference.steal_share = unit(random);
        const Diagnosis diagnosis = diagnose(record);
        EXPECT_NEAR(total_share(diagnosis), 1, 1e-9) << "seed " << seed << " round " << round;
        double stages = 0;
        for (const Stage& stage : diagnosis.breakdown.stages) stages += stage.share;
        EXPECT_NEAR(stages, 1, 1e-9);
        double operators = diagnosis.breakdown.unattributed_share.value_or(0);
        for (const OperatorRow& row : diagnosis.breakdown.operators) operators += row.share;
        EXPECT_NEAR(operators, 1, 1e-9);
        for (const Attribution& item : diagnosis.attribution) {
            EXPECT_GE(item.confidence, 0);
            EXPECT_LE(item.confidence, 1);
            EXPECT_GT(item.time_share, 0);
        }
    }
}

TEST(OperatorClass, ARowWithoutCallsIsUnexplained) {
    const OperatorClass found = classify_operator(fake_record(), OperatorRow{});
    EXPECT_EQ(found.bottleneck, Bottleneck::unexplained);
    EXPECT_FALSE(found.evidence.empty());
}

}  // namespace
}  // namespace hone::diagnose
