#include "probe/interference.h"

#include <algorithm>
#include <cmath>

namespace hone::probe {
namespace {

constexpr int kSpinAdditions = 100'000;
constexpr int kSpinSamples = 3;

}  // namespace

measure::Interference InterferenceWatch::between(const machine::DisturbanceCounters& begin,
                                                 const machine::DisturbanceCounters& end,
                                                 double wall_ns) {
    measure::Interference result;
    result.wall_s = wall_ns * 1e-9;
    const double ticks = end.total_ticks - begin.total_ticks;
    if (begin.has_steal && end.has_steal && ticks > 0) {
        // Kernels of virtual machines have been seen to count backwards.
        result.steal_share = std::max(0.0, (end.steal_ticks - begin.steal_ticks) / ticks);
        if (begin.own_ticks && end.own_ticks) {
            const double own = *end.own_ticks - *begin.own_ticks;
            const double foreign = end.busy_ticks - begin.busy_ticks - own;
            result.foreign_share = std::clamp(foreign / ticks, 0.0, 1.0);
        }
    }
    if (begin.has_run_delay && end.has_run_delay && wall_ns > 0) {
        // Threads that ended in between took their sum with them.
        result.run_delay_share = std::max(0.0, (end.run_delay_ns - begin.run_delay_ns) / wall_ns);
    }
    if (end.major_faults >= begin.major_faults) {
        result.major_faults = end.major_faults - begin.major_faults;
    }
    if (end.minor_faults >= begin.minor_faults) {
        result.minor_faults = end.minor_faults - begin.minor_faults;
    }
    return result;
}

double spin_ns(const base::Clock& clock) {
    double best = 0;
    for (int sample = 0; sample < kSpinSamples; ++sample) {
        const int64_t begin_ns = clock.now_ns();
        uint64_t sum = 0;
        for (int i = 0; i < kSpinAdditions; ++i) {
            // The compiler must neither fold nor reorder what is timed.
            asm volatile("add $1, %0" : "+r"(sum));
        }
        const auto ns = static_cast<double>(clock.now_ns() - begin_ns);
        if (sample == 0 || ns < best) best = ns;
    }
    return best;
}

std::optional<double> ceiling_drift(double before_gb_per_s, double after_gb_per_s) {
    if (before_gb_per_s <= 0 || after_gb_per_s <= 0) return std::nullopt;
    return std::fabs(after_gb_per_s / before_gb_per_s - 1.0);
}

}  // namespace hone::probe
