// The cards that repair a finding, and those that must not be there.
#include "diagnose/cards.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "diagnose/diagnosis.h"
#include "diagnose/fake_record.h"

namespace hone::diagnose {
namespace {

using measure::RunRecord;
using Words = std::vector<std::string>;

// A sure gain by a flag, between these changes, whose own interval holds it.
void expect_gain(const RunRecord& record, const char* action, double low, double high) {
    const Diagnosis diagnosis = diagnose(record);
    const Decision* card = card_of(diagnosis, action);
    ASSERT_NE(card, nullptr) << action;
    ASSERT_TRUE(card->predicted) << action << ": " << card->reason.id;
    const Prediction& prediction = *card->predicted;
    EXPECT_TRUE(prediction.better) << action;
    EXPECT_GT(prediction.change_percent, low) << action;
    EXPECT_LT(prediction.change_percent, high) << action;
    EXPECT_LE(prediction.interval.low, prediction.change_percent) << action;
    EXPECT_GE(prediction.interval.high, prediction.change_percent) << action;
    EXPECT_FALSE(card->evidence.empty()) << action;
    EXPECT_FALSE(card->complexity.level.empty()) << action;
    if (card->available) {
        EXPECT_FALSE(card->apply.empty() && card->undo.empty()) << action;
        EXPECT_EQ(diagnosis.outcome.verdict, Outcome::Verdict::gains) << action;
    }
}

void expect_no_gain(const RunRecord& record, const char* action) {
    const Diagnosis diagnosis = diagnose(record);
    const Decision* card = card_of(diagnosis, action);
    if (card == nullptr || !card->predicted) return;
    EXPECT_FALSE(card->predicted->better) << action;
}

TEST(Cards, FewerThreadsWhereThereAreTooMany) {
    expect_gain(oversubscribed_record(), "threads:2", -45, -30);
    expect_no_gain(experimented_record(), "threads:4");
    EXPECT_EQ(card_of(diagnose(oversubscribed_record()), "threads:2")->undo,
              (Words{"--threads", "8"}));
}

TEST(Cards, TheCacheInFewerBits) {
    RunRecord record = fake_record();
    for (measure::PlanNodeFacts& node : record.nodes) {
        if (node.kind == "attend") node.shape = {"f32", 0, 0, 0, false, false, 9, 3, 64, 2, 0};
    }
    const Diagnosis diagnosis = diagnose(record);
    const Decision* card = card_of(diagnosis, "kv:q8");
    ASSERT_NE(card, nullptr);
    EXPECT_EQ(card->apply, (Words{"--kv", "q8"}));
    EXPECT_EQ(card->undo, (Words{"--kv", "f16"}));
    EXPECT_EQ(card->risk.level, "quality");
    // The other nodes have no shapes, so nothing can be simulated, and the card says so.
    EXPECT_FALSE(card->predicted);
    EXPECT_EQ(card->reason.id, "no_node_shapes");
    ASSERT_FALSE(card->evidence.empty());
    EXPECT_EQ(card->evidence[0].id, "kv_dtype_memory");
    const Decision* quarter = card_of(diagnosis, "kv:q4");
    ASSERT_NE(quarter, nullptr);
    EXPECT_EQ(quarter->apply, (Words{"--kv", "q4"}));
    EXPECT_EQ(quarter->risk.level, "quality");
    EXPECT_EQ(card_of(diagnosis, "kv:f16"), nullptr) << "in force";
    // From 4 bits both ways lead to more.
    for (measure::PlanNodeFacts& node : record.nodes) node.shape.kv_element_bytes = 36.0 / 64;
    for (const char* more : {"kv:q8", "kv:f16"}) {
        const Diagnosis other = diagnose(record);
        const Decision* back = card_of(other, more);
        ASSERT_NE(back, nullptr) << more;
        EXPECT_EQ(back->undo, (Words{"--kv", "q4"}));
        EXPECT_EQ(back->risk.level, "exact");
    }
    EXPECT_EQ(card_of(diagnose(record), "kv:q4"), nullptr) << "in force";
    EXPECT_EQ(card_of(diagnose(fake_record()), "kv:q8"), nullptr) << "no type is known";
}

TEST(Cards, LayersAreAPredictionOnly) {
    RunRecord record = fake_record();
    EXPECT_EQ(card_of(diagnose(record), "remove_layers:1"), nullptr) << "too few to spare one";
    record.model.layers = 30;
    const Diagnosis diagnosis = diagnose(record);
    const Decision* card = card_of(diagnosis, "remove_layers:3");
    ASSERT_NE(card, nullptr);
    EXPECT_FALSE(card->available);
    EXPECT_EQ(card->risk.level, "quality");
    EXPECT_TRUE(card->apply.empty());
}

RunRecord record_with_head(const char* variant, const char* kind = "linear") {
    RunRecord record = fake_record();
    measure::PlanNodeFacts head;
    head.index = static_cast<uint32_t>(record.nodes.size());
    head.kind = kind;
    head.variant = variant;
    head.shape.per_output = true;
    head.shape.rows = 49152;
    head.shape.weight_bytes = 30'000'000;
    record.nodes.push_back(head);
    return record;
}

TEST(Cards, AHeadIsScreenedWhereItsRowsAreLarge) {
    const Diagnosis diagnosis = diagnose(record_with_head("s8/avx2"));
    const Decision* card = card_of(diagnosis, "head:screened");
    ASSERT_NE(card, nullptr);
    EXPECT_EQ(card->apply, (Words{"--head", "screened"}));
    EXPECT_EQ(card->risk.level, "exact");
    EXPECT_FALSE(card->evidence.empty());
    EXPECT_EQ(card_of(diagnose(record_with_head("u4/avx2")), "head:screened"), nullptr);
    EXPECT_EQ(card_of(diagnose(record_with_head("avx2", "linear_screened")), "head:screened"),
              nullptr)
        << "it is already";
    RunRecord batch = record_with_head("s8/avx2");
    batch.context.batch = 4;
    EXPECT_EQ(card_of(diagnose(batch), "head:screened"), nullptr) << "rows of several sequences";
}

RunRecord record_with_layers(std::vector<cost::LayerInfluence> influences, uint32_t of) {
    RunRecord record = fake_record();
    record.model.layers = of;
    record.nodes.clear();
    for (const cost::LayerInfluence& layer : influences) {
        measure::PlanNodeFacts node;
        node.index = static_cast<uint32_t>(record.nodes.size());
        node.kind = "linear";
        node.layer = layer.layer;
        record.nodes.push_back(node);
    }
    record.experiments.push_back(
        cost::to_experiment(cost::LayerInfluences{32, std::move(influences)}));
    return record;
}

TEST(Cards, LayersThatDoLeastAreNamed) {
    std::vector<cost::LayerInfluence> influences;
    for (int layer = 0; layer < 20; ++layer) {
        if (layer != 3) influences.push_back({layer, layer == 17 ? 0.01 : layer == 5 ? 0.02 : 0.1});
    }
    const Diagnosis diagnosis = diagnose(record_with_layers(influences, 20));
    EXPECT_EQ(card_of(diagnosis, "remove_layers:2"), nullptr) << "it is known which";
    const Decision* one = card_of(diagnosis, "without_layers:3,17");
    ASSERT_NE(one, nullptr) << "layer 3 is out already";
    EXPECT_EQ(one->apply, (Words{"--without-layers", "3,17"}));
    EXPECT_EQ(one->undo, (Words{"--without-layers", "3"}));
    EXPECT_EQ(one->risk.level, "quality");
    EXPECT_TRUE(one->available);
    ASSERT_FALSE(one->evidence.empty());
    EXPECT_EQ(one->evidence[0].id, "layer_influence");
    EXPECT_NE(card_of(diagnosis, "without_layers:3,5,17"), nullptr) << "a tenth of 19";
}

TEST(Cards, AShallowModelSparesOnlyALayerThatDoesNothing) {
    const auto card = [](double influence) {
        const Diagnosis diagnosis =
            diagnose(record_with_layers({{0, 0.2}, {1, 0.3}, {2, influence}, {3, 0.4}}, 4));
        return card_of(diagnosis, "without_layers:2") != nullptr;
    };
    EXPECT_TRUE(card(0));
    EXPECT_FALSE(card(0.1));
}

TEST(Cards, AQuietMachineIsAsQuietAsItWasOnceSeen) {
    const Diagnosis diagnosis = diagnose(traffic_record(16));
    const Decision* card = card_of(diagnosis, "quiet_machine");
    ASSERT_NE(card, nullptr);
    ASSERT_TRUE(card->predicted);
    // Memory at 80 % of its usual speed; at 73 % of the best that was ever measured here.
    EXPECT_GT(card->predicted->change_percent, -20);
    EXPECT_LT(card->predicted->interval.low, card->predicted->change_percent - 4);
}

TEST(Cards, APassOnAgain) {
    expect_gain(unfused_record(), "with:merge_gate_up", -9, -6);
    expect_no_gain(unfused_record(4.99e6), "with:merge_gate_up");
}

TEST(Cards, DenormalsAreFlushedWhereThatPays) {
    expect_gain(denormal_record(), "flush_denormals", -60, -35);
    const Diagnosis diagnosis = diagnose(denormal_record());
    const Decision* card = card_of(diagnosis, "flush_denormals");
    EXPECT_EQ(card->apply, (Words{"--flush-denormals"}));
    EXPECT_TRUE(card->undo.empty());
    // Eight rows of logits without a different bit.
    EXPECT_EQ(card->risk.level, "exact");
    expect_no_gain(denormal_record(5e6), "flush_denormals");
    EXPECT_EQ(card_of(diagnose(fake_record()), "flush_denormals"), nullptr);
}

TEST(Cards, KeepingDenormalsLosesWhereTheyAreFlushed) {
    RunRecord record = denormal_record();
    record.experiments[0].parameters["baseline"] = "on";
    const Diagnosis diagnosis = diagnose(record);
    EXPECT_EQ(card_of(diagnosis, "flush_denormals"), nullptr);
    const Decision* card = card_of(diagnosis, "keep_denormals");
    ASSERT_NE(card, nullptr);
    EXPECT_GT(card->predicted->change_percent, 30);
    EXPECT_EQ(card->undo, (Words{"--flush-denormals"}));
}

TEST(Cards, PrefixCacheForPromptsThatBeginAlike) {
    // 48 of 64 tokens of a prefill that is a third of the request.
    expect_gain(shared_prefix_record(), "prefix_cache:on", -27, -18);
    EXPECT_EQ(card_of(diagnose(fake_record()), "prefix_cache:on"), nullptr);
    const Diagnosis reused = diagnose(shared_prefix_record(true));
    EXPECT_EQ(card_of(reused, "prefix_cache:on"), nullptr);
    const Decision* off = card_of(reused, "prefix_cache:off");
    ASSERT_NE(off, nullptr);
    EXPECT_GT(off->predicted->change_percent, 50);
    EXPECT_FALSE(off->predicted->better);
}

TEST(Cards, PrefixCacheDoesNotMoveThePaceOfTokens) {
    RunRecord record = shared_prefix_record();
    record.context.scenario = "generative";
    const Diagnosis diagnosis = diagnose(record);
    const Decision* card = card_of(diagnosis, "prefix_cache:on");
    ASSERT_NE(card, nullptr);
    EXPECT_FALSE(card->predicted);
    EXPECT_EQ(card->reason.id, "metric_without_prefill");
}

TEST(Cards, PaddingIsTrimmed) {
    expect_gain(padded_record(), "trim_padding", -18, -10);
    EXPECT_EQ(card_of(diagnose(padded_record(0)), "trim_padding"), nullptr);
    // What the prefix cache keeps was not computed.
    RunRecord record = padded_record();
    for (auto& request : record.requests) request.prompt_tokens_reused = 32;
    EXPECT_EQ(card_of(diagnose(record), "trim_padding"), nullptr);
}

TEST(Cards, ALengthSweepNarrowsThePrefill) {
    RunRecord record = shared_prefix_record();
    cost::Sweep sweep{"length_sweep", "", "64", {}};
    for (const int tokens : {16, 32, 64}) {
        sweep.points.push_back({std::to_string(tokens), samples(5e6 + 0.55e6 * tokens), {}});
    }
    record.experiments.push_back(cost::to_experiment(sweep));
    const cost::Ratio ratio = prefill_factor(record, record.requests[0], 0.25);
    EXPECT_NEAR(ratio.value, (5 + 0.55 * 16) / (5 + 0.55 * 64), 0.01);
    EXPECT_LE(ratio.low, ratio.value);
    EXPECT_GE(ratio.high, ratio.value);
    // Outside of the sweep the run itself is all there is.
    EXPECT_GT(prefill_factor(record, record.requests[0], 0.1).value, 0.1);
    EXPECT_EQ(prefill_factor(record, record.requests[0], 1).value, 1);
}

TEST(Cards, FinerStepsAreALossOfTheirOwn) {
    RunRecord record = fake_record();
    cost::Sweep sweep{"length_sweep", "", "64", {}};
    for (const int tokens : {32, 64}) {
        sweep.points.push_back({std::to_string(tokens), samples(5e6 + 0.55e6 * tokens), {}});
    }
    record.experiments.push_back(cost::to_experiment(sweep));
    const Diagnosis diagnosis = diagnose(record);
    const Decision* card = card_of(diagnosis, "step_tokens:32");
    ASSERT_NE(card, nullptr);
    ASSERT_TRUE(card->predicted);
    EXPECT_GT(card->predicted->change_percent, 2);
    EXPECT_EQ(card->apply, (Words{"--step-tokens", "32"}));
}

TEST(Cards, AQuietMachineIsPredictedButNotAppliedHere) {
    expect_gain(traffic_record(), "quiet_machine", -35, -15);
    expect_gain(throttled_record(), "quiet_machine", -35, -25);
    EXPECT_FALSE(card_of(diagnose(traffic_record()), "quiet_machine")->available);
    EXPECT_EQ(card_of(diagnose(experimented_record()), "quiet_machine"), nullptr);
}

TEST(Cards, EveryActionIsThereOnceAndCanBeUndone) {
    for (const RunRecord& record : {experimented_record(), wasteful_record(), denormal_record(),
                                    padded_record(), oversubscribed_record()}) {
        std::set<std::string> actions;
        for (const Decision& card : diagnose(record).decisions) {
            EXPECT_TRUE(actions.insert(card.action).second) << card.action;
            if (!card.available || card.action == "measure_again") continue;
            EXPECT_NE(card.apply, card.undo) << card.action;
        }
    }
}

TEST(Outcome, NothingPaysOnACleanRecord) {
    const Diagnosis diagnosis = diagnose(experimented_record());
    EXPECT_EQ(diagnosis.outcome.verdict, Outcome::Verdict::nothing_pays);
    EXPECT_EQ(diagnosis.outcome.gains, 0u);
    EXPECT_GE(diagnosis.outcome.losses, 3u);
    EXPECT_EQ(diagnosis.outcome.checked, (Words{"threads", "without"}));
}

TEST(Outcome, NoDataIsNoAnswer) {
    EXPECT_EQ(diagnose(fake_record()).outcome.verdict, Outcome::Verdict::not_enough_data);
    RunRecord noisy = experimented_record();
    noisy.interference.steal_share = 0.5;
    const Diagnosis diagnosis = diagnose(noisy);
    EXPECT_EQ(diagnosis.outcome.verdict, Outcome::Verdict::not_enough_data);
    EXPECT_TRUE(diagnosis.outcome.untrusted);
}

TEST(Outcome, SmallAndDoubtfulChangesAreNoGains) {
    // One percent in every pair: sure, and not worth a card that says gain.
    RunRecord record = fake_record();
    record.experiments.push_back(cost::to_experiment(cost::Sweep{
        "thread_sweep",
        "",
        "2",
        {{"1", samples(0.99e6), samples(4.95e6)}, {"2", samples(1.0e6), samples(5.0e6)}}}));
    const Diagnosis diagnosis = diagnose(record);
    EXPECT_FALSE(card_of(diagnosis, "threads:1")->predicted->better);
    EXPECT_EQ(diagnosis.outcome.gains, 0u);
    EXPECT_EQ(diagnosis.outcome.too_close, 1u);
}

}  // namespace
}  // namespace hone::diagnose
