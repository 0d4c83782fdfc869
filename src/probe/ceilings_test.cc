#include "probe/ceilings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "kernels/ceiling/ceiling.h"
#include "machine/facts.h"
#include "probe/ceiling_gemm.h"
#include "probe/ceiling_memory.h"
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
    options.grace_s = 600;  // nothing is left out for want of time, however busy the machine is
    options.whole = false;
    return options;
}

// Everything, as small as it gets.
CeilingOptions whole_options(const std::string& directory) {
    CeilingOptions options = tiny_options();
    options.whole = true;
    options.gemm_batches = {1};
    options.scratch_directory = directory;
    options.file_bytes = 1 << 20;
    return options;
}

bool has_left_out(const machine::MachineProfile& profile, const std::string& what,
                  const std::string& reason) {
    for (const machine::LeftOut& item : profile.left_out) {
        if (item.what == what && item.reason == reason) return true;
    }
    return false;
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

TEST(Ceilings, TheWholeHasStoresProductsLatencyFilesAndTheClock) {
    const base::SteadyClock clock;
    const machine::Isa isa = machine::detect_isa();
    machine::MachineFacts facts = machine::read_machine_facts();
    facts.caches = {{1, "data", 32 << 10, 1}, {2, "unified", 128 << 10, 1}};
    const auto profile = measure_ceilings(facts, isa, clock, whole_options(::testing::TempDir()));
    ASSERT_TRUE(profile) << profile.error().message;
    // 16 KiB shows L1, 1 MiB lies behind both caches: four ways to store, two teams.
    size_t stores = 0;
    for (const machine::BandwidthPoint& point : profile->bandwidth) {
        stores += point.operation != "read" ? 1 : 0;
        EXPECT_GT(point.gb_per_s, 0) << point.operation;
    }
    EXPECT_EQ(stores, 2u * 2u * 4u);
    EXPECT_EQ(profile->gemms.size(), 2 * gemm_variants(isa).size());
    for (const machine::GemmPoint& point : profile->gemms) {
        EXPECT_GT(point.g_per_s(), 0) << point.format;
        const auto peak = profile->peak_g_per_s("int8_dot", point.threads);
        ASSERT_TRUE(peak);
    }
    std::set<int> readers;
    for (const machine::LatencyPoint& point : profile->latencies) readers.insert(point.readers);
    EXPECT_THAT(readers, ElementsAre(0, 1));
    EXPECT_EQ(profile->latencies.size() % 2, 0u);
    ASSERT_TRUE(profile->clock);
    // No core of this decade runs outside of this, busy or not; a preempted chain is only slower.
    EXPECT_LT(profile->clock->ghz_max, 10.0);
    EXPECT_GT(profile->clock->ghz_max, 0.01);
    EXPECT_LE(profile->clock->ghz_min, profile->clock->ghz);
    EXPECT_TRUE(profile->overhead_ns("page_fault", 1).has_value());
    // The rest is measured, or there is a reason.
    EXPECT_EQ(profile->files.size() + profile->left_out.size(), 4u);
}

TEST(Ceilings, SaysWhatItLeftOut) {
    const base::SteadyClock clock;
    CeilingOptions options = whole_options("");
    options.threads = {1};
    auto profile = measure_ceilings(facts_with(1), machine::Isa::portable, clock, options);
    ASSERT_TRUE(profile);
    EXPECT_TRUE(profile->files.empty());
    EXPECT_TRUE(has_left_out(*profile, "files", "no_directory"));
    options.scratch_directory = "/proc/no/such/directory";
    profile = measure_ceilings(facts_with(1), machine::Isa::portable, clock, options);
    ASSERT_TRUE(profile);
    EXPECT_TRUE(has_left_out(*profile, "files", "storage"));
}

TEST(CeilingMemory, CountsTheLineThatAStoreReads) {
    EXPECT_DOUBLE_EQ(moved_per_byte(StoreLoop::write, false), 2);
    EXPECT_DOUBLE_EQ(moved_per_byte(StoreLoop::write, true), 1);
    EXPECT_DOUBLE_EQ(moved_per_byte(StoreLoop::copy, false), 3);
    EXPECT_DOUBLE_EQ(moved_per_byte(StoreLoop::copy, true), 2);
    EXPECT_DOUBLE_EQ(moved_per_byte(StoreLoop::write_streaming, false), 1);
    EXPECT_DOUBLE_EQ(moved_per_byte(StoreLoop::copy_streaming, true), 2);
}

TEST(CeilingMemory, OneCycleGoesThroughEveryLine) {
    for (const uint64_t lines : {2u, 3u, 1000u}) {
        const auto cycle = LineCycle::create(lines * LineCycle::kLineBytes);
        ASSERT_TRUE(cycle);
        const void* at = cycle->start();
        for (uint64_t i = 1; i < lines; ++i) {
            at = kernels::chase(at, 1);
            EXPECT_NE(at, cycle->start()) << i << " of " << lines;
        }
        EXPECT_EQ(kernels::chase(at, 1), cycle->start());
    }
}

TEST(CeilingMemory, TheClockIsTheMedianAndItsDriftTheEnds) {
    EXPECT_FALSE(clock_rate({}).has_value());
    const auto rate = clock_rate({3.0, 4.0, 3.3});
    ASSERT_TRUE(rate);
    EXPECT_DOUBLE_EQ(rate->ghz, 3.3);
    EXPECT_DOUBLE_EQ(rate->ghz_min, 3.0);
    EXPECT_DOUBLE_EQ(rate->ghz_max, 4.0);
    EXPECT_NEAR(rate->drift_share, 0.1, 1e-12);
    EXPECT_FALSE(core_ghz(base::VirtualClock()).has_value());
}

TEST(CeilingGemm, VariantsAreThoseOfRealMachines) {
    for (const kernels::LinearVariant* variant : gemm_variants(machine::Isa::avx512vnni)) {
        EXPECT_GE(variant->isa, machine::Isa::avx2) << variant->name;
    }
    for (const kernels::LinearVariant* variant : gemm_variants(machine::Isa::portable)) {
        EXPECT_STREQ(variant->name, "portable");
    }
    EXPECT_FALSE(gemm_variants(machine::Isa::portable).empty());
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
