#include "runtime/draft_meter.h"

#include <gtest/gtest.h>

namespace hone::runtime {
namespace {

// A text in which every draft has `accepted` right tokens of four, and a machine.
struct World {
    double plain_ns = 100;
    double drafted_ns = 150;
    size_t accepted = 4;
    bool found = true;  // the lookup finds a draft
};

StepPlan plan_of(uint32_t n_drafts, uint32_t sequences = 1) {
    StepPlan plan;
    for (uint32_t i = 0; i < sequences; ++i) {
        plan.slices.push_back({.sequence = i + 1,
                               .slot = i,
                               .first_position = 40,
                               .n_tokens = 1 + n_drafts,
                               .n_drafts = n_drafts,
                               .wants_logits = true});
        plan.drafts.insert(plan.drafts.end(), n_drafts, 7);
        plan.tokens += 1 + n_drafts;
    }
    return plan;
}

// Steps of the world; returns how many of them had drafts.
int run(DraftMeter& meter, const World& world, int steps) {
    int drafted = 0;
    for (int i = 0; i < steps; ++i) {
        const bool drafts = meter.wants_drafts() && world.found;
        drafted += drafts ? 1 : 0;
        meter.add(plan_of(drafts ? 4 : 0), drafts ? 1 + world.accepted : 1,
                  drafts ? world.drafted_ns : world.plain_ns);
    }
    return drafted;
}

TEST(DraftMeter, ATrialTakesBothInTurn) {
    DraftMeter meter;
    for (uint32_t i = 0; i < DraftMeter::kWindow; ++i) {
        EXPECT_TRUE(meter.wants_drafts());
        run(meter, {}, 1);
        EXPECT_FALSE(meter.wants_drafts());
        run(meter, {}, 1);
    }
    EXPECT_EQ(meter.counts().drafted_steps, DraftMeter::kWindow);
    EXPECT_EQ(meter.counts().steps, 2 * DraftMeter::kWindow);
}

TEST(DraftMeter, DraftsThatPayStayOnButForShortTrials) {
    DraftMeter meter;
    EXPECT_GT(run(meter, {}, 1000), 900);
    EXPECT_FALSE(meter.paused());
    EXPECT_NEAR(meter.counts().tokens_per_step(), 4.7, 0.2);
    EXPECT_EQ(meter.counts().accepted_share(), 1.0);
}

TEST(DraftMeter, DraftsThatDoNotPayPauseLongerAndLonger) {
    DraftMeter meter;
    World wrong;
    wrong.accepted = 0;
    run(meter, wrong, 2 * DraftMeter::kWindow);
    EXPECT_TRUE(meter.paused());
    EXPECT_EQ(run(meter, wrong, DraftMeter::kPauseMin), 0);
    EXPECT_FALSE(meter.paused()) << "it is tried again";
    run(meter, wrong, 2 * DraftMeter::kWindow);
    EXPECT_EQ(run(meter, wrong, 2 * DraftMeter::kPauseMin), 0);
    EXPECT_LT(run(meter, wrong, 10000), 120);
    // Half a right token a step does not make up for half a step more.
    DraftMeter even;
    World half;
    half.drafted_ns = 210;
    half.accepted = 1;
    run(even, half, 2 * DraftMeter::kWindow);
    EXPECT_TRUE(even.paused());
}

TEST(DraftMeter, ATextThatStopsRepeatingEndsDraftingSoon) {
    DraftMeter meter;
    run(meter, {}, 40);
    EXPECT_TRUE(meter.wants_drafts());
    World wrong;
    wrong.accepted = 0;
    EXPECT_LE(run(meter, wrong, 60), 3 * static_cast<int>(DraftMeter::kWindow));
    EXPECT_TRUE(meter.paused());
    // And one that begins to repeat is found out within the pause.
    EXPECT_GT(run(meter, {}, 300), 150);
}

TEST(DraftMeter, OneInterruptionDoesNotDecide) {
    DraftMeter meter;
    for (uint32_t i = 0; i < 2 * DraftMeter::kWindow; ++i) {
        const bool drafts = meter.wants_drafts();
        meter.add(plan_of(drafts ? 4 : 0), drafts ? 5 : 1, i == 4 ? 1e9 : drafts ? 150 : 100);
    }
    EXPECT_TRUE(meter.wants_drafts());
}

TEST(DraftMeter, StepsWithoutADraftAreStepsWithout) {
    DraftMeter meter;
    World none;
    none.found = false;
    EXPECT_EQ(run(meter, none, 500), 0);
    EXPECT_TRUE(meter.wants_drafts()) << "nothing found yet: it goes on looking";
    EXPECT_EQ(meter.counts().accepted_share(), 0.0);
    EXPECT_EQ(meter.counts().tokens_per_step(), 1.0);
    EXPECT_EQ(DraftCounts().tokens_per_step(), 0.0);
}

TEST(DraftMeter, PromptsAreNotComparedAndSequencesAreCountedOnce) {
    DraftMeter meter;
    StepPlan prompt = plan_of(0, 2);
    prompt.slices[1].n_tokens = 30;
    meter.add(prompt, 2, 1000);
    EXPECT_EQ(meter.counts(), DraftCounts());
    // Three sequences, four drafts each, of which five in all were right.
    meter.add(plan_of(4, 3), 8, 100);
    const DraftCounts expected{
        .steps = 1, .drafted_steps = 1, .tokens = 8, .drafted = 12, .accepted = 5};
    EXPECT_EQ(meter.counts(), expected);
    meter.add(plan_of(4, 3), 8, 100);
    EXPECT_EQ(meter.counts().accepted, 10u);
    EXPECT_EQ(meter.counts().accepted_share(), expected.accepted_share());
}

}  // namespace
}  // namespace hone::runtime
