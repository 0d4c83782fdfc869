// Delay injection: makes every step of an executor longer by a known share, with a busy wait.
//
// A known slow-down is a measuring stick: `hone ab` must find it (docs/HACKING.md), and how much a
// whole request slows down when its steps do says what speeding them up could gain (Curtsinger and
// Berger 2015, "Coz"). The wait is a share of each step's own time, so that noise stays what it is
// relative to the step. It busy-waits on the calling thread, as a slower kernel would occupy it;
// the other threads of the team wait as they do between steps. Not a sleep: the scheduler's
// granularity would drown a delay of microseconds. Value type; thread rule: that of the clock.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace hone::probe {

class StepDelay {
  public:
    // No delay.
    StepDelay() = default;
    // share: of a step's time, 0.03 = 3 % longer; not negative. The clock is borrowed.
    StepDelay(const base::Clock& clock, double share) : clock_(&clock), share_(share) {}

    bool active() const { return clock_ != nullptr && share_ > 0; }
    // Runs the step and then waits. Whatever the step returns comes back.
    template <class Step>
    auto run(Step&& step) const {
        const int64_t begin_ns = active() ? clock_->now_ns() : 0;
        auto result = step();
        if (active()) wait_after(begin_ns);
        return result;
    }

  private:
    // Until the share of what has passed since begin_ns has passed once more.
    void wait_after(int64_t begin_ns) const;

    const base::Clock* clock_ = nullptr;
    double share_ = 0;
};

}  // namespace hone::probe
