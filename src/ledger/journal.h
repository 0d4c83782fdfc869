// What an optimization did, as values: the run, and one trial for each change that was considered.
//
// A trial carries the promise that was made before anything was measured, what was measured, and
// what became of it. Plain data, written and read by ledger/ledger.h, printed by report.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "diagnose/scenario.h"
#include "measure/comparison.h"

namespace hone::ledger {

// A setting by name and its value in the words of the command line: {"threads", "2"}.
using Changes = std::vector<std::pair<std::string, std::string>>;

enum class TrialStatus : uint8_t {
    promised,     // said what it would do; not measured yet
    kept,         // measured, pays, in the result
    rolled_back,  // measured (or judged by its quality), and undone
    refused,      // not measured, for the reason given
};
const char* status_name(TrialStatus status);
std::optional<TrialStatus> parse_trial_status(std::string_view name);

struct Trial {
    int64_t id = 0;      // row, 0 = not written
    std::string action;  // "threads:2"; the same words mean the same change in every run
    diagnose::Note title;
    Changes apply;
    Changes undo;
    std::string risk;  // exact | epsilon | quality
    int minutes = 0;   // of a person's time to do it by hand
    TrialStatus status = TrialStatus::promised;
    diagnose::Note reason;  // why this status
    std::vector<diagnose::Note> evidence;
    std::string promise_metric;                         // the scenario's own, "" without a promise
    std::optional<measure::PredictedChange> promise;    // ci95: where a run is expected to be found
    std::optional<measure::PredictedChange> raw;        // it before learning (ledger/learning.h)
    size_t learned_from = 0;                            // earlier results
    std::vector<measure::MetricComparison> measured;    // the scenario's own metric first
    std::optional<measure::QualityComparison> quality;  // against the start of the run

    const measure::MetricComparison* result() const {
        return measured.empty() ? nullptr : &measured.front();
    }
};

enum class RunStatus : uint8_t {
    running,    // or killed
    improved,   // ended by itself with something kept
    nothing,    // ended by itself: nothing pays
    budget,     // ended by the budget
    cancelled,  // ended by the user
    abandoned,  // another run of the same kind was begun instead of going on with it
};
const char* status_name(RunStatus status);
std::optional<RunStatus> parse_run_status(std::string_view name);
// Could go on: running, budget, cancelled.
bool unfinished(RunStatus status);

// What a run is about; the same for its whole life.
struct RunSubject {
    std::string model;        // base name
    std::string model_key;    // of its bytes
    std::string machine;      // the processor's name
    std::string machine_key;  // machine::machine_fingerprint
    std::string scenario;
    std::string metric;  // the scenario's own
    std::string build;
};

struct Run {
    int64_t id = 0;
    int64_t started_utc_s = 0;
    RunSubject subject;
    std::string request;  // JSON: what was asked for
    Changes start;        // settings at the beginning, all of them
    Changes best;         // and with everything that was kept
    RunStatus status = RunStatus::running;
    double spent_s = 0;
    std::string grade;                             // of the first measurement, "" before it
    std::vector<diagnose::Note> ending;            // why it ended, and what the SLO says
    std::vector<Trial> trials;                     // in order
    std::vector<measure::MetricComparison> after;  // end against start, measured afresh
    std::optional<measure::QualityComparison> after_quality;
    std::string after_ended;  // as Comparison::ended
    double after_wall_s = 0;
};

}  // namespace hone::ledger
