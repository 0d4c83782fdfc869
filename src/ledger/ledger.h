// The ledger: every optimization with its promises and results, in one SQLite file.
//
//   runs --< actions --- promises     what was said beforehand, at most one per action
//                   \--< results      what was measured, one per metric
//   runs --< finals                   the end against the start, one per metric
//
// Each call is one transaction, so a process that dies at any moment leaves what was committed
// before, and a promise is in the file before anything is measured for it. The file carries an
// application id and a schema version: a foreign or damaged file is `corrupt`, a newer one
// `unsupported`. Not a place for run records. One thread at a time; other processes may read
// meanwhile.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/accuracy.h"
#include "ledger/database.h"
#include "ledger/journal.h"

namespace hone::ledger {

// 2: promises beside what they were before learning, results in the order of their arrival. A file
// of schema 1 is brought there by the first that opens it for writing; its promises learned
// nothing.
inline constexpr int kLedgerSchema = 2;

class Ledger {
  public:
    // Makes the file, and the directories it lies in, unless read only (then not_found).
    static base::Result<Ledger> open(const std::string& path, Access access,
                                     Journal journal = Journal::wal);

    // Writes everything but trials and results; sets run.id. Unfinished runs of the same model,
    // machine and scenario become abandoned.
    base::Status begin(Run& run);
    // Adds the trial with its promise; sets trial.id. An action is once in a run.
    base::Status promise(int64_t run, Trial& trial);
    // Status, reason and results of a trial, and the run's new best, status and time, together.
    base::Status settle(const Trial& trial, const Run& run);
    // The run's best, status, time, grade, ending and final results.
    base::Status update(const Run& run);

    // Without trials, newest first.
    base::Result<std::vector<Run>> runs(size_t count_max);
    // With everything; not_found.
    base::Result<Run> run(int64_t id);
    // The newest run of that subject's model, machine and scenario, if it could go on.
    base::Result<std::optional<Run>> resumable(const RunSubject& subject);

    // Of each action, model and machine the first promise whose metric was measured, oldest first.
    base::Result<std::vector<TestedPromise>> first_promises();

  private:
    explicit Ledger(Database database) : database_(std::move(database)) {}

    base::Status prepare_schema(Access access);
    base::Status check();
    base::Status migrate();
    base::Status read_trials(Run& run);

    Database database_;
    int64_t schema_ = kLedgerSchema;  // of the file; below ours only where it is read only
};

}  // namespace hone::ledger
