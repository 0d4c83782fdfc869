// The state of one optimization while it runs; optimizer.h says what the loop does.
//
// Internal to this room. Invariant: what is in force (best_) is what the ledger's run says, after
// every step. One thread.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tune/optimizer.h"
#include "tune/trial.h"
#include "tune/weight_files.h"

namespace hone::tune {

class Loop {
  public:
    Loop(const OptimizeOptions& options, const OptimizeSetting& setting,
         const probe::Conduct& conduct);

    // Opens the model and the run.
    base::Status begin(std::optional<ledger::Run> left);
    base::Status improve();
    // The end against the start on held-out work, and the SLO.
    base::Status prove();
    // Whatever happened: the run as it stands.
    base::Result<ledger::Run> end(const base::Status& status);

  private:
    using SessionPointer = std::unique_ptr<runtime::Session>;

    base::Status open_work();
    base::Result<SessionPointer> open(const Settings& settings);
    base::Status look(double seconds);
    void choose_recipe();
    // Corrects what is predicted by what the ledger knows by now.
    base::Status learn_again();
    const Action* next() const;
    // By name, on the command line: before everything else.
    bool is_asked_for(const Action& action) const;
    bool is_wanted(const Action& action) const;
    base::Status try_action(const Action& action);
    base::Status test(const Action& action, const Settings& settings, ledger::Trial& trial,
                      SessionPointer& candidate);
    void keep(const Settings& settings, SessionPointer candidate);
    base::Status refuse_rest(bool out_of_time);
    base::Status refuse(ledger::Trial trial);
    // Writes what became of a trial, here and in the ledger.
    base::Status settle(const ledger::Trial& trial);
    base::Status check_slo();
    size_t tested() const;
    void conclude(bool out_of_time);
    ledger::Trial open_trial(const Action& action) const;

    runtime::Session& best_session() { return best_ ? *best_ : *start_; }
    double spent_s() const;
    // Until the time that the end needs.
    double left_s() const;
    double trial_s() const;
    TrialSetting trial_setting(double budget_s) const;
    probe::RunSetting run_setting() const;

    const OptimizeOptions& options_;
    const OptimizeSetting& setting_;
    const probe::Conduct& conduct_;
    WeightFiles weights_;
    int64_t begin_ns_;
    double spent_before_s_ = 0;

    ledger::Run run_;
    std::optional<Workload> work_;
    Settings start_settings_;
    Settings best_settings_;
    SessionPointer start_;
    SessionPointer best_;  // null while nothing is kept
    std::vector<Action> actions_;
    std::set<std::string> tried_;
    size_t kept_ = 0;
};

}  // namespace hone::tune
