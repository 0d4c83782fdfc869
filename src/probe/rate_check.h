// Whether a candidate decodes as fast as was promised: both sides take turns, and no more pairs are
// measured than it takes to know.
//
// Each pair runs the decode test of METRICS.md (random ids, nothing sampled, from an empty cache)
// on both sides, in an order drawn by a coin. What is tested is ln(rate of B / promised rate), by
// the group-sequential signed ranks of measure/sequential.h with the tolerance as floor: it is
// decided when the interval lies within the tolerance, or the rate differs from the promise by as
// much. Not `hone ab`, which asks whether B differs from A. Thread rule: drives both sessions from
// the calling thread.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/result.h"
#include "measure/statistics.h"
#include "probe/conduct.h"
#include "runtime/session.h"

namespace hone::probe {

// One of the two.
struct RatePromise {
    double ratio = 0;         // of B's rate to A's
    double tokens_per_s = 0;  // of B
};

struct RateCheckOptions {
    double tolerance = 0.03;  // share of the promise
    int steps = 32;           // tokens of one test
    double budget_s = 20;     // a pair that was begun is finished
    uint64_t seed = 1;
};

struct RateCheck {
    size_t pairs = 0;
    double a_tokens_per_s = 0;  // medians
    double b_tokens_per_s = 0;
    // B's rate over the promised one, of a typical pair.
    double share = 0;
    std::optional<measure::Interval> share_ci95;
    bool decided = false;  // before the budget was spent
};

// Positions that both sessions must allow.
uint32_t rate_check_positions(const RateCheckOptions& options);

// exhausted (memory for the caches), cancelled.
base::Result<RateCheck> check_decode_rate(runtime::Session& a, runtime::Session& b,
                                          const RatePromise& promise,
                                          const RateCheckOptions& options, const base::Clock& clock,
                                          const Conduct& conduct = {});

}  // namespace hone::probe
