// Watches how much the rest of the machine disturbed a piece of work: stolen time, waiting for a
// CPU, page faults.
//
// Differences of kernel counters between begin and end; what the kernel does not tell stays absent.
// Not a judgement: diagnosis grades the measurement by it. Thread rule: a value of one thread.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "machine/facts.h"
#include "machine/profile.h"
#include "measure/record.h"

namespace hone::probe {

class InterferenceWatch {
  public:
    // Starts watching. The clock is borrowed.
    explicit InterferenceWatch(const base::Clock& clock)
        : clock_(clock), begin_(machine::read_disturbance()), begin_ns_(clock.now_ns()) {}

    // What happened since the start; may be asked again later.
    measure::Interference so_far() const {
        const double wall_ns = static_cast<double>(clock_.now_ns() - begin_ns_);
        return between(begin_, machine::read_disturbance(), wall_ns);
    }

    // The differences as shares of `wall_ns`; absent where a counter is, or where no time passed.
    static measure::Interference between(const machine::DisturbanceCounters& begin,
                                         const machine::DisturbanceCounters& end, double wall_ns);

  private:
    const base::Clock& clock_;
    machine::DisturbanceCounters begin_;
    int64_t begin_ns_;
};

// Wall ns of a fixed loop of dependent additions, one a cycle: the best of a few, so that it shows
// the clock of the CPU and not who else ran. About a tenth of a millisecond.
double spin_ns(const base::Clock& clock);

// |after / before - 1| of two bandwidth readings; nullopt when the first is nothing.
std::optional<double> ceiling_drift(double before_gb_per_s, double after_gb_per_s);

}  // namespace hone::probe
