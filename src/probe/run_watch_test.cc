#include "probe/run_watch.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <chrono>
#include <thread>

#include "machine/fake_tree.h"
#include "probe/probe_fixture.h"

namespace hone::probe {
namespace {

TEST(ProcessCounters, CountWhatThisProcessDid) {
    const base::SteadyClock clock;
    const ProcessCounters counters(clock);
    // Fresh pages, all written: each is a fault, or all of them one where pages are huge.
    constexpr size_t kBytes = size_t{2} << 20;
    void* memory =
        mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    for (size_t at = 0; at < kBytes; at += 4096) static_cast<volatile char*>(memory)[at] = 1;
    munmap(memory, kBytes);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const cost::Counters seen = counters.so_far();
    EXPECT_GE(seen.wall_ns, 1e6);
    EXPECT_GT(seen.task_clock_ns.value_or(0), 0);
    EXPECT_GE(seen.page_faults.value_or(0), 1u);
    EXPECT_TRUE(seen.context_switches.has_value());
    EXPECT_EQ(seen.cycles.has_value(), seen.instructions.has_value());
    if (seen.cycles) {
        EXPECT_GT(*seen.cycles, kBytes / 4096);
    }
}

TEST(ProcessCounters, MigrationsAreThoseOfAllThreads) {
    machine::FakeTree tree;
    EXPECT_FALSE(read_migrations(tree.root()).has_value());
    tree.put("/proc/self/task/11/sched", "x (11, #threads: 2)\n---\nse.nr_migrations   :   5\n")
        .put("/proc/self/task/12/sched", "y\nse.nr_migrations : 7\nnr_switches : 3\n")
        .put("/proc/self/task/13/stat", "no sched here");
    EXPECT_EQ(read_migrations(tree.root()), 12u);
}

TEST(RunWatch, SlicesAreSharesOfTheirWall) {
    machine::DisturbanceCounters begin;
    begin.has_throttling = true;
    begin.throttled_ns = 1e6;
    machine::DisturbanceCounters end = begin;
    end.throttled_ns = 26e6;
    const auto slice = RunWatch::slice_between(begin, end, 1e8);
    EXPECT_DOUBLE_EQ(slice.throttled_share.value(), 0.25);
    EXPECT_DOUBLE_EQ(slice.wall_s, 0.1);
    EXPECT_FALSE(slice.steal_share.has_value());
    EXPECT_FALSE(RunWatch::slice_between({}, end, 1e8).throttled_share.has_value());
}

class RunWatchTest : public TinyModelTest {};

TEST_F(RunWatchTest, ASliceIsClosedWhenItIsOldEnough) {
    base::VirtualClock clock;
    RunWatch watch(session_->executor(), machine_, clock);
    clock.advance_ns(100'000'000);
    watch.between_rounds();
    clock.advance_ns(200'000'000);
    watch.between_rounds();
    watch.between_rounds();
    clock.advance_ns(50'000'000);
    measure::RunRecord record;
    watch.finish(42, record);
    const auto series = cost::find_interference(record);
    ASSERT_TRUE(series.has_value());
    ASSERT_EQ(series->slices.size(), 2u);
    EXPECT_DOUBLE_EQ(series->slices[0].at_s, 0.3);
    EXPECT_DOUBLE_EQ(series->slices[1].wall_s, 0.05);
    EXPECT_FALSE(cost::find_bandwidth_probe(record).has_value()) << "the clock stood still";
    ASSERT_TRUE(cost::find_counters(record).has_value());
    EXPECT_EQ(cost::find_counters(record)->tokens, 42u);
}

TEST_F(RunWatchTest, QuietCeilingIsThatOfTheSameSet) {
    RunWatch watch(session_->executor(), machine_, clock_);
    measure::RunRecord record;
    watch.finish(1, record);
    const auto probe = cost::find_bandwidth_probe(record);
    ASSERT_TRUE(probe.has_value());
    EXPECT_EQ(probe->quiet_gb_per_s, machine_.bandwidth_gb_per_s(probe->bytes, 2));
    EXPECT_TRUE(probe->quiet_ratio().has_value());
}

}  // namespace
}  // namespace hone::probe
