// The makers of cards: each looks at a record and adds the changes it knows about.
//
// Internal to this room: decide() in decision.h calls them and orders what they made. A maker adds
// a card for every setting worth a word, losing ones too; without data the card says what is
// missing.
#pragma once

#include <string>
#include <vector>

#include "diagnose/decision.h"
#include "diagnose/disturbance.h"
#include "diagnose/waste.h"

namespace hone::diagnose {

struct Cards {
    const measure::RunRecord& record;
    const Breakdown& breakdown;
    const std::vector<Attribution>& attributions;
    std::vector<Decision> out{};
};

// A change by a flag: a minute of work, exact, reversible.
Decision flag_card(std::string action, cost::Note title);
// Predicts and says where the factors come from.
void predict(Cards& cards, Decision& card, const cost::WhatIf& what_if);
void predict(Cards& cards, Decision& card, const cost::Simulation& simulation);
// How much of the wall the class takes, where it is worth a line.
void add_class_share(Cards& cards, Decision& card, Bottleneck bottleneck);

// cards_settings.cc: what can be turned.
void add_threads(Cards& cards);
void add_isa(Cards& cards);
void add_batch(Cards& cards);
void add_variants(Cards& cards);
void add_step_tokens(Cards& cards);
void add_context(Cards& cards);
void add_format(Cards& cards);
void add_kv_dtype(Cards& cards);
void add_layers(Cards& cards);
void add_head(Cards& cards);

// cards_waste.cc: what need not be done.
void add_passes(Cards& cards);
void add_prefix_cache(Cards& cards);
void add_padding(Cards& cards);
void add_denormals(Cards& cards);

// cards_surroundings.cc: what lies outside the model.
void add_warm_start(Cards& cards);
void add_quiet_machine(Cards& cards);
void add_measure_again(Cards& cards, const MeasurementGrade& grade);

}  // namespace hone::diagnose
