#include "runtime/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/random.h"

namespace hone::runtime {
namespace {

SequenceView view(SequenceId id, uint32_t computed, uint32_t total) {
    return {.id = id,
            .slot = static_cast<uint32_t>(id),
            .computed = computed,
            .total = total,
            .positions_reserved = total};
}

StepPlan plan_of(const std::vector<SequenceView>& views, uint32_t tokens_max) {
    StepPlan plan;
    schedule(views, tokens_max, plan);
    return plan;
}

TEST(Scheduler, NothingToDoIsAnEmptyPlan) {
    const StepPlan plan = plan_of({}, 8);
    EXPECT_TRUE(plan.empty());
    EXPECT_STREQ(plan.kind(), "empty");
}

TEST(Scheduler, SingleTokensComeFirstThenTheOldest) {
    const StepPlan plan = plan_of({view(1, 0, 100), view(2, 9, 10), view(3, 4, 30)}, 64);
    EXPECT_EQ(to_string(plan), "mixed, 64 tokens: #2@9+1* #1@0+63");
}

TEST(Scheduler, WhatTheOldestLeavesGoesToTheNext) {
    const StepPlan plan = plan_of({view(1, 60, 100), view(2, 4, 30), view(3, 0, 9)}, 64);
    EXPECT_EQ(to_string(plan), "prefill, 64 tokens: #1@60+40* #2@4+24");
    EXPECT_STREQ(plan_of({view(1, 8, 9), view(2, 5, 6)}, 4).kind(), "decode");
}

TEST(Scheduler, APlanIsFilledAgainFromTheStart) {
    StepPlan plan = plan_of({view(1, 0, 5)}, 8);
    const std::vector<SequenceView> next = {view(1, 5, 6)};
    schedule(next, 8, plan);
    EXPECT_EQ(to_string(plan), "decode, 1 tokens: #1@5+1*");
}

TEST(Scheduler, DraftsComeLastAndWithinReservationAndBudget) {
    const std::vector<int32_t> drafts = {1, 2, 3, 4};
    SequenceView roomy = view(1, 9, 10);
    roomy.positions_reserved = 20;
    roomy.drafts = drafts;
    SequenceView full = view(2, 9, 10);
    full.positions_reserved = 11;
    full.drafts = drafts;
    SequenceView prompt = view(3, 0, 5);
    prompt.drafts = drafts;
    StepPlan plan = plan_of({roomy, full, prompt}, 64);
    EXPECT_EQ(to_string(plan), "mixed, 12 tokens: #1@9+1*~4 #2@9+1*~1 #3@0+5*");
    EXPECT_EQ(plan.drafts, (std::vector<int32_t>{1, 2, 3, 4, 1}));
    EXPECT_EQ(plan.slices[0].outputs(), 5u);
    EXPECT_EQ(to_string(plan_of({roomy, full, prompt}, 10)),
              "mixed, 10 tokens: #1@9+1*~3 #2@9+1* #3@0+5*");
    EXPECT_EQ(to_string(plan_of({roomy, full, prompt}, 6)),
              "mixed, 6 tokens: #1@9+1* #2@9+1* #3@0+4");
    EXPECT_STREQ(plan_of({roomy}, 64).kind(), "mixed");
}

// Whatever comes: the budget holds, it is used up when there is work, single tokens all run, and
// the oldest longer gap always advances.
TEST(Scheduler, RandomStatesKeepTheRules) {
    base::Random random(7);
    for (int round = 0; round < 3000; ++round) {
        std::vector<SequenceView> views;
        const size_t n = random.next_below(9);
        uint64_t wanted = 0;
        for (size_t i = 0; i < n; ++i) {
            const auto computed = static_cast<uint32_t>(random.next_below(50));
            const auto gap =
                static_cast<uint32_t>(random.next_below(2) == 0 ? 1 : 1 + random.next_below(40));
            views.push_back(view(i + 1, computed, computed + gap));
            wanted += gap;
        }
        const auto budget = static_cast<uint32_t>(std::max<size_t>(n, 1) + random.next_below(30));
        SCOPED_TRACE(round);
        const StepPlan plan = plan_of(views, budget);
        uint32_t tokens = 0;
        for (const PlannedSlice& slice : plan.slices) {
            const SequenceView& v = views[slice.sequence - 1];
            tokens += slice.n_tokens;
            EXPECT_GT(slice.n_tokens, 0u);
            EXPECT_EQ(slice.slot, v.slot);
            EXPECT_EQ(slice.first_position, v.computed);
            EXPECT_EQ(slice.wants_logits, v.computed + slice.n_tokens == v.total);
        }
        EXPECT_EQ(tokens, plan.tokens);
        EXPECT_EQ(plan.tokens, std::min<uint64_t>(budget, wanted));
        const auto has = [&](SequenceId id) {
            return std::count_if(plan.slices.begin(), plan.slices.end(),
                                 [&](const PlannedSlice& s) { return s.sequence == id; });
        };
        bool oldest = true;
        for (const SequenceView& v : views) {
            if (v.total - v.computed == 1) {
                EXPECT_EQ(has(v.id), 1);
            } else {
                EXPECT_LE(has(v.id), 1);
                if (oldest) {
                    EXPECT_EQ(has(v.id), 1) << "the oldest gap waits";
                }
                oldest = false;
            }
        }
    }
}

TEST(SchedulerDeathTest, ABudgetBelowTheSequencesIsABug) {
    EXPECT_DEATH(plan_of({view(1, 0, 1), view(2, 0, 1)}, 1), "tokens_max");
}

}  // namespace
}  // namespace hone::runtime
