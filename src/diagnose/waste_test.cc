// One rule of evidence at a time: the record that it must name, and the near miss that it must not.
#include "diagnose/waste.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "base/json.h"
#include "diagnose/diagnosis.h"
#include "diagnose/disturbance.h"
#include "diagnose/fake_record.h"

namespace hone::diagnose {
namespace {

using measure::RunRecord;

const Attribution* find(const Diagnosis& diagnosis, std::string_view subject) {
    for (const Attribution& item : diagnosis.attribution) {
        if (item.subject == subject) return &item;
    }
    return nullptr;
}

bool has_evidence(const Attribution& item, std::string_view id) {
    for (const cost::Note& line : item.evidence) {
        if (line.id == id) return true;
    }
    return false;
}

// Named with this class and a share above `least`; all shares still sum to one.
void expect_named(const RunRecord& record, const char* subject, Bottleneck bottleneck,
                  double least) {
    const Diagnosis diagnosis = diagnose(record);
    const Attribution* item = find(diagnosis, subject);
    ASSERT_NE(item, nullptr) << subject;
    EXPECT_EQ(item->bottleneck, bottleneck) << subject;
    EXPECT_GT(item->time_share, least) << subject;
    EXPECT_GT(item->confidence, 0.3) << subject;
    EXPECT_FALSE(item->evidence.empty()) << subject;
    const auto shares = shares_by_class(diagnosis.attribution);
    EXPECT_NEAR(std::accumulate(shares.begin(), shares.end(), 0.0), 1, 1e-9) << subject;
}

void expect_not_named(const RunRecord& record, const char* subject) {
    EXPECT_EQ(find(diagnose(record), subject), nullptr) << subject;
}

TEST(Waste, CleanRecordHasNone) {
    const RunRecord record = experimented_record();
    EXPECT_TRUE(find_waste(record, break_down(record)).empty());
    const Disturbance found = find_disturbance(record, break_down(record));
    EXPECT_EQ(found.lost_share, 0);
    EXPECT_TRUE(found.traffic.subject.empty());
}

TEST(Waste, MoreThreadsThanCpusIsOverheadOfOurOwn) {
    const RunRecord record = oversubscribed_record();
    expect_named(record, "threads/8", Bottleneck::startup_overhead, 0.3);
    const Diagnosis diagnosis = diagnose(record);
    EXPECT_TRUE(has_evidence(*find(diagnosis, "threads/8"), "fewer_threads"));
    // Waiting for a CPU among themselves is no interference, and no reason to distrust the run.
    EXPECT_EQ(find(diagnosis, "machine"), nullptr);
    EXPECT_LE(diagnosis.measurement.grade, 'B');
}

TEST(Waste, OversubscriptionWithoutASweepIsTheBarriers) {
    RunRecord record = oversubscribed_record();
    record.experiments.clear();
    expect_named(record, "threads/8", Bottleneck::startup_overhead, 0.05);
    EXPECT_LT(find(diagnose(record), "threads/8")->confidence, 0.7);
}

TEST(Waste, AsManyThreadsAsCpusIsNotOversubscribed) {
    RunRecord record = oversubscribed_record();
    record.machine.facts.cpus_allowed = 8;
    expect_not_named(record, "threads/8");
    // Then waiting for a CPU is somebody else's doing.
    EXPECT_NE(find(diagnose(record), "machine"), nullptr);
    // A quota counts as fewer CPUs.
    record.machine.facts.cpu_quota = 1.5;
    EXPECT_EQ(usable_cpus(record), 2);
}

TEST(Waste, OversubscriptionThatCostsNothingIsNotNamed) {
    RunRecord record = oversubscribed_record();
    record.experiments.clear();
    record.experiments.push_back(cost::to_experiment(cost::Sweep{
        "thread_sweep",
        "",
        "8",
        {{"2", samples(1.0e6), samples(5.0e6)}, {"8", samples(1.0e6), samples(5.0e6)}}}));
    expect_not_named(record, "threads/8");
}

TEST(Waste, OversubscriptionThatScattersIsNamedByTheBarriers) {
    RunRecord record = oversubscribed_record();
    record.experiments.clear();
    const std::vector<double> scattered = {0.4e6, 3.0e6, 0.2e6, 9.0e6, 0.5e6, 0.6e6};
    const std::vector<double> alone = {0.5e6, 0.5e6, 0.5e6, 0.5e6, 0.5e6, 0.5e6};
    record.experiments.push_back(cost::to_experiment(
        cost::Sweep{"thread_sweep", "", "8", {{"2", alone, alone}, {"8", scattered, scattered}}}));
    expect_named(record, "threads/8", Bottleneck::startup_overhead, 0.05);
    EXPECT_LT(find(diagnose(record), "threads/8")->confidence, 0.7);
}

TEST(Waste, AFusionThatIsOffIsRedundantWork) {
    expect_named(unfused_record(), "pass/merge_gate_up", Bottleneck::structural_redundancy, 0.05);
    EXPECT_TRUE(
        has_evidence(*find(diagnose(unfused_record()), "pass/merge_gate_up"), "pass_is_off"));
}

TEST(Waste, APassWithoutEffectIsNotBlamed) {
    RunRecord record = unfused_record();
    record.experiments.clear();
    expect_not_named(record, "pass/merge_gate_up");
    record.experiments.push_back(cost::to_experiment(cost::Sweep{
        "pass_ablation",
        "merge_gate_up",
        "off",
        {{"on", samples(1.0e6), samples(5.0e6)}, {"off", samples(1.0e6), samples(5.0e6)}}}));
    expect_not_named(record, "pass/merge_gate_up");
}

TEST(Waste, APassLessThanTheControlIsNotBlamed) {
    RunRecord record = unfused_record();
    measure::ExperimentResult control;
    control.name = "control";
    control.values = base::Json{{"first_ns", {100.0, 100.0}}, {"second_ns", {85.0, 103.0}}};
    record.experiments.push_back(control);
    expect_not_named(record, "pass/merge_gate_up");
}

TEST(Waste, FloatActivationsAreTheKernelsFault) {
    RunRecord record = unfused_record(10e6);
    record.passes.back().name = "quantize_activations";
    record.experiments.back().subject = "quantize_activations";
    expect_named(record, "pass/quantize_activations", Bottleneck::kernel_inefficiency, 0.2);
}

TEST(Waste, DenormalWeightsAreNamedWhereTheyCost) {
    expect_named(denormal_record(), "weights/denormals", Bottleneck::structural_redundancy, 0.3);
    const Diagnosis diagnosis = diagnose(denormal_record());
    bool named = false;
    for (const cost::Note& line : find(diagnosis, "weights/denormals")->evidence) {
        for (const auto& [name, value] : line.parameters) {
            named = named ||
                    (name == "tensor" && std::get<std::string>(value) == "blk.0.ffn_down.weight");
        }
    }
    EXPECT_TRUE(named);
}

TEST(Waste, DenormalsThatCostNothingAreNotBlamed) {
    expect_not_named(denormal_record(5e6), "weights/denormals");
}

TEST(Waste, DenormalsElsewhereThanInWeightsAreActivations) {
    RunRecord record = denormal_record();
    record.experiments.pop_back();
    expect_named(record, "activations/denormals", Bottleneck::structural_redundancy, 0.3);
    expect_not_named(record, "weights/denormals");
}

TEST(Waste, RepeatedPrefixIsRedundantUntilItIsReused) {
    expect_named(shared_prefix_record(), "prompt/repeated_prefix",
                 Bottleneck::structural_redundancy, 0.1);
    expect_not_named(shared_prefix_record(true), "prompt/repeated_prefix");
}

TEST(Waste, PaddingIsRedundant) {
    expect_named(padded_record(), "prompt/padding", Bottleneck::structural_redundancy, 0.05);
    expect_not_named(padded_record(0), "prompt/padding");
}

TEST(Waste, HostileTokenCountsStayShares) {
    RunRecord record = padded_record(1'000'000);
    for (auto& request : record.requests) {
        request.prompt_tokens_repeated = 2'000'000'000;
        request.prompt_tokens_reused = -5;
    }
    expect_named(record, "prompt/padding", Bottleneck::structural_redundancy, 0);
    for (const Waste& waste : find_waste(record, break_down(record))) {
        EXPECT_LE(waste.prefill_share, 1);
        EXPECT_GE(waste.prefill_share, 0);
    }
}

TEST(Waste, ZeroBlocksAreNamedFromAShareOn) {
    RunRecord record = fake_record();
    cost::WeightScan scan;
    scan.tensors = scan.tensors_scanned = 2;
    scan.bytes = scan.bytes_scanned = 1000;
    cost::TensorScan tensor;
    tensor.name = "blk.0.ffn_up.weight";
    tensor.elements = 32 * 100;
    tensor.bytes = 500;
    tensor.blocks = 100;
    tensor.zero_blocks = 60;
    scan.findings.push_back(tensor);
    record.experiments.push_back(cost::to_experiment(scan));
    expect_named(record, "weights/zero_blocks", Bottleneck::structural_redundancy, 0.15);
    scan.findings[0].zero_blocks = 4;
    record.experiments.back() = cost::to_experiment(scan);
    expect_not_named(record, "weights/zero_blocks");
}

TEST(Disturbance, ForeignMemoryTrafficIsInterference) {
    expect_named(traffic_record(), "machine/memory_traffic", Bottleneck::interference, 0.15);
    EXPECT_GT(diagnose(traffic_record()).measurement.grade, 'B');
}

// What a quiet machine's ceilings differ by anyway counts where somebody is seen to run.
TEST(Disturbance, LessTrafficIsEnoughWhereOthersRun) {
    RunRecord record = traffic_record(18);
    expect_not_named(record, "machine/memory_traffic");
    record.machine.facts.cpus_online = 2;
    record.interference.foreign_share = 0.2;
    expect_not_named(record, "machine/memory_traffic");
    record.interference.foreign_share = 0.45;
    expect_named(record, "machine/memory_traffic", Bottleneck::interference, 0.03);
    const auto reasons = diagnose(record).measurement.reasons;
    EXPECT_TRUE(std::any_of(reasons.begin(), reasons.end(), [](const GradeReason& reason) {
        return reason.note.id == "grade_foreign" && reason.grade == 'C';
    }));
    expect_not_named(traffic_record(19.5), "machine/memory_traffic");
}

TEST(Disturbance, UsualBandwidthIsNone) {
    expect_not_named(traffic_record(18.5), "machine/memory_traffic");
    RunRecord few = traffic_record();
    few.experiments.clear();
    cost::BandwidthProbe probe;
    probe.gb_per_s = {5, 5};
    probe.at_s = {1, 2};
    probe.quiet_gb_per_s = 20;
    few.experiments.push_back(cost::to_experiment(probe));
    expect_not_named(few, "machine/memory_traffic");
    probe.gb_per_s = {5, 5, 5, 5};
    probe.at_s = {1, 2, 3, 4};
    probe.quiet_gb_per_s.reset();
    few.experiments.back() = cost::to_experiment(probe);
    expect_not_named(few, "machine/memory_traffic");
}

TEST(Disturbance, ComputeDoesNotWaitForTraffic) {
    const RunRecord record = traffic_record();
    const Disturbance found = find_disturbance(record, break_down(record));
    EXPECT_LT(found.traffic_least.prefill, 0.01);
    EXPECT_LT(found.traffic.prefill_share, 0.1);
    EXPECT_GT(found.traffic.decode_share, 0.3);
}

TEST(Disturbance, QuotaThrottlesEverything) {
    expect_named(throttled_record(), "machine", Bottleneck::interference, 0.25);
    EXPECT_EQ(diagnose(throttled_record()).measurement.grade, 'D');
    expect_not_named(throttled_record(0.005), "machine");
}

TEST(Disturbance, AMovedClockCountsWhereNothingWasStolen) {
    RunRecord record = fake_record();
    cost::InterferenceSeries series;
    series.frequency_drift = 0.2;
    record.experiments.push_back(cost::to_experiment(series));
    expect_named(record, "machine", Bottleneck::interference, 0.05);
    series.frequency_drift = 0.02;
    record.experiments.back() = cost::to_experiment(series);
    expect_not_named(record, "machine");
}

}  // namespace
}  // namespace hone::diagnose
