#include "diagnose/decision.h"

#include <algorithm>
#include <cmath>

#include "diagnose/cards.h"

namespace hone::diagnose {
namespace {

using cost::note;

constexpr int kMinutesFlag = 1;  // type a flag and run again

void add_factors(const Cards& cards, Decision& card, const cost::Simulation& simulation) {
    cost::Note factors = note("factors").with("tier", cost::provenance_name(simulation.tier));
    if (simulation.prefill) factors = factors.with("prefill_x", simulation.prefill->value);
    if (simulation.decode) factors = factors.with("decode_x", simulation.decode->value);
    if (!simulation.prefill) factors.id = "factors_decode";
    if (!simulation.decode) factors.id = "factors_prefill";
    card.evidence.push_back(factors);
    const size_t n = std::max(simulation.prefill ? simulation.prefill->n : 0,
                              simulation.decode ? simulation.decode->n : 0);
    if (n == 0) return;
    card.evidence.push_back(note("interleaved_pairs").with("n", n));
    if (const auto noise = cost::control_noise(cards.record)) {
        card.evidence.push_back(note("control_noise").with("noise_share", *noise));
    }
}

// Gains on speed first (by size, discounted for effort and risk), then what is unknown or about
// memory, then what is too close to call, then losses.
double rank(const Decision& card) {
    if (!card.predicted) return 0;
    const Prediction& prediction = *card.predicted;
    const bool memory = prediction.metric.find("_bytes") != std::string::npos;
    double size = std::fabs(prediction.change_percent);
    if (!prediction.sure) return -0.5;
    if (!prediction.better) return -1 - size;
    if (memory) return 1e-3;
    if (card.risk.level == "quality") size *= 0.5;
    if (!card.available) size *= 0.5;
    return size / (1 + card.complexity.minutes / 60.0);
}

// Memory and load times are cards too, but the scenario is not judged by them.
bool judges_scenario(const Decision& card) {
    if (!card.predicted) return true;
    const std::string& metric = card.predicted->metric;
    return metric != "load_ms" && metric.find("_bytes") == std::string::npos;
}

// A measurement that nobody should act on has no sure gains of its own comparisons. What disturbs
// it is read from the watches (no pairs), and is the more worth saying.
void doubt_gains(Cards& cards) {
    for (Decision& card : cards.out) {
        if (!card.predicted || !card.predicted->better || card.predicted->pairs == 0) continue;
        card.predicted->sure = card.predicted->better = false;
        card.evidence.push_back(note("gain_untrusted"));
    }
}

}  // namespace

Decision flag_card(std::string action, cost::Note title) {
    Decision card;
    card.action = std::move(action);
    card.title = std::move(title);
    card.complexity = {"low", kMinutesFlag};
    card.risk = {"exact", true};
    return card;
}

void predict(Cards& cards, Decision& card, const cost::Simulation& simulation) {
    add_factors(cards, card, simulation);
    PredictionResult result = predict_simulated(cards.record, simulation);
    card.predicted = std::move(result.value);
    card.reason = std::move(result.reason);
}

void predict(Cards& cards, Decision& card, const cost::WhatIf& what_if) {
    const cost::SimulationResult simulated = cost::simulate(cards.record, what_if);
    if (simulated.value) return predict(cards, card, *simulated.value);
    card.reason = simulated.reason;
}

void add_class_share(Cards& cards, Decision& card, Bottleneck bottleneck) {
    const double share = shares_by_class(cards.attributions)[static_cast<size_t>(bottleneck)];
    if (share < 0.01) return;
    card.evidence.push_back(
        note("class_share").with("class", bottleneck_name(bottleneck)).with("wall_share", share));
}

std::vector<Decision> decide(const measure::RunRecord& record, const Breakdown& breakdown,
                             const std::vector<Attribution>& attributions,
                             const MeasurementGrade& grade) {
    Cards cards{record, breakdown, attributions};
    add_measure_again(cards, grade);
    add_quiet_machine(cards);
    add_threads(cards);
    add_prefix_cache(cards);
    add_padding(cards);
    add_denormals(cards);
    add_batch(cards);
    add_variants(cards);
    add_format(cards);
    add_kv_dtype(cards);
    add_head(cards);
    add_layers(cards);
    add_passes(cards);
    add_isa(cards);
    add_step_tokens(cards);
    add_context(cards);
    add_warm_start(cards);
    if (!grade.is_trusted()) doubt_gains(cards);
    std::stable_sort(cards.out.begin(), cards.out.end(),
                     [](const Decision& a, const Decision& b) { return rank(a) > rank(b); });
    return std::move(cards.out);
}

const char* verdict_name(Outcome::Verdict verdict) {
    switch (verdict) {
        case Outcome::Verdict::gains:
            return "gains";
        case Outcome::Verdict::nothing_pays:
            return "nothing_pays";
        case Outcome::Verdict::not_enough_data:
            return "not_enough_data";
    }
    return "not_enough_data";
}

Outcome conclude(const std::vector<Decision>& decisions, const MeasurementGrade& grade) {
    Outcome out;
    out.untrusted = !grade.is_trusted();
    for (const Decision& card : decisions) {
        if (!card.available || card.action == "measure_again" || !judges_scenario(card)) continue;
        if (card.risk.level == "quality") {
            out.gains_at_risk += card.predicted && card.predicted->sure && card.predicted->better;
            continue;
        }
        if (!card.predicted) {
            ++out.not_predicted;
            continue;
        }
        const std::string kind = card.action.substr(0, card.action.find(':'));
        if (std::find(out.checked.begin(), out.checked.end(), kind) == out.checked.end()) {
            out.checked.push_back(kind);
        }
        ++(!card.predicted->sure ? out.too_close : card.predicted->better ? out.gains : out.losses);
    }
    std::sort(out.checked.begin(), out.checked.end());
    if (out.gains > 0) {
        out.verdict = Outcome::Verdict::gains;
    } else if (!out.untrusted && out.losses + out.too_close > 0 &&
               out.losses + out.too_close >= out.not_predicted) {
        out.verdict = Outcome::Verdict::nothing_pays;
    }
    return out;
}

}  // namespace hone::diagnose
