#include "probe/ceilings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "kernels/ceiling/ceiling.h"
#include "machine/facts.h"
#include "probe/ceiling_points.h"

namespace hone::probe {
namespace {

using ::testing::ElementsAre;

machine::MachineFacts facts_with(int cpus, double quota = 0) {
    machine::MachineFacts facts;
    facts.cpus_allowed = cpus;
    facts.cpu_quota = quota;
    return facts;
}

CeilingOptions tiny_options() {
    CeilingOptions options;
    options.threads = {1, 2};
    options.working_sets = {16 << 10, 1 << 20};
    options.budget_s = 0;
    return options;
}

TEST(Ceilings, ThreadCountsArePowersOfTwoAndAll) {
    EXPECT_THAT(default_thread_counts(facts_with(1)), ElementsAre(1));
    EXPECT_THAT(default_thread_counts(facts_with(2)), ElementsAre(1, 2));
    EXPECT_THAT(default_thread_counts(facts_with(6)), ElementsAre(1, 2, 4, 6));
    EXPECT_THAT(default_thread_counts(facts_with(8)), ElementsAre(1, 2, 4, 8));
    EXPECT_THAT(default_thread_counts(facts_with(64, 2.5)), ElementsAre(1, 2, 3));
    EXPECT_THAT(default_thread_counts(facts_with(0)), ElementsAre(1));
}

TEST(Ceilings, MeasuresEveryPointOnce) {
    const base::SteadyClock clock;
    const machine::Isa isa = machine::detect_isa();
    std::vector<double> shares;
    Conduct conduct;
    conduct.progress = [&](std::string_view, double share) { shares.push_back(share); };
    const auto profile =
        measure_ceilings(machine::read_machine_facts(), isa, clock, tiny_options(), conduct);
    ASSERT_TRUE(profile) << profile.error().message;
    EXPECT_TRUE(profile->has_ceilings());
    EXPECT_FALSE(profile->measured_at.empty());
    EXPECT_EQ(profile->bandwidth.size(), 4u);
    for (const machine::BandwidthPoint& point : profile->bandwidth) {
        EXPECT_GT(point.gb_per_s, 0);
        EXPECT_GE(point.gb_per_s_best, point.gb_per_s);
    }
    size_t loops = 0;
    for (const kernels::CeilingVariant& variant : kernels::ceiling_variants()) {
        if (variant.isa <= isa) loops += variant.bf16_dot != nullptr ? 3 : 2;
    }
    EXPECT_EQ(profile->peaks.size(), 2 * loops);
    for (const machine::PeakPoint& point : profile->peaks) EXPECT_GT(point.g_per_s, 0);
    EXPECT_TRUE(profile->overhead_ns("barrier", 2).has_value());
    EXPECT_TRUE(profile->overhead_ns("dispatch", 2).has_value());
    EXPECT_TRUE(profile->overhead_ns("wake", 2).has_value());
    EXPECT_TRUE(profile->overhead_ns("clock_read", 1).has_value());
    ASSERT_FALSE(shares.empty());
    EXPECT_TRUE(std::is_sorted(shares.begin(), shares.end()));
    EXPECT_EQ(shares.back(), 1.0);
}

TEST(Ceilings, KeepsToTheLevelAskedFor) {
    const base::SteadyClock clock;
    CeilingOptions options = tiny_options();
    options.threads = {1};
    const auto profile = measure_ceilings(facts_with(1), machine::Isa::portable, clock, options);
    ASSERT_TRUE(profile);
    for (const machine::PeakPoint& point : profile->peaks) EXPECT_EQ(point.isa, "portable");
}

TEST(Ceilings, LeavesOutWorkingSetsThatTheMachineCannotHold) {
    const base::SteadyClock clock;
    machine::MachineFacts facts = facts_with(1);
    facts.memory_bytes = facts.memory_limit_bytes = facts.memory_available_bytes = 1 << 20;
    CeilingOptions options = tiny_options();
    options.threads = {1};
    const auto profile = measure_ceilings(facts, machine::Isa::portable, clock, options);
    ASSERT_TRUE(profile);
    for (const machine::BandwidthPoint& point : profile->bandwidth) {
        EXPECT_LE(point.bytes, 1u << 19);
    }
}

TEST(Ceilings, WrongThreadCountIsAnError) {
    const base::SteadyClock clock;
    CeilingOptions options = tiny_options();
    options.threads = {0};
    const auto profile = measure_ceilings(facts_with(1), machine::Isa::portable, clock, options);
    ASSERT_FALSE(profile);
    EXPECT_EQ(profile.error().code, base::ErrorCode::invalid_argument);
}

TEST(Ceilings, StopsWhenCancelled) {
    const base::SteadyClock clock;
    const std::atomic<bool> cancel{true};
    Conduct conduct;
    conduct.cancel = &cancel;
    const auto profile =
        measure_ceilings(facts_with(1), machine::Isa::portable, clock, tiny_options(), conduct);
    ASSERT_FALSE(profile);
    EXPECT_EQ(profile.error().code, base::ErrorCode::cancelled);
}

TEST(Ceilings, AStoppedClockGivesNoPointsAndNoHang) {
    const base::VirtualClock clock;
    const auto profile =
        measure_ceilings(facts_with(1), machine::Isa::portable, clock, tiny_options());
    ASSERT_TRUE(profile);
    EXPECT_TRUE(profile->bandwidth.empty());
    EXPECT_TRUE(profile->peaks.empty());
    EXPECT_TRUE(profile->overheads.empty());
    EXPECT_FALSE(profile->has_ceilings());
}

TEST(Ceilings, ReprobesOnABorrowedTeam) {
    const base::SteadyClock clock;
    auto team = machine::ThreadTeam::create({});
    ASSERT_TRUE(team);
    const auto point =
        reprobe_bandwidth(**team, machine::detect_isa(), clock, {.bytes = 1 << 20, .budget_s = 0});
    ASSERT_TRUE(point);
    EXPECT_EQ(point->threads, 1);
    EXPECT_EQ(point->bytes, 1u << 20);
    EXPECT_GT(point->gb_per_s, 0);
}

TEST(CeilingPoints, ArenaIsWrittenByItsReaders) {
    auto team = machine::ThreadTeam::create({.threads = 3});
    ASSERT_TRUE(team);
    const auto arena = ReadArena::create(**team, 10'000);
    ASSERT_TRUE(arena);
    EXPECT_EQ(arena->part_bytes() % 512, 0u);
    EXPECT_GE(arena->part_bytes() * 3, 10'000u);
    for (int thread = 0; thread < 3; ++thread) {
        EXPECT_EQ(std::to_integer<int>(arena->part(thread)[0]), thread + 1);
        EXPECT_EQ(std::to_integer<int>(arena->part(thread)[arena->part_bytes() - 1]), thread + 1);
    }
}

}  // namespace
}  // namespace hone::probe
