#include "diagnose/decision.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "cost/observations.h"
#include "diagnose/diagnosis.h"
#include "diagnose/experiment_plan.h"
#include "diagnose/fake_record.h"
#include "measure/comparison.h"

namespace hone::diagnose {
namespace {

using cost::WhatIf;
using cost::WhatIfKind;
using measure::RunRecord;

TEST(Prediction, ResimulatesTheWholeRequest) {
    const auto result = predict_primary(experimented_record(), {WhatIfKind::threads, "", "1"});
    ASSERT_TRUE(result.value);
    EXPECT_EQ(result.value->metric, "latency_ms_p95");
    // 40 of 116 ms take 1.9 times as long, 75 take 1.2 times: the rest stays.
    EXPECT_NEAR(result.value->change_percent, 100 * (40 * 0.9 + 75 * 0.2) / 116.5, 1.0);
    EXPECT_FALSE(result.value->better);
    ASSERT_TRUE(result.value->ci95);
    EXPECT_LE(result.value->ci95->low, result.value->change_percent);
    EXPECT_GE(result.value->ci95->high, result.value->change_percent);
}

TEST(Prediction, FollowsTheScenario) {
    RunRecord record = experimented_record();
    record.context.scenario = "generative";
    const auto result = predict_primary(record, {WhatIfKind::threads, "", "1"});
    ASSERT_TRUE(result.value);
    EXPECT_EQ(result.value->metric, "itl_ms");
    EXPECT_NEAR(result.value->change_percent, 20, 0.5);
}

TEST(Prediction, MedianWhereThePercentileLacksSamples) {
    RunRecord record = experimented_record();
    record.requests.resize(10);
    EXPECT_EQ(predict_primary(record, {WhatIfKind::threads, "", "1"}).value->metric, "latency_ms");
}

TEST(Prediction, BatchTradesLatencyForThroughput) {
    RunRecord record = experimented_record();
    record.context.scenario = "generative";
    const auto pace = predict_primary(record, {WhatIfKind::batch, "", "4"});
    ASSERT_TRUE(pace.value);
    EXPECT_NEAR(pace.value->change_percent, 24, 0.5);
    EXPECT_FALSE(pace.value->better);
    // Without a measured prefill of four prompts the whole latency is not predictable ...
    record.context.scenario = "realtime";
    const auto latency = predict_primary(record, {WhatIfKind::batch, "", "4"});
    EXPECT_FALSE(latency.value);
    EXPECT_EQ(latency.reason.id, "no_slice_data");
    // ... and of throughput only the decode part.
    record.context.scenario = "batch";
    const auto rate = predict_primary(record, {WhatIfKind::batch, "", "4"});
    ASSERT_TRUE(rate.value);
    EXPECT_EQ(rate.value->metric, "decode_tokens_per_s");
    EXPECT_NEAR(rate.value->change_percent, 100 * (4 / 1.24 - 1), 2);
    EXPECT_TRUE(rate.value->better);
}

TEST(Prediction, ThroughputOfRounds) {
    RunRecord record = experimented_record();
    record.context.scenario = "batch";
    const auto result = predict_primary(record, {WhatIfKind::threads, "", "4"});
    ASSERT_TRUE(result.value);
    EXPECT_EQ(result.value->metric, "output_tokens_per_s");
    EXPECT_LT(result.value->change_percent, -30);
    EXPECT_FALSE(result.value->better);
}

TEST(Prediction, RatesNeedNoRequests) {
    RunRecord record = experimented_record();
    record.requests.clear();
    record.context.scenario = "";
    record.context.primary_metric = "decode_tokens_per_s";
    const auto result = predict_primary(record, {WhatIfKind::threads, "", "1"});
    ASSERT_TRUE(result.value);
    EXPECT_NEAR(result.value->change_percent, 100 * (1 / 1.2 - 1), 0.5);
    record.context.scenario = "realtime";
    EXPECT_EQ(predict_primary(record, {WhatIfKind::threads, "", "1"}).reason.id,
              "no_request_stages");
}

TEST(Prediction, IntervalThatCrossesZeroIsNotBetter) {
    RunRecord record = fake_record();
    const std::vector<double> noisy = {90, 110, 95, 105, 92, 108, 97, 103};
    const std::vector<double> flat(8, 100.0);
    record.experiments.push_back(cost::to_experiment(
        cost::Sweep{"thread_sweep", "", "2", {{"1", noisy, noisy}, {"2", flat, flat}}}));
    const auto result = predict_primary(record, {WhatIfKind::threads, "", "1"});
    ASSERT_TRUE(result.value && result.value->ci95);
    EXPECT_LT(result.value->ci95->low, 0);
    EXPECT_GT(result.value->ci95->high, 0);
    EXPECT_FALSE(result.value->sure);
    EXPECT_FALSE(result.value->better);
}

RunRecord few_pairs(const std::vector<double>& one) {
    RunRecord record = fake_record();
    const std::vector<double> flat(one.size(), 100.0);
    record.experiments.push_back(cost::to_experiment(
        cost::Sweep{"thread_sweep", "", "2", {{"1", one, one}, {"2", flat, flat}}}));
    return record;
}

TEST(Prediction, FewPairsMustAgreeToBeSure) {
    const WhatIf one_thread{WhatIfKind::threads, "", "1"};
    const auto agree = predict_primary(few_pairs({80, 81, 82}), one_thread);
    ASSERT_TRUE(agree.value);
    EXPECT_FALSE(agree.value->ci95);
    EXPECT_EQ(agree.value->pairs, 3u);
    EXPECT_TRUE(agree.value->better);
    EXPECT_FALSE(predict_primary(few_pairs({60, 81, 98}), one_thread).value->sure);
    EXPECT_FALSE(predict_primary(few_pairs({80}), one_thread).value->sure);
    // As much as the control changed by nothing is no change.
    RunRecord record = few_pairs({95, 95.5, 96});
    EXPECT_TRUE(predict_primary(record, one_thread).value->sure);
    measure::ExperimentResult control;
    control.name = "control";
    control.values = base::Json{{"first_ns", {100.0, 100.0}}, {"second_ns", {94.0, 103.0}}};
    record.experiments.push_back(control);
    EXPECT_FALSE(predict_primary(record, one_thread).value->sure);
}

TEST(Decisions, NothingIsPredictedWithoutData) {
    for (const Decision& card : diagnose(fake_record()).decisions) {
        // What the record itself holds: memory is exact, bytes come from the operators.
        if (card.action.starts_with("context:") || card.action.starts_with("weights:")) continue;
        EXPECT_FALSE(card.predicted) << card.action;
        EXPECT_FALSE(card.reason.empty()) << card.action;
    }
}

// One interval of 95 % that ends at -2.5 % is sure by itself, but one of sixteen ends there by
// chance.
TEST(Prediction, ManyCardsAreHeldToANarrowerChance) {
    const WhatIf one_thread{WhatIfKind::threads, "", "1"};
    const auto near =
        predict_primary(few_pairs({94, 94.5, 95, 95.5, 96, 96.5, 97, 97.5}), one_thread);
    ASSERT_TRUE(near.value && near.value->ci95);
    EXPECT_LT(near.value->ci95->high, -measure::kEffectFloorPercent);
    EXPECT_FALSE(near.value->sure);
    const auto clear =
        predict_primary(few_pairs({91, 91.5, 92, 92.5, 93, 93.5, 94, 94.5}), one_thread);
    EXPECT_TRUE(clear.value->sure);
}

TEST(Decisions, NoComparisonIsASureGainInAMeasurementThatCannotBeTrusted) {
    RunRecord record = few_pairs({80, 81, 82, 80, 81, 82, 80, 81});
    const Diagnosis quiet = diagnose(record);
    const Decision* trusted = card_of(quiet, "threads:1");
    ASSERT_TRUE(trusted != nullptr && trusted->predicted);
    EXPECT_TRUE(trusted->predicted->better);
    record.interference = stolen_record().interference;
    const Diagnosis diagnosis = diagnose(record);
    ASSERT_FALSE(diagnosis.measurement.is_trusted());
    const Decision* card = card_of(diagnosis, "threads:1");
    ASSERT_TRUE(card != nullptr && card->predicted);
    EXPECT_FALSE(card->predicted->sure);
    EXPECT_FALSE(card->predicted->better);
    EXPECT_EQ(card->evidence.back().id, "gain_untrusted");
    EXPECT_EQ(diagnosis.outcome.gains, 0u);
}

TEST(Decisions, LossesAreCardsToo) {
    const Diagnosis diagnosis = diagnose(experimented_record());
    const Decision* four = card_of(diagnosis, "threads:4");
    ASSERT_NE(four, nullptr);
    ASSERT_TRUE(four->predicted);
    EXPECT_GT(four->predicted->change_percent, 30);
    EXPECT_FALSE(four->predicted->better);
    EXPECT_EQ(four->apply, (std::vector<std::string>{"--threads", "4"}));
    EXPECT_EQ(four->undo, (std::vector<std::string>{"--threads", "2"}));
    bool said = false;
    for (const cost::Note& line : four->evidence) {
        said = said || line.id == "more_threads_than_cpus";
    }
    EXPECT_TRUE(said);
    const Decision* pass = card_of(diagnosis, "without:merge_qkv");
    ASSERT_NE(pass, nullptr);
    EXPECT_FALSE(pass->predicted->better);
    EXPECT_EQ(pass->apply, (std::vector<std::string>{"--without", "merge_qkv"}));
}

TEST(Decisions, GainsComeFirstLossesLast) {
    const Diagnosis diagnosis = diagnose(experimented_record());
    int stage = 0;  // 0 gains, 1 unknown, 2 losses
    for (const Decision& card : diagnosis.decisions) {
        const int now = !card.predicted ? 1 : card.predicted->better ? 0 : 2;
        EXPECT_GE(now, stage) << card.action;
        stage = std::max(stage, now);
    }
    EXPECT_EQ(stage, 2);
}

TEST(Decisions, SmallerWeightsArePredictedAndRiskQuality) {
    const Diagnosis diagnosis = diagnose(experimented_record());
    const Decision* card = card_of(diagnosis, "weights:Q4_0");
    ASSERT_NE(card, nullptr);
    EXPECT_EQ(card->apply, (std::vector<std::string>{"--weights", "Q4_0"}));
    EXPECT_EQ(card->risk.level, "quality");
    ASSERT_TRUE(card->predicted);
    EXPECT_TRUE(card->predicted->better);
    EXPECT_FALSE(card->predicted->ci95);
    EXPECT_LT(card->predicted->change_percent, -3);
    EXPECT_GT(card->predicted->change_percent, -10);
    // What is not smaller is not offered.
    EXPECT_EQ(card_of(diagnosis, "weights:Q8_0"), nullptr);
}

TEST(Decisions, DisabledPassIsOfferedBack) {
    const Diagnosis diagnosis = diagnose(wasteful_record());
    const Decision* card = card_of(diagnosis, "with:last_position_logits");
    ASSERT_NE(card, nullptr);
    ASSERT_TRUE(card->predicted);
    EXPECT_TRUE(card->predicted->better);
    EXPECT_TRUE(card->apply.empty());
    EXPECT_EQ(card->undo, (std::vector<std::string>{"--without", "last_position_logits"}));
}

TEST(Decisions, ABatchIsAFlag) {
    RunRecord record = experimented_record();
    record.context.scenario = "batch";
    const Diagnosis diagnosis = diagnose(record);
    const Decision* card = card_of(diagnosis, "batch:4");
    ASSERT_NE(card, nullptr);
    EXPECT_TRUE(card->predicted);
    EXPECT_TRUE(card->available);
    EXPECT_EQ(card->apply, (std::vector<std::string>{"--batch", "4"}));
    EXPECT_EQ(card->undo, (std::vector<std::string>{"--batch", "1"}));
}

TEST(Decisions, SmallerContextSavesMemory) {
    const Diagnosis diagnosis = diagnose(fake_record());
    const Decision* card = card_of(diagnosis, "context:256");
    ASSERT_NE(card, nullptr);
    EXPECT_EQ(card->predicted->metric, "kv_bytes");
    EXPECT_NEAR(card->predicted->change_percent, -87.5, 0.1);
    EXPECT_EQ(card->undo, (std::vector<std::string>{"--context", "2048"}));
}

TEST(Decisions, VariantsAndIsaComeFromSweeps) {
    RunRecord record = experimented_record();
    record.experiments.push_back(cost::to_experiment(
        cost::Sweep{"variant_sweep",
                    "linear",
                    "avx2",
                    {{"avx2", samples(10), samples(10)}, {"portable", samples(40), samples(30)}}}));
    record.experiments.push_back(cost::to_experiment(
        cost::Sweep{"isa_sweep",
                    "",
                    "avx2",
                    {{"avx2", samples(10), samples(10)}, {"portable", samples(40), samples(30)}}}));
    const Diagnosis diagnosis = diagnose(record);
    const Decision* variant = card_of(diagnosis, "variant:linear=portable");
    ASSERT_NE(variant, nullptr);
    EXPECT_GT(variant->predicted->change_percent, 100);
    EXPECT_EQ(variant->apply, (std::vector<std::string>{"--variant", "linear=portable"}));
    const Decision* isa = card_of(diagnosis, "isa:portable");
    ASSERT_NE(isa, nullptr);
    EXPECT_GT(isa->predicted->change_percent, 100);
    EXPECT_EQ(card_of(diagnosis, "isa:avx2"), nullptr);
}

TEST(Decisions, BadMeasurementAsksForAnother) {
    EXPECT_NE(card_of(diagnose(stolen_record()), "measure_again"), nullptr);
    EXPECT_EQ(card_of(diagnose(fake_record()), "measure_again"), nullptr);
}

TEST(Decisions, ColdLoadIsPredictedWarm) {
    const Diagnosis cold = diagnose(cold_record());
    const Decision* card = card_of(cold, "keep_warm");
    ASSERT_NE(card, nullptr);
    EXPECT_EQ(card->predicted->metric, "load_ms");
    // Between what the storage cost in the experiment and what the warm start takes.
    EXPECT_LT(card->predicted->change_percent, -100 * 2.7 / 3.1);
    EXPECT_GT(card->predicted->change_percent, -100 * 2.9 / 3.1);
    EXPECT_LT(card->predicted->interval.low, -100 * 2.9 / 3.1);
    EXPECT_GT(card->predicted->interval.high, -100 * 2.7 / 3.1);
    EXPECT_EQ(card_of(diagnose(fake_record()), "keep_warm"), nullptr);
}

TEST(ExperimentPlan, AsksForWhatIsMissingAndNoMore) {
    const ExperimentPlan bare = plan_experiments(fake_record());
    std::set<std::string> names;
    for (const ExperimentRequest& request : bare.requests) {
        names.insert(request.name);
        EXPECT_FALSE(request.reason.empty());
    }
    EXPECT_TRUE(names.count("hot_copy"));
    EXPECT_TRUE(names.count("thread_sweep"));
    EXPECT_TRUE(names.count("batch_sweep"));
    EXPECT_TRUE(names.count("control"));
    EXPECT_TRUE(names.count("pass_ablation"));
    for (const char* name :
         {"weight_scan", "compute_substitution", "delay_injection", "length_sweep", "ftz"}) {
        EXPECT_TRUE(names.count(name)) << name;
    }
    EXPECT_EQ(bare.requests.front().name, "control") << "all others are judged by it";
    EXPECT_FALSE(names.count("null_graph"));
    EXPECT_FALSE(names.count("cold_warm"));
    for (const ExperimentRequest& request : plan_experiments(experimented_record()).requests) {
        EXPECT_NE(request.name, "thread_sweep");
        EXPECT_NE(request.name, "batch_sweep");
        EXPECT_NE(request.subject, "merge_qkv");
    }
}

TEST(ExperimentPlan, OverheadAndColdStartsHaveTheirOwn) {
    std::set<std::string> names;
    for (const auto& request : plan_experiments(tiny_record()).requests) names.insert(request.name);
    EXPECT_TRUE(names.count("null_graph"));
    RunRecord slow_load = fake_record();
    slow_load.load_stage_ms["open"] = 5000;
    names.clear();
    for (const auto& request : plan_experiments(slow_load).requests) names.insert(request.name);
    EXPECT_TRUE(names.count("cold_warm"));
    std::set<std::string> subjects;
    for (const auto& request : plan_experiments(cold_record()).requests) {
        if (request.name == "cold_warm") subjects.insert(request.subject);
    }
    EXPECT_EQ(subjects, std::set<std::string>{"first_run"}) << "the load is in the record";
    // A load that read from storage is asked for, however short it is beside the run.
    RunRecord read = fake_record();
    read.experiments.push_back(
        cost::to_experiment(cost::LoadReads{read.model.file_bytes, read.model.file_bytes, 3}));
    names.clear();
    for (const auto& request : plan_experiments(read).requests) names.insert(request.name);
    EXPECT_TRUE(names.count("cold_warm"));
}

TEST(ExperimentPlan, WhatTheRecordHasIsNotAskedAgain) {
    RunRecord record = experimented_record();
    record.experiments.push_back(cost::to_experiment(cost::Control{{1, 1}, {1, 1}}));
    record.experiments.push_back(cost::to_experiment(cost::WeightScan{}));
    record.experiments.push_back(cost::to_experiment(
        cost::FlushDenormals{"off", {"off", {1}, {1}}, {"on", {1}, {1}}, 0, 0, 0, 0}));
    record.experiments.push_back(cost::to_experiment(
        cost::Sweep{"length_sweep", "", "64", {{"32", {1}, {}}, {"64", {2}, {}}}}));
    const auto asked = plan_experiments(fake_record()).requests;
    for (const ExperimentRequest& request : asked) {
        if (request.name == "compute_substitution") {
            record.experiments.push_back(cost::to_experiment(
                cost::ComputeSubstitution{request.subject, request.slice, 1, {2}, {1}}));
        } else if (request.name == "delay_injection") {
            record.experiments.push_back(cost::to_experiment(
                cost::DelayInjection{request.subject, request.slice, "all", 1, 1, {2}, {3}}));
        } else if (request.name == "hot_copy") {
            record.experiments.push_back(
                cost::to_experiment(cost::HotCopy{request.subject, request.slice, 1, 1, {2}, {1}}));
        }
    }
    for (const ExperimentRequest& request : plan_experiments(record).requests) {
        EXPECT_TRUE(request.name == "pass_ablation" || request.name == "isa_sweep")
            << request.name << " of " << request.subject;
    }
}

}  // namespace
}  // namespace hone::diagnose
