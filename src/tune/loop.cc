#include "tune/loop.h"

#include <algorithm>
#include <atomic>

#include "diagnose/diagnosis.h"
#include "models/model.h"
#include "tune/observation.h"

namespace hone::tune {
namespace {

using base::ErrorCode;
using base::fail;
using diagnose::note;
using ledger::RunStatus;
using ledger::Trial;
using ledger::TrialStatus;

// Shares of the budget, and their bounds in seconds: half a minute of looking is what `hone
// explain` takes, and a comparison that is not decided in one seldom will be.
struct Share {
    double of_budget;
    double least_s;
    double most_s;

    double seconds(double budget_s) const {
        return std::clamp(of_budget * budget_s, least_s, most_s);
    }
};
constexpr Share kFirstLook{0.14, 2, 40};
constexpr Share kNextLook{0.07, 1.5, 20};
constexpr Share kTrial{0.08, 1.5, 40};
constexpr Share kEnd{0.18, 1.5, 60};
// Where only a few changes wait for their test. Requests of a slow model take seconds each.
constexpr double kTrialMostS = 90;
constexpr const char* kImpossible = "refused_impossible";
// Of a look, for requests.
constexpr double kRequestsShare = 0.35;

// Reasons that a longer test may overturn.
const std::vector<std::string> kUndecided = {"rolled_unproved", "rolled_undecided", "gate_unsure",
                                             "gate_unproved"};

bool contains(const std::vector<std::string>& words, const std::string& word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

Loop::Loop(const OptimizeOptions& options, const OptimizeSetting& setting,
           const probe::Conduct& conduct)
    : options_(options),
      setting_(setting),
      conduct_(conduct),
      weights_(setting.weights_directory, setting.clock),
      begin_ns_(setting.clock.now_ns()),
      start_settings_(options.start),
      best_settings_(options.start) {}

double Loop::spent_s() const {
    return static_cast<double>(setting_.clock.now_ns() - begin_ns_) * 1e-9;
}

double Loop::left_s() const {
    return options_.budget_s - kEnd.seconds(options_.budget_s) - spent_s();
}

// An undecided test is a wasted one, so what is left is shared by all that wait for theirs.
double Loop::trial_s() const {
    const auto waiting = std::count_if(actions_.begin(), actions_.end(),
                                       [&](const Action& action) { return is_wanted(action); });
    const double budget_s = options_.budget_s;
    const double fair_s =
        (left_s() - kNextLook.seconds(budget_s)) / static_cast<double>(std::max(waiting, 1L));
    return std::min(std::clamp(fair_s, kTrial.seconds(budget_s), kTrialMostS),
                    std::max(1.0, left_s()));
}

TrialSetting Loop::trial_setting(double budget_s) const {
    const ComparisonTime time{budget_s, std::max(0.0, left_s() - budget_s)};
    return {*work_,        options_.gate, setting_.clock,        conduct_,
            tried_.size(), time,          options_.floor_percent};
}

base::Status Loop::open_work() {
    HONE_TRY(const auto model, models::Model::open(options_.model));
    HONE_TRY(const auto tokenizer, runtime::open_tokenizer(*model));
    HONE_TRY(work_, Workload::create(*model, tokenizer, options_.work));
    return {};
}

base::Result<Loop::SessionPointer> Loop::open(const Settings& settings) {
    HONE_TRY(const auto load, work_->load(settings));
    // Weights in another format can take longer to make than there is time.
    std::atomic<bool> stop{false};
    const probe::Conduct timed{[&](std::string_view what, double) {
                                   conduct_.report(what,
                                                   std::min(1.0, spent_s() / options_.budget_s));
                                   stop = conduct_.cancelled() || left_s() < kTrial.least_s;
                               },
                               &stop};
    const auto path = weights_.file_for(options_.model, settings.weights, settings.threads, timed);
    if (path) return runtime::open_session(*path, load, setting_.clock);
    HONE_TRY_STATUS(conduct_.check());
    // Not the user's doing, so it was the clock's.
    if (path.error().code == ErrorCode::cancelled) {
        return fail(ErrorCode::deadline,
                    "a budget of {:g} s has no time to make the weights {}; give it more, or make "
                    "them beforehand with another command",
                    options_.budget_s, settings.weights);
    }
    return tl::unexpected(path.error());
}

base::Status Loop::begin(std::optional<ledger::Run> left) {
    if (!(options_.budget_s >= kBudgetMinS)) {
        return fail(ErrorCode::invalid_argument,
                    "a budget of {:g} s is too short to show anything; {:g} s at least",
                    options_.budget_s, kBudgetMinS);
    }
    if (options_.budget_s > kBudgetMaxS) {
        return fail(ErrorCode::invalid_argument, "a budget of {:g} s; a week is the most",
                    options_.budget_s);
    }
    HONE_TRY_STATUS(open_work());
    const bool goes_on = left.has_value();
    if (goes_on) {
        run_ = std::move(*left);
        HONE_TRY(start_settings_, changed(Settings(), run_.start));
        HONE_TRY(best_settings_, changed(Settings(), run_.best));
        spent_before_s_ = run_.spent_s;
        for (Trial& trial : run_.trials) {
            // What was not tested may be worth it now; its promise stands.
            const bool impossible = trial.reason.id == kImpossible;
            if (trial.status == TrialStatus::refused && !impossible) {
                trial.status = TrialStatus::promised;
            }
            if (trial.status != TrialStatus::promised) tried_.insert(trial.action);
            if (trial.status == TrialStatus::kept) ++kept_;
        }
    }
    conduct_.report("opening the model", 0);
    HONE_TRY(start_, open(start_settings_));
    if (best_settings_ != start_settings_) {
        HONE_TRY(best_, open(best_settings_));
    }
    run_.status = RunStatus::running;
    run_.ending.clear();
    if (goes_on) return setting_.ledger.update(run_);
    HONE_TRY(run_.subject, subject_of(options_, setting_));
    run_.started_utc_s = setting_.utc_s;
    run_.request = request_text(options_);
    run_.start = listed(start_settings_);
    run_.best = run_.start;
    return setting_.ledger.begin(run_);
}

probe::RunSetting Loop::run_setting() const {
    return {setting_.clock, setting_.machine,       {}, setting_.build, setting_.command,
            options_.slo,   options_.price_per_hour};
}

base::Status Loop::look(double seconds) {
    const auto scenario = work_->scenario_options(best_settings_, seconds * kRequestsShare, false);
    HONE_TRY(const auto record,
             observe(best_session(), scenario, {seconds, 0}, run_setting(), conduct_));
    const diagnose::Diagnosis diagnosis = diagnose::diagnose(record);
    if (run_.grade.empty()) run_.grade = std::string(1, diagnosis.measurement.grade);
    actions_ = actions_for(record, diagnosis.decisions, best_settings_, !scenario.prompts.empty());
    std::erase_if(actions_, [&](const Action& action) { return tried_.contains(action.id); });
    if (!options_.recipe.empty()) choose_recipe();
    return learn_again();
}

base::Status Loop::learn_again() {
    if (!options_.learning) return {};
    HONE_TRY(auto earlier, setting_.ledger.first_promises());
    std::erase_if(earlier, [&](const ledger::TestedPromise& tested) {
        return tested.machine_key != run_.subject.machine_key;
    });
    for (Action& action : actions_) learn(action, earlier);
    return {};
}

// The recipe's actions in its order, with what is predicted for them here.
void Loop::choose_recipe() {
    std::vector<Action> chosen;
    for (const std::string& id : options_.recipe) {
        const auto known = std::find_if(actions_.begin(), actions_.end(),
                                        [&](const Action& action) { return action.id == id; });
        if (known != actions_.end()) {
            chosen.push_back(*known);
            continue;
        }
        Action action;
        action.id = id;
        action.apply = changes_of(id);
        action.title = note("action_of_recipe").with("action", id);
        action.risk = "epsilon";
        action.reason = note("no_model_of_it");
        const auto now = undo_of(best_settings_, action.apply);
        if (!tried_.contains(id) && now != action.apply) chosen.push_back(std::move(action));
    }
    actions_ = std::move(chosen);
}

bool Loop::is_asked_for(const Action& action) const {
    return contains(options_.kinds_to_try, ledger::kind_of(action.id));
}

bool Loop::is_wanted(const Action& action) const {
    if (!options_.recipe.empty() || action.saves_memory() || is_asked_for(action)) return true;
    return contains(options_.kinds_to_try, "all") || expected_gain_percent(action) >= kWorthPercent;
}

const Action* Loop::next() const {
    const Action* best = nullptr;
    for (const Action& action : actions_) {
        if (!is_wanted(action)) continue;
        if (!options_.recipe.empty()) return &action;
        const auto key = [&](const Action& a) {
            return std::pair(is_asked_for(a), rank_of(a, options_.gate));
        };
        if (best == nullptr || key(action) > key(*best)) best = &action;
    }
    return best;
}

// The promise of a run that was killed while testing it still stands.
Trial Loop::open_trial(const Action& action) const {
    for (const Trial& trial : run_.trials) {
        if (trial.action == action.id && trial.status == TrialStatus::promised) return trial;
    }
    return trial_of(action, best_settings_);
}

base::Status Loop::test(const Action& action, const Settings& settings, Trial& trial,
                        SessionPointer& candidate) {
    auto opened = open(settings);
    HONE_TRY_STATUS(conduct_.check());
    if (!opened) {
        trial.status = TrialStatus::refused;
        const bool late = opened.error().code == ErrorCode::deadline;
        trial.reason =
            late ? note("refused_no_time").with("gain_percent", expected_gain_percent(action))
                 : note(kImpossible).with("error", opened.error().message);
        return {};
    }
    candidate = std::move(*opened);
    return test_change({*start_, start_settings_}, {best_session(), best_settings_},
                       {*candidate, settings}, action.saves_memory(), trial_setting(trial_s()),
                       trial);
}

base::Status Loop::try_action(const Action& action) {
    Trial trial = open_trial(action);
    if (trial.id == 0) {
        HONE_TRY_STATUS(setting_.ledger.promise(run_.id, trial));
        run_.trials.push_back(trial);
    }
    if (setting_.told) setting_.told(trial);
    conduct_.report(action.id, std::min(1.0, spent_s() / options_.budget_s));
    HONE_TRY(const Settings settings, changed(best_settings_, trial.apply));
    SessionPointer candidate;
    const base::Status status = test(action, settings, trial, candidate);
    if (!status) {
        if (status.error().code == ErrorCode::cancelled) return status;
        trial.status = TrialStatus::refused;
        trial.reason = note(kImpossible).with("error", status.error().message);
    }
    tried_.insert(action.id);
    if (trial.status == TrialStatus::kept) {
        keep(settings, std::move(candidate));
    }
    run_.spent_s = spent_before_s_ + spent_s();
    HONE_TRY_STATUS(settle(trial));
    if (setting_.told) setting_.told(trial);
    return {};
}

void Loop::keep(const Settings& settings, SessionPointer candidate) {
    best_settings_ = settings;
    best_ = std::move(candidate);
    run_.best = listed(best_settings_);
    ++kept_;
}

base::Status Loop::settle(const Trial& trial) {
    for (Trial& row : run_.trials) {
        if (row.id == trial.id) row = trial;
    }
    return setting_.ledger.settle(trial, run_);
}

base::Status Loop::refuse(Trial trial) {
    trial.status = TrialStatus::refused;
    if (trial.id != 0) return settle(trial);
    HONE_TRY_STATUS(setting_.ledger.promise(run_.id, trial));
    run_.trials.push_back(std::move(trial));
    return {};
}

// What was not tried, with the reason.
base::Status Loop::refuse_rest(bool out_of_time) {
    for (const Action& action : actions_) {
        Trial trial = open_trial(action);
        const double gain = expected_gain_percent(action);
        const auto& predicted = action.predicted;
        if (out_of_time && is_wanted(action)) {
            trial.reason = note("refused_no_time").with("gain_percent", gain);
        } else if (predicted && predicted->sure && !predicted->better) {
            trial.reason = note("refused_loss")
                               .with("metric", predicted->metric)
                               .with("change_percent", predicted->change_percent);
        } else {
            trial.reason = note("refused_small")
                               .with("gain_percent", gain)
                               .with("worth_percent", kWorthPercent);
        }
        HONE_TRY_STATUS(refuse(std::move(trial)));
    }
    // Promises of a killed run whose actions no longer exist.
    const std::vector<Trial> trials = run_.trials;
    for (const Trial& trial : trials) {
        if (trial.status != TrialStatus::promised) continue;
        Trial closed = trial;
        closed.reason = note("refused_gone");
        HONE_TRY_STATUS(refuse(std::move(closed)));
    }
    return {};
}

// What could not be done at all, or had no time, was not tried.
size_t Loop::tested() const {
    const auto count =
        std::count_if(run_.trials.begin(), run_.trials.end(), [](const Trial& trial) {
            return trial.status == TrialStatus::kept || trial.status == TrialStatus::rolled_back;
        });
    return static_cast<size_t>(count);
}

void Loop::conclude(bool out_of_time) {
    double most = 0;
    for (const Action& action : actions_) {
        if (action.saves_memory()) continue;
        most = std::max(most, expected_gain_percent(action));
    }
    run_.status = out_of_time ? RunStatus::budget
                  : kept_ > 0 ? RunStatus::improved
                              : RunStatus::nothing;
    const char* id = out_of_time ? "ended_budget" : kept_ > 0 ? "ended_improved" : "ended_nothing";
    run_.ending.push_back(note(id)
                              .with("tried", tested())
                              .with("kept", kept_)
                              .with("left_percent", most)
                              .with("worth_percent", kWorthPercent));
    const auto undecided =
        std::count_if(run_.trials.begin(), run_.trials.end(),
                      [](const Trial& trial) { return contains(kUndecided, trial.reason.id); });
    if (undecided > 0) {
        run_.ending.push_back(note("ended_undecided").with("n", static_cast<size_t>(undecided)));
    }
}

base::Status Loop::improve() {
    HONE_TRY_STATUS(look(kFirstLook.seconds(options_.budget_s)));
    HONE_TRY_STATUS(setting_.ledger.update(run_));
    bool out_of_time = false;
    while (const Action* chosen = next()) {
        const Action action = *chosen;
        out_of_time = left_s() < kTrial.least_s;
        if (out_of_time) break;
        const size_t kept_before = kept_;
        HONE_TRY_STATUS(try_action(action));
        std::erase_if(actions_, [&](const Action& a) { return a.id == action.id; });
        if (kept_ == kept_before) {
            HONE_TRY_STATUS(learn_again());
            continue;
        }
        const double seconds = kNextLook.seconds(options_.budget_s);
        // With no time for another look, the cards are of the settings before: none of them holds.
        if (left_s() < seconds + kTrial.least_s) {
            out_of_time = true;
            break;
        }
        HONE_TRY_STATUS(look(seconds));
    }
    HONE_TRY_STATUS(refuse_rest(out_of_time));
    conclude(out_of_time);
    return {};
}

base::Status Loop::check_slo() {
    HONE_TRY(const auto slo, diagnose::parse_slo(options_.slo));
    if (slo.terms.empty()) return {};
    const double seconds = kEnd.seconds(options_.budget_s) / 2;
    HONE_TRY(
        const auto record,
        probe::run_scenario(best_session(), work_->scenario_options(best_settings_, seconds, true),
                            run_setting(), conduct_));
    for (const diagnose::SloVerdict& verdict : diagnose::judge(slo, record)) {
        const std::string id = std::string("slo_") + diagnose::verdict_name(verdict.verdict);
        run_.ending.push_back(note(id)
                                  .with("term", verdict.term.text)
                                  .with("value_ms", verdict.value_ms.value_or(0))
                                  .with("n", verdict.n)
                                  .with("n_needed", verdict.n_needed));
    }
    return {};
}

base::Status Loop::prove() {
    const double seconds = kEnd.seconds(options_.budget_s);
    HONE_TRY_STATUS(check_slo());
    if (!best_) return {};
    conduct_.report("the end against the start", 0.9);
    const double rest_s = std::max(1.0, options_.slo.empty() ? seconds : seconds / 2);
    const TrialSetting setting = trial_setting(rest_s);
    const double begin_s = spent_s();
    HONE_TRY(auto quality,
             compare_quality(*start_, *best_, true, kGatePositions, rest_s / 2, setting));
    // What quality did not need, speed can use.
    const double speed_s = std::max(rest_s / 2, rest_s - (spent_s() - begin_s));
    const ComparisonTime time{speed_s,
                              std::max(seconds / 2, options_.budget_s - spent_s() - speed_s)};
    HONE_TRY(auto comparison, probe::run_ab(ab_side({*start_, start_settings_}, *work_),
                                            ab_side({*best_, best_settings_}, *work_),
                                            work_->held_out_options(time, options_.floor_percent),
                                            setting_.clock, conduct_));
    run_.after = std::move(comparison.metrics);
    run_.after_quality = std::move(quality);
    run_.after_ended = comparison.ended;
    run_.after_wall_s = comparison.wall_s;
    const GateVerdict verdict = judge(options_.gate, *run_.after_quality, work_->vocabulary());
    run_.ending.push_back(verdict.note);
    return conduct_.check();
}

base::Result<ledger::Run> Loop::end(const base::Status& status) {
    run_.spent_s = spent_before_s_ + spent_s();
    if (!status) {
        // A run that failed stays as it is in the ledger, to be gone on with.
        if (status.error().code != ErrorCode::cancelled) {
            return tl::unexpected<base::Error>(status.error());
        }
        run_.status = RunStatus::cancelled;
        run_.ending = {note("ended_cancelled").with("tried", tested()).with("kept", kept_)};
    }
    HONE_TRY_STATUS(setting_.ledger.update(run_));
    return std::move(run_);
}

}  // namespace hone::tune
