// One change put to the test: its quality against the start, its speed against the best so far, and
// what becomes of it.
//
// The gate is judged first and on the way that answers are made (a prompt, then token by token); a
// change that breaks it is not timed. A change that is said to be exact is believed after a few
// positions without any difference. Thread rule: drives all sessions from the calling thread.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "ledger/journal.h"
#include "measure/comparison.h"
#include "probe/conduct.h"
#include "tune/gate.h"
#include "tune/workload.h"

namespace hone::tune {

// A session and the settings that it was opened with.
struct Side {
    runtime::Session& session;
    const Settings& settings;
};

probe::AbSide ab_side(const Side& side, const Workload& work);

struct TrialSetting {
    const Workload& work;
    const Gate& gate;
    const base::Clock& clock;
    const probe::Conduct& conduct;
    uint64_t number = 0;  // of the trial: its texts
    ComparisonTime time = {};
    double floor_percent = measure::kEffectFloorPercent;
};

// Fills in quality, measured, status and reason. `saves_memory`: kept for doing no harm.
// Errors: those of probe::run_ab; cancelled, with the trial as it was.
base::Status test_change(const Side& start, const Side& best, const Side& candidate,
                         bool saves_memory, const TrialSetting& setting, ledger::Trial& trial);

// The verdict of a comparison whose first metric is the scenario's own; exposed for tests.
void decide(const std::vector<measure::MetricComparison>& measured, bool saves_memory,
            ledger::Trial& trial);

// The change of the model's answers on one half of the text. An error `unsupported` where the two
// sides have no vocabulary in common.
base::Result<measure::QualityComparison> compare_quality(runtime::Session& start,
                                                         runtime::Session& candidate, bool held_out,
                                                         int positions, double seconds,
                                                         const TrialSetting& setting);

}  // namespace hone::tune
