#include "probe/interference.h"

#include <gtest/gtest.h>

namespace hone::probe {
namespace {

TEST(Interference, TakesDifferencesAsShares) {
    machine::DisturbanceCounters begin;
    begin.has_steal = begin.has_run_delay = true;
    begin.steal_ticks = 10;
    begin.total_ticks = 1000;
    begin.busy_ticks = 300;
    begin.own_ticks = 200;
    begin.run_delay_ns = 5e6;
    begin.major_faults = 3;
    begin.minor_faults = 100;
    machine::DisturbanceCounters end = begin;
    end.steal_ticks = 15;
    end.total_ticks = 1100;
    end.busy_ticks = 380;
    end.own_ticks = 230;
    end.run_delay_ns = 25e6;
    end.major_faults = 4;
    end.minor_faults = 160;
    const auto seen = InterferenceWatch::between(begin, end, 1e9);
    EXPECT_DOUBLE_EQ(seen.steal_share.value(), 0.05);
    EXPECT_DOUBLE_EQ(seen.foreign_share.value(), 0.5);
    EXPECT_DOUBLE_EQ(seen.run_delay_share.value(), 0.02);
    EXPECT_EQ(seen.major_faults.value(), 1u);
    EXPECT_EQ(seen.minor_faults.value(), 60u);
    EXPECT_DOUBLE_EQ(seen.wall_s, 1.0);
}

TEST(Interference, LeavesOutWhatTheKernelDoesNotTell) {
    const auto seen = InterferenceWatch::between({}, {}, 0);
    EXPECT_FALSE(seen.steal_share.has_value());
    EXPECT_FALSE(seen.foreign_share.has_value());
    EXPECT_FALSE(seen.run_delay_share.has_value());
    EXPECT_EQ(seen.major_faults.value(), 0u);
}

TEST(Interference, CountersThatRunBackwardsAreNothing) {
    machine::DisturbanceCounters begin;
    begin.has_steal = begin.has_run_delay = true;
    begin.steal_ticks = 10;
    begin.total_ticks = 1000;
    begin.run_delay_ns = 5e6;
    machine::DisturbanceCounters end = begin;
    end.steal_ticks = 9;
    end.total_ticks = 1100;
    end.run_delay_ns = 4e6;
    const auto seen = InterferenceWatch::between(begin, end, 1e9);
    EXPECT_EQ(seen.steal_share, 0.0);
    EXPECT_EQ(seen.run_delay_share, 0.0);
}

TEST(Interference, SpinTakesTime) {
    const base::SteadyClock clock;
    EXPECT_GT(spin_ns(clock), 0.0);
}

TEST(Interference, WatchesThisProcess) {
    base::VirtualClock clock;
    const InterferenceWatch watch(clock);
    clock.advance_ns(2'000'000'000);
    EXPECT_DOUBLE_EQ(watch.so_far().wall_s, 2.0);
}

TEST(Interference, DriftIsRelativeToTheFirstReading) {
    EXPECT_DOUBLE_EQ(ceiling_drift(20, 15).value(), 0.25);
    EXPECT_DOUBLE_EQ(ceiling_drift(20, 25).value(), 0.25);
    EXPECT_FALSE(ceiling_drift(0, 25).has_value());
    EXPECT_FALSE(ceiling_drift(20, 0).has_value());
}

}  // namespace
}  // namespace hone::probe
