// Stamps the start, the compute end and the barrier end of every node on every thread of a step,
// and folds the stamps of a finished step into an OperatorTable.
//
// Not a tracer: it keeps one step, so memory is fixed and a mark is one read of the time-stamp
// counter and one store into the thread's own lines (below 15 ns; step_timer_bench.cc). The counter
// is used where CPUID calls it invariant; otherwise the clock that was passed in.
//
// How a step's wall time is decomposed. Nodes between two barriers form a segment; a barrier opens
// when the first thread leaves it. In each segment the critical thread is the one that ends its
// last node last: everybody waits for it, so its time line is the step's. On that thread
//
//   previous opening                                                        opening
//        |  dispatch  |   compute n1   | dispatch |   compute n2   |  barrier  |
//        (first segment: begin_step)                    (0 for n1, all of it for n2)
//
// and so, over all nodes of all segments,
//
//   sum(dispatch + compute + barrier) = last opening - begin_step.
//
// The rest of the wall time, from the last opening (or, without a last barrier, from the critical
// thread's last compute end) to end_step, is unattributed. Waking up after a barrier counts as the
// dispatch of the next node, waiting for the slowest as imbalance = compute - compute_mean. A node
// without a barrier has barrier 0 and its successor starts at once, thread by thread.
//
// Marks of one thread come in node order. Nodes that a step skips are not counted in it. Thread
// rule: mark_* with `thread` from that thread; begin_step, end_step and fold from one thread,
// ordered before and after the marks (ThreadTeam::run does that).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "measure/operator_table.h"

namespace hone::measure {

// How stamps become nanoseconds. The default reads the clock itself.
struct TickRate {
    bool tsc = false;
    double ns_per_tick = 1;
};

// Compares the time-stamp counter with the clock for two milliseconds (25 ppm at 50 ns per read).
// Falls back to the clock when the counter may change its pace or the clock does not move.
TickRate calibrate_ticks(const base::Clock& clock);

// The raw stamps of one node on one thread, ns since the step began. Without a barrier
// barrier_end_ns is compute_end_ns.
struct NodeStamps {
    uint32_t node = 0;
    int thread = 0;
    double start_ns = 0;
    double compute_end_ns = 0;
    double barrier_end_ns = 0;
};

class StepTimer {
  public:
    // `clock` outlives the timer.
    StepTimer(size_t nodes, int threads, const base::Clock& clock, TickRate rate);
    StepTimer(size_t nodes, int threads, const base::Clock& clock)
        : StepTimer(nodes, threads, clock, calibrate_ticks(clock)) {}

    size_t nodes() const { return nodes_; }
    int threads() const { return threads_; }

    void begin_step() { begin_ticks_ = ticks(); }
    void end_step() { end_ticks_ = ticks(); }
    void mark_start(size_t node, int thread) { at(node, thread).start = ticks(); }
    void mark_compute_end(size_t node, int thread) { at(node, thread).compute_end = ticks(); }
    void mark_barrier_end(size_t node, int thread) { at(node, thread).barrier_end = ticks(); }

    // Wall time of the step that ended last.
    double step_wall_ns() const { return to_ns(end_ticks_ - begin_ticks_); }

    // When that step began, on the clock.
    int64_t begin_ns() const {
        return clock_->now_ns() - static_cast<int64_t>(to_ns(ticks() - begin_ticks_));
    }
    // Its raw stamps, thread by thread in node order. Allocates: for traces, not for every step.
    std::vector<NodeStamps> stamps() const;

    // Adds the step that ended last to `table`. `bytes` and `flops` are those of this step by node;
    // either may be empty when not known. `position` is the first position of the step's slices.
    void fold(OperatorTable& table, std::string_view slice, uint32_t position, uint64_t tokens,
              std::span<const double> bytes, std::span<const double> flops) const;

  private:
    struct Marks {
        int64_t start = 0;
        int64_t compute_end = 0;
        int64_t barrier_end = 0;
    };

    int64_t ticks() const {
        return rate_.tsc ? static_cast<int64_t>(__builtin_ia32_rdtsc()) : clock_->now_ns();
    }
    double to_ns(int64_t ticks) const { return static_cast<double>(ticks) * rate_.ns_per_tick; }

    Marks& at(size_t node, int thread) {
        HONE_DCHECK(node < nodes_ && thread >= 0 && thread < threads_);
        return marks_[static_cast<size_t>(thread) * stride_ + node];
    }
    const Marks& at(size_t node, int thread) const {
        return marks_[static_cast<size_t>(thread) * stride_ + node];
    }

    // Whether the step that ended last ran the node; stamps of earlier steps lie before its begin.
    bool ran(size_t node) const { return at(node, 0).start >= begin_ticks_; }
    bool has_barrier(size_t node) const { return at(node, 0).barrier_end >= at(node, 0).start; }
    int64_t opening_of(size_t node) const;
    int critical_thread_of(size_t node) const;
    void add_node(size_t node, int critical, int64_t from, OperatorSample& row) const;

    size_t nodes_;
    int threads_;
    const base::Clock* clock_;
    TickRate rate_;
    size_t stride_;             // nodes per thread, with a gap so that threads share no line
    std::vector<Marks> marks_;  // [threads][stride]
    int64_t begin_ticks_ = 0;
    int64_t end_ticks_ = 0;
};

}  // namespace hone::measure
