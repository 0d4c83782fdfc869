// What the stamps cost: timed and untimed decode steps that alternate in one process.
//
// The pairs go ABBA, so that neither the growing cache nor a drifting clock favours one side; the
// answer is the median of the pairs' timed / untimed, less 1, with the folding of the stamps
// counted as part of the timed step: a machine that slows down for a while slows both steps of a
// pair. May be below 0: then the cost is below the noise.
#pragma once

#include <optional>

#include "base/clock.h"
#include "base/result.h"
#include "probe/conduct.h"
#include "probe/stepper.h"

namespace hone::probe {

// The stepper is cleared and filled to `depth`; needs depth + 2 * pairs positions. nullopt when the
// clock did not move; cancelled.
base::Result<std::optional<double>> timing_overhead_share(Stepper& stepper,
                                                          const base::Clock& clock, int depth,
                                                          int pairs, const Conduct& conduct);

}  // namespace hone::probe
