// The closed loop: look, predict, apply, compare, judge the quality, keep or roll back, look again.
//
// One change at a time, on top of what was kept. Before anything of a change is measured, its
// promise is in the ledger. Kept is what the interleaved comparison shows to be better by the floor
// at least, with the gate held against the *start* of the run, so that small losses cannot add up
// behind its back. The loop ends when what is left is not expected to be worth a test ("nothing
// pays"), when the budget is gone, or when the user stops it; then the end is compared with the
// start on work that no trial has seen. It chooses no model and judges no user's limits but those
// it is given. Thread rule: one thread; no other loop on this machine (ledger/loop_lock.h).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "ledger/ledger.h"
#include "machine/profile.h"
#include "probe/conduct.h"
#include "tune/action.h"
#include "tune/gate.h"
#include "tune/workload.h"

namespace hone::tune {

// Shorter, and nothing could be shown.
inline constexpr double kBudgetMinS = 10;
inline constexpr double kBudgetMaxS = 7 * 86400;
// A change that is not expected to gain this much is not worth its test.
inline constexpr double kWorthPercent = 0.5;

struct OptimizeOptions {
    std::string model;  // path
    WorkloadOptions work;
    std::string slo = {};  // as given; "" = none
    Gate gate;
    Settings start;
    double budget_s = 480;
    double floor_percent = measure::kEffectFloorPercent;
    // Kinds of action ("kv", "threads") to try whatever is expected of them; "all" is every one.
    std::vector<std::string> kinds_to_try = {};
    // Instead of choosing: these, in this order, as far as they are not in force.
    std::vector<std::string> recipe = {};
    std::optional<double> price_per_hour = std::nullopt;
    // Correct predictions by the ledger's earlier results (ledger/learning.h). Without it a run
    // promises the same whatever the ledger holds.
    bool learning = true;
};

// What the caller knows of the world. Borrowed for the call.
struct OptimizeSetting {
    const base::Clock& clock;
    const machine::MachineProfile& machine;
    ledger::Ledger& ledger;
    int64_t utc_s = 0;  // now
    std::string build = {};
    std::string command = {};
    std::string weights_directory = {};  // see tune/weight_files.h
    // After each change of a trial's status. May be empty.
    std::function<void(const ledger::Trial&)> told = {};
};

// JSON of what was asked, for the ledger: {slo, gate, floor_percent, seed, text, requests,
// recipe, price_per_hour, learning}.
std::string request_text(const OptimizeOptions& options);

// What of it a resumed run keeps: SLO, gate, floor, seed, learning. corrupt, or invalid_argument.
base::Status restore_request(const std::string& text, OptimizeOptions& options);

// The subject of a run with these options: whose promises they are. Errors: of opening the model.
base::Result<ledger::RunSubject> subject_of(const OptimizeOptions& options,
                                            const OptimizeSetting& setting);

// `left`: an unfinished run to go on with; its start and what it kept take the place of
// options.start. A run that the user stopped comes back as a value with status cancelled.
// Errors: invalid_argument (budget, workload, settings), those of opening the model, deadline (no
// time to make the start's weights), those of the ledger; the run stays resumable.
base::Result<ledger::Run> optimize(const OptimizeOptions& options, const OptimizeSetting& setting,
                                   std::optional<ledger::Run> left, const probe::Conduct& conduct);

// The SLO was given, and the end was measured not to meet it.
bool slo_missed(const ledger::Run& run);

}  // namespace hone::tune
