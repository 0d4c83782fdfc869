#include "measure/step_timer.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

#include "machine/thread_team.h"

namespace hone::measure {
namespace {

// Plays a schedule on a virtual clock: at(ns) moves it, and marks read it.
class Stage {
  public:
    Stage(size_t nodes, int threads)
        : timer(nodes, threads, clock, TickRate{}), table(nodes), nodes_(nodes) {}

    // Times are relative to the first at() of the test and never go back.
    StepTimer& at(int64_t ns) {
        clock.advance_ns(ns + 1000 - clock.now_ns());
        return timer;
    }
    void fold(std::string_view slice = "decode", uint32_t position = 0, uint64_t tokens = 1) {
        const std::vector<double> bytes(nodes_, 100);
        const std::vector<double> flops(nodes_, 7);
        timer.fold(table, slice, position, tokens, bytes, flops);
    }
    OperatorSample row(size_t node) { return table.rows_for("decode", 0)[node]; }

    base::VirtualClock clock;
    StepTimer timer;
    OperatorTable table;

  private:
    size_t nodes_;
};

double attributed_ns(const OperatorTable& table) {
    double sum = 0;
    for (const OperatorSample& row : table.samples()) {
        sum += row.compute_ns + row.barrier_ns + row.dispatch_ns;
    }
    return sum;
}

TEST(StepTimer, OneThreadIsStartComputeAndBarrier) {
    Stage stage(2, 1);
    stage.at(0).begin_step();
    stage.at(5).mark_start(0, 0);
    stage.at(25).mark_compute_end(0, 0);
    stage.at(27).mark_barrier_end(0, 0);
    stage.at(30).mark_start(1, 0);
    stage.at(70).mark_compute_end(1, 0);
    stage.at(71).mark_barrier_end(1, 0);
    stage.at(80).end_step();
    stage.fold();
    EXPECT_EQ(stage.row(0).dispatch_ns, 5);
    EXPECT_EQ(stage.row(0).compute_ns, 20);
    EXPECT_EQ(stage.row(0).compute_mean_ns, 20);
    EXPECT_EQ(stage.row(0).barrier_ns, 2);
    EXPECT_EQ(stage.row(1).dispatch_ns, 3);
    EXPECT_EQ(stage.row(1).compute_ns, 40);
    EXPECT_EQ(stage.row(1).barrier_ns, 1);
    EXPECT_EQ(stage.row(1).calls, 1u);
    EXPECT_EQ(stage.row(1).bytes, 100);
    EXPECT_EQ(stage.row(1).flops, 7);
    EXPECT_EQ(stage.table.wall_ns(), 80);
    EXPECT_EQ(stage.table.unattributed_ns(), 9);
    EXPECT_EQ(stage.timer.step_wall_ns(), 80);
}

// Thread 1 wakes late and finishes last: its time line carries the step, and the wake-up is
// dispatch and not compute.
TEST(StepTimer, TheThreadThatEndsLastIsCritical) {
    Stage stage(1, 2);
    stage.at(0).begin_step();
    stage.at(2).mark_start(0, 0);
    stage.at(30).mark_start(0, 1);
    stage.at(62).mark_compute_end(0, 0);
    stage.at(80).mark_compute_end(0, 1);
    stage.at(84).mark_barrier_end(0, 1);
    stage.at(99).mark_barrier_end(0, 0);  // woken late, long after the barrier opened
    stage.at(100).end_step();
    stage.fold();
    EXPECT_EQ(stage.row(0).dispatch_ns, 30);
    EXPECT_EQ(stage.row(0).compute_ns, 50);
    EXPECT_EQ(stage.row(0).compute_mean_ns, 55);
    EXPECT_EQ(stage.row(0).barrier_ns, 4);
    EXPECT_EQ(stage.table.unattributed_ns(), 16);
}

// Waking up after a barrier belongs to the node that waits for it, on the critical thread.
TEST(StepTimer, WakingUpIsDispatchOfTheNextNode) {
    Stage stage(2, 2);
    stage.at(0).begin_step();
    stage.at(0).mark_start(0, 0);
    stage.at(0).mark_start(0, 1);
    stage.at(10).mark_compute_end(0, 0);
    stage.at(20).mark_compute_end(0, 1);
    stage.at(21).mark_barrier_end(0, 1);
    stage.at(21).mark_start(1, 1);
    stage.at(26).mark_compute_end(1, 1);
    stage.at(51).mark_barrier_end(0, 0);
    stage.at(51).mark_start(1, 0);
    stage.at(61).mark_compute_end(1, 0);
    stage.at(62).mark_barrier_end(1, 0);
    stage.at(63).mark_barrier_end(1, 1);
    stage.at(62 + 3).end_step();
    stage.fold();
    EXPECT_EQ(stage.row(0).barrier_ns, 1);
    EXPECT_EQ(stage.row(1).dispatch_ns, 30);
    EXPECT_EQ(stage.row(1).compute_ns, 10);
    EXPECT_EQ(stage.row(1).compute_mean_ns, 7.5);
    EXPECT_EQ(stage.row(1).barrier_ns, 1);
    EXPECT_EQ(attributed_ns(stage.table) + stage.table.unattributed_ns(), 65);
}

TEST(StepTimer, NodesWithoutBarrierFollowThreadByThread) {
    Stage stage(3, 2);
    stage.at(0).begin_step();
    stage.at(1).mark_start(0, 0);
    stage.at(2).mark_start(0, 1);
    stage.at(10).mark_compute_end(0, 1);
    stage.at(11).mark_start(1, 1);
    stage.at(20).mark_compute_end(0, 0);
    stage.at(23).mark_start(1, 0);
    stage.at(40).mark_compute_end(1, 0);
    stage.at(45).mark_compute_end(1, 1);  // the segment's critical thread is 1
    stage.at(47).mark_barrier_end(1, 0);
    stage.at(47).mark_barrier_end(1, 1);
    stage.at(48).mark_start(2, 0);
    stage.at(48).mark_start(2, 1);
    stage.at(50).mark_compute_end(2, 0);
    stage.at(58).mark_compute_end(2, 1);  // no barrier at the end of the step
    stage.at(60).end_step();
    stage.fold();
    EXPECT_EQ(stage.row(0).dispatch_ns, 2);
    EXPECT_EQ(stage.row(0).compute_ns, 8);
    EXPECT_EQ(stage.row(0).compute_mean_ns, 13.5);
    EXPECT_EQ(stage.row(0).barrier_ns, 0);
    EXPECT_EQ(stage.row(1).dispatch_ns, 1);
    EXPECT_EQ(stage.row(1).compute_ns, 34);
    EXPECT_EQ(stage.row(1).barrier_ns, 2);
    EXPECT_EQ(stage.row(2).dispatch_ns, 1);
    EXPECT_EQ(stage.row(2).compute_ns, 10);
    EXPECT_EQ(stage.row(2).barrier_ns, 0);
    EXPECT_EQ(stage.table.unattributed_ns(), 2);
    EXPECT_EQ(attributed_ns(stage.table), 58);
}

// A later step that leaves nodes out must not see the stamps of an earlier one.
TEST(StepTimer, SkippedNodesAndBarriersAreNotCountedAgain) {
    Stage stage(3, 1);
    for (int64_t step = 0; step < 3; ++step) {
        const int64_t begin = step * 1000;
        stage.at(begin).begin_step();
        stage.at(begin + 1).mark_start(0, 0);
        stage.at(begin + 11).mark_compute_end(0, 0);
        if (step == 0) {
            stage.at(begin + 13).mark_barrier_end(0, 0);
            stage.at(begin + 14).mark_start(1, 0);
            stage.at(begin + 24).mark_compute_end(1, 0);
            stage.at(begin + 26).mark_barrier_end(1, 0);
        }
        stage.at(begin + 30).mark_start(2, 0);
        stage.at(begin + 40).mark_compute_end(2, 0);
        stage.at(begin + 41).mark_barrier_end(2, 0);
        stage.at(begin + 41).end_step();
        stage.fold();
    }
    EXPECT_EQ(stage.row(0).calls, 3u);
    EXPECT_EQ(stage.row(0).barrier_ns, 2);
    EXPECT_EQ(stage.row(1).calls, 1u);
    EXPECT_EQ(stage.row(1).compute_ns, 10);
    EXPECT_EQ(stage.row(2).calls, 3u);
    EXPECT_EQ(stage.row(2).dispatch_ns, 4 + 19 + 19);
    EXPECT_EQ(stage.table.steps(), 3u);
    EXPECT_EQ(attributed_ns(stage.table) + stage.table.unattributed_ns(), 3 * 41);
}

TEST(StepTimer, EmptyStepIsUnattributed) {
    Stage stage(2, 2);
    stage.at(0).begin_step();
    stage.at(10).end_step();
    stage.fold();
    EXPECT_TRUE(stage.table.samples().empty());
    EXPECT_EQ(stage.table.unattributed_ns(), 10);
}

TEST(StepTimer, SlicesAndBucketsStayApart) {
    EXPECT_EQ(position_bucket(0), 0u);
    EXPECT_EQ(position_bucket(255), 0u);
    EXPECT_EQ(position_bucket(256), 256u);
    EXPECT_EQ(position_bucket(511), 256u);
    EXPECT_EQ(position_bucket(512), 512u);
    EXPECT_EQ(position_bucket(1024), 1024u);
    EXPECT_EQ(position_bucket(4095), 2048u);
    EXPECT_EQ(position_bucket(4096), 4096u);
    EXPECT_EQ(position_bucket(UINT32_MAX), 1u << 31);

    Stage stage(1, 1);
    const auto step = [&](int64_t begin, std::string_view slice, uint32_t position,
                          uint64_t tokens) {
        stage.at(begin).begin_step();
        stage.at(begin + 1).mark_start(0, 0);
        stage.at(begin + 2).mark_compute_end(0, 0);
        stage.at(begin + 3).end_step();
        stage.fold(slice, position, tokens);
    };
    step(0, "prefill", 0, 64);
    step(10, "decode", 64, 1);
    step(20, "decode", 300, 1);
    step(30, "decode", 65, 1);
    const auto samples = stage.table.samples();
    ASSERT_EQ(samples.size(), 3u);
    EXPECT_EQ(samples[0].slice, "decode");
    EXPECT_EQ(samples[0].position_bucket, 0u);
    EXPECT_EQ(samples[0].calls, 2u);
    EXPECT_EQ(samples[0].tokens, 2u);
    EXPECT_EQ(samples[1].position_bucket, 256u);
    EXPECT_EQ(samples[2].slice, "prefill");
    EXPECT_EQ(samples[2].tokens, 64u);
}

TEST(StepTimer, BytesAndFlopsMayBeUnknown) {
    Stage stage(1, 1);
    stage.at(0).begin_step();
    stage.at(1).mark_start(0, 0);
    stage.at(2).mark_compute_end(0, 0);
    stage.at(3).end_step();
    stage.timer.fold(stage.table, "decode", 0, 1, {}, {});
    EXPECT_EQ(stage.row(0).bytes, 0);
    EXPECT_EQ(stage.row(0).calls, 1u);
}

TEST(StepTimer, AStandingClockIsNotCalibratedAgainst) {
    const base::VirtualClock clock;
    const TickRate rate = calibrate_ticks(clock);
    EXPECT_FALSE(rate.tsc);
    EXPECT_EQ(rate.ns_per_tick, 1);
}

// Real threads, real time: the identity holds step by step, within what cores' counters differ.
TEST(StepTimer, PartsOfRealStepsAddUpToTheWall) {
    const base::SteadyClock clock;
    constexpr size_t kNodes = 40;
    for (const int threads : {1, 2, 4}) {
        auto team = machine::ThreadTeam::create({.threads = threads});
        ASSERT_TRUE(team.has_value());
        StepTimer timer(kNodes, threads, clock);
        OperatorTable table(kNodes);
        double clock_ns = 0;
        std::vector<std::vector<int>> work(threads, std::vector<int>(64, 1));
        std::vector<int> sums(threads * 16, 0);
        for (int step = 0; step < 50; ++step) {
            const int64_t begin_ns = clock.now_ns();
            timer.begin_step();
            (*team)->run([&](int thread) {
                for (size_t node = 0; node < kNodes; ++node) {
                    timer.mark_start(node, thread);
                    for (size_t i = 0; i <= node; ++i) {
                        sums[thread * 16] +=
                            std::accumulate(work[thread].begin(), work[thread].end(), 0);
                    }
                    timer.mark_compute_end(node, thread);
                    if (node % 3 == 1) continue;
                    (*team)->barrier();
                    timer.mark_barrier_end(node, thread);
                }
            });
            timer.end_step();
            clock_ns += static_cast<double>(clock.now_ns() - begin_ns);
            timer.fold(table, "decode", 0, 1, {}, {});
        }
        const auto samples = table.samples();
        ASSERT_EQ(samples.size(), kNodes);
        for (const OperatorSample& row : samples) {
            EXPECT_EQ(row.calls, 50u);
            EXPECT_GT(row.compute_ns, 0);
            if (row.node % 3 == 1) {
                EXPECT_EQ(row.barrier_ns, 0);
            }
        }
        const double sum = attributed_ns(table) + table.unattributed_ns();
        EXPECT_NEAR(sum, table.wall_ns(), table.wall_ns() * 1e-3) << threads;
        // The timer's wall lies inside the clock's, up to the error of the calibration.
        EXPECT_LE(table.wall_ns(), clock_ns * 1.01) << threads;
        EXPECT_GT(table.wall_ns(), 0);
        EXPECT_GE(table.unattributed_ns(), 0);
    }
}

}  // namespace
}  // namespace hone::measure
