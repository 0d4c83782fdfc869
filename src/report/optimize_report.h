// The reports of `hone optimize` and `hone history`: every promise beside its result, whatever came
// of it, the end against the start, and how good the promises were.
//
// All from the ledger's values, so a run of last month reads like that of today. Pure.
#pragma once

#include <string>
#include <vector>

#include "base/json_fwd.h"
#include "ledger/accuracy.h"
#include "ledger/journal.h"
#include "report/roi.h"
#include "report/style.h"

namespace hone::report {

// One trial as it is settled, in one line.
std::string trial_line(const ledger::Trial& trial, const Style& style);
std::string render_optimization(const ledger::Run& run, const Economy& economy, const Style& style);
// {schema, run, started_utc_s, model, machine, scenario, metric, build, status, grade, spent_s,
// start, best, trials: [{action, title, status, reason, apply, undo, risk, minutes, evidence,
// promised, measured, quality}], after: as `hone ab --json`, roi: as report/roi.h, ending}
base::Json optimization_json(const ledger::Run& run, const Economy& economy, const Style& style);
// The same as one page that needs nothing else, as report/html_report.h makes them.
std::string optimization_page(const ledger::Run& run, const Economy& economy, const Style& style);

// Runs as the ledger lists them, newest first.
std::string render_history(const std::vector<ledger::Run>& runs, const Style& style);
base::Json history_json(const std::vector<ledger::Run>& runs);
// `groups` as ledger::accuracy_by_kind makes them. JSON: {level, groups: [{kind, n,
// median_error_points, interval_score, with_interval, covered, with_sign, sign_right, learned: {the
// same six}}], promises}.
std::string render_accuracy(const std::vector<ledger::KindAccuracy>& groups, const Style& style);
base::Json accuracy_json(const std::vector<ledger::KindAccuracy>& groups,
                         const std::vector<ledger::TestedPromise>& promises);

// What of `best` differs from `start`: "threads 1 -> 2, kv f16 -> q8".
std::string changes_text(const ledger::Changes& start, const ledger::Changes& best);

}  // namespace hone::report
