// Makes one operator kind slower by a known time: a busy wait after each of its nodes.
//
// Coz (Curtsinger and Berger 2015) finds what matters by slowing everything else down; slowing one
// thing down asks the same question from the other side: a step that does not become slower by what
// was added was not waiting for that thing. The wait is busy, as a slower kernel would be, and what
// was really waited is counted, because a clock overshoots. probe/delay.h lengthens whole steps;
// this is for parts of one. Thread rule: the hook runs on all threads of the team; everything else
// from the thread that runs the executor, between runs.
#pragma once

#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "graph/executor.h"

namespace hone::probe {

class NodeDelay {
  public:
    // `nodes` of a plan of `plan_nodes`; every one waits delay_ns, on all `threads` or on the
    // calling thread alone. The clock is borrowed.
    NodeDelay(size_t plan_nodes, const std::vector<uint32_t>& nodes, double delay_ns, int threads,
              bool one_thread, const base::Clock& clock);

    // Valid as long as this object stays where it is.
    graph::NodeHook hook() { return {&NodeDelay::wait, this}; }
    // Mean of what a wait really took, over all waits so far; 0 before the first.
    double waited_ns_mean() const;
    uint64_t waits() const;

  private:
    static void wait(void* context, uint32_t node, int thread);

    struct alignas(64) Waited {
        int64_t ns = 0;
        uint64_t count = 0;
    };

    const base::Clock& clock_;
    int64_t delay_ns_;
    bool one_thread_;
    std::vector<uint8_t> delayed_;  // [plan nodes]
    std::vector<Waited> waited_;    // [threads]
};

}  // namespace hone::probe
