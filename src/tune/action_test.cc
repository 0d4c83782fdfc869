#include "tune/action.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tune/trial.h"

namespace hone::tune {
namespace {

using diagnose::Decision;
using diagnose::Prediction;
using ledger::TrialStatus;
using measure::Verdict;

Action predicted(double change, double half_width, const char* metric = "latency_ms") {
    Action action{.id = "threads:2", .title = {}, .apply = changes_of("threads:2")};
    Prediction prediction;
    prediction.metric = metric;
    prediction.change_percent = change;
    prediction.interval = {change - half_width, change + half_width};
    action.predicted = prediction;
    return action;
}

TEST(Action, IdsOfCardsStandForChanges) {
    using Changes = ledger::Changes;
    EXPECT_EQ(changes_of("threads:2"), (Changes{{"threads", "2"}}));
    EXPECT_EQ(changes_of("with:merge_qkv"), (Changes{{"pass:merge_qkv", "on"}}));
    EXPECT_EQ(changes_of("without:merge_qkv"), (Changes{{"pass:merge_qkv", "off"}}));
    EXPECT_EQ(changes_of("variant:linear=u4m/avx2"), (Changes{{"variant:linear", "u4m/avx2"}}));
    EXPECT_EQ(changes_of("head:screened"), (Changes{{"head", "screened"}}));
    EXPECT_EQ(changes_of("without_layers:3,17"), (Changes{{"without_layers", "3,17"}}));
    EXPECT_EQ(changes_of("keep_denormals"), (Changes{{"flush_denormals", "off"}}));
    for (const char* other :
         {"measure_again", "quantize:u4", "threads", "with:", "variant:x", ""}) {
        EXPECT_TRUE(changes_of(other).empty()) << other;
    }
}

TEST(Action, WhatIsInForceOrNoSettingIsLeftOut) {
    measure::RunRecord record;
    record.context.prompt_tokens = 64;
    std::vector<Decision> cards(5);
    cards[0].action = "threads:2";
    cards[1].action = "kv:f16";  // in force
    cards[2].action = "measure_again";
    cards[3].action = "batch:8";  // the user's, in this scenario
    cards[4].action = "kv:q8";
    bool own_prompts = true;
    const auto ids = [&](const Settings& now) {
        std::vector<std::string> out;
        for (const Action& action : actions_for(record, cards, now, own_prompts))
            out.push_back(action.id);
        return out;
    };
    EXPECT_EQ(ids({}), (std::vector<std::string>{"threads:2", "kv:q8", "pin:on"}));
    Settings small;
    small.step_tokens = 8;
    small.pin = true;
    EXPECT_EQ(ids(small), (std::vector<std::string>{"threads:2", "kv:q8", "pin:off",
                                                    "step_tokens:64", "step_tokens:16"}));
    record.context.scenario = "batch";
    EXPECT_EQ(ids({}).at(1), "batch:8");
    record.context.scenario = "generative";
    EXPECT_EQ(ids({}),
              (std::vector<std::string>{"threads:2", "kv:q8", "pin:on", "speculate:ngram"}));
    Settings drafting;
    drafting.speculate = kNgram;
    EXPECT_EQ(ids(drafting).back(), "speculate:off");
    own_prompts = false;
    EXPECT_EQ(ids({}).back(), "pin:on") << "made-up texts say nothing of drafts";
}

TEST(Action, TheExpectedGainCountsOnlyTheGoodSide) {
    EXPECT_NEAR(expected_gain_percent(predicted(-20, 0.001)), 20, 1e-6);
    EXPECT_NEAR(expected_gain_percent(predicted(20, 0.001)), 0, 1e-6);
    EXPECT_NEAR(expected_gain_percent(predicted(20, 0.001, "output_tokens_per_s")), 20, 1e-6);
    // A coin around nothing: spread / sqrt(2 pi).
    EXPECT_NEAR(expected_gain_percent(predicted(0, 1.959964)), 0.398942, 1e-5);
    EXPECT_GT(expected_gain_percent(predicted(5, 20)), 1);
    EXPECT_NEAR(expected_gain_percent(Action{.id = "pin:on", .title = {}, .apply = {}}),
                kUnknownSpreadPercent * 0.398942, 1e-5);
}

TEST(Action, RiskAndEffortComeLater) {
    const Gate gate = *parse_gate(kGateDefault);
    Action easy = predicted(-10, 1);
    Action risky = easy;
    risky.risk = "quality";
    Action long_work = easy;
    long_work.minutes = 120;
    EXPECT_GT(rank_of(easy, gate), rank_of(risky, gate));
    EXPECT_GT(rank_of(easy, gate), rank_of(long_work, gate));
    EXPECT_LT(rank_of(predicted(-90, 0, "kv_bytes"), gate), rank_of(long_work, gate));
}

// The fastest weights come first only where the gate lets them in.
TEST(Action, WeightsThatAGateWillRefuseComeLater) {
    Action four = predicted(-68, 10);
    four.risk = "quality";
    four.apply = {{"weights", "Q4_0"}};
    Action six = predicted(-54, 10);
    six.risk = "quality";
    six.apply = {{"weights", "Q6_K"}};
    const Gate strict = *parse_gate("ppl:+2%");
    EXPECT_GT(rank_of(six, strict), rank_of(four, strict));
    const Gate loose = *parse_gate("ppl:+50%,kl:1");
    EXPECT_GT(rank_of(four, loose), rank_of(six, loose));
}

TEST(Action, APromiseSaysHowToUndoIt) {
    Settings now;
    now.threads = 1;
    const ledger::Trial trial = trial_of(predicted(-30, 4), now);
    EXPECT_EQ(trial.apply, (ledger::Changes{{"threads", "2"}}));
    EXPECT_EQ(trial.undo, (ledger::Changes{{"threads", "1"}}));
    EXPECT_EQ(trial.status, TrialStatus::promised);
    EXPECT_EQ(trial.promise->ci95->low, -34);
    EXPECT_EQ(trial.promise_metric, "latency_ms");
}

TEST(Action, LearningCorrectsThePredictionAndKeepsTheRawOne) {
    // Eight tests of the same kind came out a tenth slower than promised: half of that is believed.
    ledger::TestedPromise tested;
    tested.action = "threads:1";
    tested.metric = "latency_ms";
    tested.raw = {0, measure::Interval{-1, 1}, "x"};
    tested.change_percent = 10;
    const std::vector<ledger::TestedPromise> earlier(8, tested);
    Action action = predicted(-4, 1);
    action.predicted->sure = action.predicted->better = true;
    learn(action, {});
    EXPECT_EQ(action.predicted->change_percent, -4);
    EXPECT_TRUE(action.predicted->better);
    learn(action, earlier);
    EXPECT_NEAR(action.predicted->change_percent, 100 * (0.96 * std::sqrt(1.1) - 1), 1e-9);
    EXPECT_LT(action.predicted->interval.low, -4);
    EXPECT_GT(action.predicted->interval.high, 2);
    EXPECT_FALSE(action.predicted->better);
    EXPECT_EQ(action.raw->change_percent, -4);
    const double once = action.predicted->change_percent;
    learn(action, earlier);
    EXPECT_EQ(action.predicted->change_percent, once);  // of the raw one each time
    const ledger::Trial trial = trial_of(action, {});
    EXPECT_EQ(trial.promise->change_percent, once);
    EXPECT_EQ(trial.raw->change_percent, -4);
    EXPECT_EQ(trial.learned_from, 8u);
    Action memory = predicted(-50, 0, "kv_bytes");
    learn(memory, earlier);
    EXPECT_EQ(memory.predicted->change_percent, -50);
    EXPECT_EQ(memory.learned_from, 0u);
}

measure::MetricComparison metric(const char* name, Verdict verdict) {
    measure::MetricComparison out;
    out.name = name;
    out.change_percent = verdict == Verdict::improved ? -5 : 5;
    out.verdict = verdict;
    return out;
}

TEST(Actions, KindsAreKnownByName) {
    for (const char* kind : {"threads", "kv", "with", "without", "variant", "trim_padding"}) {
        EXPECT_TRUE(is_action_kind(kind)) << kind;
    }
    for (const char* kind : {"", "pinn", "threads:2", "thread", ":"}) {
        EXPECT_FALSE(is_action_kind(kind)) << kind;
    }
}

TEST(Decide, AnIntervalThatHintsIsNotCalledNoDifference) {
    const auto reason = [](double change_percent, measure::Interval ci95) {
        auto measured = metric("itl_ms", Verdict::within_noise);
        measured.change_percent = change_percent;
        measured.ci95 = ci95;
        ledger::Trial trial;
        decide({measured}, false, trial);
        EXPECT_EQ(trial.status, TrialStatus::rolled_back);
        return trial.reason.id;
    };
    EXPECT_EQ(reason(-30, {-50, -10}), "rolled_undecided");
    EXPECT_EQ(reason(30, {10, 50}), "rolled_undecided");
    EXPECT_EQ(reason(-30, {-50, 10}), "rolled_noise");
    // Surely there, and too small to count.
    EXPECT_EQ(reason(-1, {-1.5, -0.5}), "rolled_noise");
}

TEST(Decide, OnlyAProvenGainStays) {
    const auto status = [](Verdict primary, Verdict beside, bool saves_memory) {
        ledger::Trial trial;
        decide({metric("itl_ms", primary), metric("latency_ms", beside)}, saves_memory, trial);
        EXPECT_FALSE(trial.reason.empty());
        return trial.status;
    };
    using enum Verdict;
    EXPECT_EQ(status(improved, within_noise, false), TrialStatus::kept);
    EXPECT_EQ(status(improved, regressed, false), TrialStatus::rolled_back);
    EXPECT_EQ(status(within_noise, within_noise, false), TrialStatus::rolled_back);
    EXPECT_EQ(status(within_noise, within_noise, true), TrialStatus::kept);
    EXPECT_EQ(status(within_noise, regressed, true), TrialStatus::rolled_back);
    EXPECT_EQ(status(regressed, improved, true), TrialStatus::rolled_back);
    EXPECT_EQ(status(not_enough_data, improved, true), TrialStatus::rolled_back);
}

}  // namespace
}  // namespace hone::tune
