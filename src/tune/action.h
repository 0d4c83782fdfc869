// Actions: what the loop may do to the settings, each with what it is expected to bring.
//
// An action is a value: changes of settings by name, their numeric class, the work they would be by
// hand, and a prediction of the scenario's own metric from one record (a decision card, or a
// simulation where there is no card), corrected by what earlier promises came to. Applying is
// tune::changed(), undoing the same with undo_of(). Nothing is run here. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "diagnose/decision.h"
#include "ledger/accuracy.h"
#include "ledger/journal.h"
#include "measure/record.h"
#include "tune/gate.h"
#include "tune/settings.h"

namespace hone::tune {

struct Action {
    std::string id;  // "threads:2"
    diagnose::Note title;
    ledger::Changes apply;
    std::string risk = "exact";  // exact | epsilon | quality
    int minutes = 1;
    std::vector<diagnose::Note> evidence = {};
    std::optional<diagnose::Prediction> predicted = std::nullopt;
    diagnose::Note reason = {};  // why there is no prediction
    // Of the record alone, once learn() has corrected `predicted`.
    std::optional<diagnose::Prediction> raw = std::nullopt;
    size_t learned_from = 0;  // results

    // Saves memory, and is judged by doing no harm to the scenario's metric.
    bool saves_memory() const;
};

// The changes that an action's id stands for; empty for a card that no setting carries out.
ledger::Changes changes_of(const std::string& id);

// Whether actions begin with this word: "threads", "weights".
bool is_action_kind(const std::string& kind);

// Everything that can be done from `now`; changes that are in force already are left out. The
// record is of a session with these settings, the cards are its diagnosis. `own_prompts`: the
// requests are the user's; texts from a seed are continued in endless repetitions, so what they say
// of drafts holds for no other text.
std::vector<Action> actions_for(const measure::RunRecord& record,
                                const std::vector<diagnose::Decision>& cards, const Settings& now,
                                bool own_prompts);

// Corrects the prediction by earlier promises and results of this machine; again from the record's
// own each time. Surely better or worse is then only what is so by the wider interval.
void learn(Action& action, const std::vector<ledger::TestedPromise>& earlier);

// Mean of max(0, gain) in percent of the scenario's metric, with a normal distribution of the
// predicted middle and interval; without a prediction, of kUnknownSpreadPercent around nothing
// (around a loss for switching a pass off or going to a lower ISA level).
double expected_gain_percent(const Action& action);
inline constexpr double kUnknownSpreadPercent = 2;
// What decides the order: gain, less for effort and for what the gate may undo.
double rank_of(const Action& action, const Gate& gate);

// For the ledger: the action as a promise against `now`.
ledger::Trial trial_of(const Action& action, const Settings& now);

}  // namespace hone::tune
