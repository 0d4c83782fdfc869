#include <algorithm>

#include "cost/predict.h"
#include "diagnose/cards.h"

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
    const auto cold_warm = cost::find_cold_warm(cards.record, "load");
    if (!cold_warm) {
        card.reason = note("no_experiment").with("experiment", "cold_warm").with("setting", "load");
        cards.out.push_back(std::move(card));
        return;
    }
    // Reading the file once is the least that loading waited; every pair gives one estimate.
    std::vector<double> left;
    const size_t pairs = std::min(cold_warm->cold_ns.size(), cold_warm->warm_ns.size());
    for (size_t i = 0; i < pairs; ++i) {
        const double saved = (cold_warm->cold_ns[i] - cold_warm->warm_ns[i]) / *load->ns;
        left.push_back(1 - std::clamp(saved, 0.0, 0.99));
    }
    const auto [low, high] = std::minmax_element(left.begin(), left.end());
    const cost::Ratio ratio{measure::median(left).value_or(1), *low, *high, false, 0};
    card.predicted = predict_time(cards.record, "load_ms", ratio, cost::Provenance::interpolated);
    card.evidence = {note("interleaved_pairs").with("n", pairs)};
    add_class_share(cards, card, Bottleneck::io);
    cards.out.push_back(std::move(card));
}

// What the run would be without the disturbance that was watched.
void add_quiet_machine(Cards& cards) {
    const Disturbance found = find_disturbance(cards.record, cards.breakdown);
    const double prefill = (1 - found.lost_share) * (1 - found.traffic.prefill_share);
    const double decode = (1 - found.lost_share) * (1 - found.traffic.decode_share);
    if (1 - std::min(prefill, decode) < kDisturbedMin) return;
    cost::Simulation simulation;
    simulation.tier = cost::Provenance::interpolated;
    simulation.batch = std::max(1, cards.record.context.batch);
    simulation.prefill = cost::Ratio{prefill, prefill, prefill, false, 0};
    simulation.decode = cost::Ratio{decode, decode, decode, false, 0};
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
