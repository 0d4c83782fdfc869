#include "probe/interference.h"

#include <cmath>

namespace hone::probe {

measure::Interference InterferenceWatch::between(const machine::DisturbanceCounters& begin,
                                                 const machine::DisturbanceCounters& end,
                                                 double wall_ns) {
    measure::Interference result;
    result.wall_s = wall_ns * 1e-9;
    const double ticks = end.total_ticks - begin.total_ticks;
    if (begin.has_steal && end.has_steal && ticks > 0) {
        result.steal_share = (end.steal_ticks - begin.steal_ticks) / ticks;
    }
    if (begin.has_run_delay && end.has_run_delay && wall_ns > 0) {
        result.run_delay_share = (end.run_delay_ns - begin.run_delay_ns) / wall_ns;
    }
    if (end.major_faults >= begin.major_faults) {
        result.major_faults = end.major_faults - begin.major_faults;
    }
    if (end.minor_faults >= begin.minor_faults) {
        result.minor_faults = end.minor_faults - begin.minor_faults;
    }
    return result;
}

std::optional<double> ceiling_drift(double before_gb_per_s, double after_gb_per_s) {
    if (before_gb_per_s <= 0 || after_gb_per_s <= 0) return std::nullopt;
    return std::fabs(after_gb_per_s / before_gb_per_s - 1.0);
}

}  // namespace hone::probe
