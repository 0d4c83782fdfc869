#include <algorithm>

#include "cost/predict.h"
#include "diagnose/cards.h"
#include "diagnose/cold_start.h"

namespace hone::diagnose {
namespace {

using cost::note;

// Less disturbance than this is the usual state of a machine.
constexpr double kDisturbedMin = 0.03;

}  // namespace

// Where loading waited for storage: what a warm page cache would leave of it.
void add_warm_start(Cards& cards) {
    const Stage* load = cards.breakdown.stage("load");
    const auto waits = [](const Attribution& item) {
        return item.subject == "load" && item.bottleneck == Bottleneck::io;
    };
    const bool io = std::any_of(cards.attributions.begin(), cards.attributions.end(), waits);
    if (!io || load == nullptr || load->ns.value_or(0) <= 0) return;
    Decision card = flag_card("keep_warm", note("card_keep_warm"));
    // A matter of the system: no flag of a run keeps a file in memory between runs.
    card.available = false;
    const ColdStart start = find_cold_start(cards.record, "load", *load->ns);
    card.evidence = start.evidence;
    if (!start.left) {
        card.reason = note("no_experiment").with("experiment", "cold_warm").with("setting", "load");
        cards.out.push_back(std::move(card));
        return;
    }
    card.predicted =
        predict_time(cards.record, "load_ms", *start.left, cost::Provenance::interpolated);
    add_class_share(cards, card, Bottleneck::io);
    cards.out.push_back(std::move(card));
}

// What the run would be without the disturbance that was watched.
void add_quiet_machine(Cards& cards) {
    const Disturbance found = find_disturbance(cards.record, cards.breakdown);
    const auto left = [&](double traffic) { return (1 - found.lost_share) * (1 - traffic); };
    const auto ratio = [&](double SliceShares::*slice, double traffic) {
        return cost::Ratio{left(traffic), left(found.traffic_most.*slice),
                           left(found.traffic_least.*slice), false, 0};
    };
    cost::Simulation simulation;
    simulation.tier = cost::Provenance::interpolated;
    simulation.batch = std::max(1, cards.record.context.batch);
    simulation.prefill = ratio(&SliceShares::prefill, found.traffic.prefill_share);
    simulation.decode = ratio(&SliceShares::decode, found.traffic.decode_share);
    if (1 - std::min(simulation.prefill->value, simulation.decode->value) < kDisturbedMin) return;
    Decision card = flag_card("quiet_machine", note("card_quiet_machine"));
    predict(cards, card, simulation);
    card.evidence.insert(card.evidence.end(), found.evidence.begin(), found.evidence.end());
    card.evidence.insert(card.evidence.end(), found.traffic.evidence.begin(),
                         found.traffic.evidence.end());
    add_class_share(cards, card, Bottleneck::interference);
    // Other processes are not this program's to stop.
    card.available = false;
    cards.out.push_back(std::move(card));
}

void add_measure_again(Cards& cards, const MeasurementGrade& grade) {
    if (grade.grade <= 'B') return;
    Decision card = flag_card("measure_again", note("card_measure_again"));
    card.reason = note("changes_no_speed");
    card.evidence = {grade.reasons.front().note};
    card.apply = {"--long"};
    cards.out.push_back(std::move(card));
}

}  // namespace hone::diagnose
