#include "diagnose/decision.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "machine/isa.h"

namespace hone::diagnose {
namespace {

using cost::note;
using cost::WhatIf;
using cost::WhatIfKind;
using measure::RunRecord;

struct Cards {
    const RunRecord& record;
    const std::vector<Attribution>& attributions;
    std::vector<Decision> out;
};

constexpr int kMinutesFlag = 1;       // type a flag and run again
constexpr int kMinutesQuantize = 30;  // find or make the file, check its quality

Decision flag_card(std::string action, cost::Note title) {
    Decision card;
    card.action = std::move(action);
    card.title = std::move(title);
    card.complexity = {"low", kMinutesFlag};
    card.risk = {"exact", true};
    return card;
}

void add_factors(const RunRecord& record, Decision& card, const cost::Simulation& simulation) {
    cost::Note factors = note("factors").with("tier", cost::provenance_name(simulation.tier));
    if (simulation.prefill) factors = factors.with("prefill_x", simulation.prefill->value);
    if (simulation.decode) factors = factors.with("decode_x", simulation.decode->value);
    if (!simulation.prefill) factors.id = "factors_decode";
    if (!simulation.decode) factors.id = "factors_prefill";
    card.evidence.push_back(factors);
    const size_t n = std::max(simulation.prefill ? simulation.prefill->n : 0,
                              simulation.decode ? simulation.decode->n : 0);
    if (n > 0) card.evidence.push_back(note("interleaved_pairs").with("n", n));
    const bool exact = !(simulation.prefill && simulation.prefill->n > 0) &&
                       !(simulation.decode && simulation.decode->n > 0);
    if (const auto noise = cost::control_noise(record); noise && !exact) {
        card.evidence.push_back(note("control_noise").with("noise_share", *noise));
    }
}

void predict(Cards& cards, Decision& card, const WhatIf& what_if) {
    const cost::SimulationResult simulated = cost::simulate(cards.record, what_if);
    if (simulated.value) add_factors(cards.record, card, *simulated.value);
    PredictionResult result = predict_primary(cards.record, what_if);
    card.predicted = std::move(result.value);
    card.reason = std::move(result.reason);
}

void add_class_share(Cards& cards, Decision& card, Bottleneck bottleneck) {
    const double share = shares_by_class(cards.attributions)[static_cast<size_t>(bottleneck)];
    if (share < 0.01) return;
    card.evidence.push_back(
        note("class_share").with("class", bottleneck_name(bottleneck)).with("wall_share", share));
}

std::optional<int> count_of(const std::string& text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

void add_threads(Cards& cards) {
    const RunRecord& record = cards.record;
    const int now = record.context.threads;
    const int cpus = record.machine.facts.cpus_allowed;
    std::set<int> counts;
    if (const auto sweep = cost::find_sweep(record, "thread_sweep")) {
        for (const auto& point : sweep->points)
            counts.insert(count_of(point.setting).value_or(now));
    } else if (cpus > 0) {
        counts = {1, cpus};
    }
    counts.erase(now);
    for (const int count : counts) {
        Decision card = flag_card(fmt::format("threads:{}", count),
                                  note("card_threads").with("threads", count).with("now", now));
        predict(cards, card, {WhatIfKind::threads, "", std::to_string(count)});
        if (cpus > 0 && count > cpus) {
            card.evidence.push_back(
                note("more_threads_than_cpus").with("threads", count).with("cpus", cpus));
        }
        add_class_share(cards, card, Bottleneck::memory_bandwidth);
        card.apply = {"--threads", std::to_string(count)};
        card.undo = {"--threads", std::to_string(now)};
        cards.out.push_back(std::move(card));
    }
}

// A pass that is off: its ablation, or what its redundancy costs as measured in this run.
void add_pass_on(Cards& cards, const measure::PassRun& pass) {
    Decision card = flag_card("with:" + pass.name, note("card_with_pass").with("pass", pass.name));
    WhatIf what_if{WhatIfKind::without_pass, pass.name, "on"};
    if (!cost::find_sweep(cards.record, "pass_ablation", pass.name)) {
        if (pass.name == "last_position_logits") what_if.kind = WhatIfKind::last_logits;
        if (pass.name == "fold_constants") what_if.kind = WhatIfKind::fold_constants;
    }
    predict(cards, card, what_if);
    add_class_share(cards, card, Bottleneck::structural_redundancy);
    card.undo = {"--without", pass.name};
    cards.out.push_back(std::move(card));
}

void add_passes(Cards& cards) {
    for (const measure::PassRun& pass : cards.record.passes) {
        // Only this pass rounds differently; the others keep every bit (graph/passes.h).
        const char* risk = pass.name == "quantize_activations" ? "epsilon" : "exact";
        if (!pass.enabled) {
            add_pass_on(cards, pass);
            cards.out.back().risk.level = risk;
            continue;
        }
        if (pass.rewrites == 0) continue;
        Decision card =
            flag_card("without:" + pass.name, note("card_without_pass").with("pass", pass.name));
        predict(cards, card, {WhatIfKind::without_pass, pass.name, "off"});
        card.evidence.push_back(
            note("pass_rewrites").with("rewrites", pass.rewrites).with("pass_ms", pass.ms));
        card.risk.level = risk;
        card.apply = {"--without", pass.name};
        cards.out.push_back(std::move(card));
    }
}

void add_isa(Cards& cards) {
    const auto now = machine::parse_isa(cards.record.isa);
    if (!now) return;
    std::vector<std::string> levels;
    if (const auto sweep = cost::find_sweep(cards.record, "isa_sweep")) {
        for (const auto& point : sweep->points) levels.push_back(point.setting);
    } else {
        if (const int below = static_cast<int>(*now) - 1; below >= 0) {
            levels.push_back(machine::isa_name(static_cast<machine::Isa>(below)));
        }
        levels.push_back(cards.record.machine.facts.isa);
    }
    for (const std::string& level : levels) {
        if (level == cards.record.isa || !machine::parse_isa(level)) continue;
        Decision card = flag_card(
            "isa:" + level, note("card_isa").with("isa", level).with("now", cards.record.isa));
        predict(cards, card, {WhatIfKind::isa, "", level});
        card.risk.level = "epsilon";
        card.apply = {"--isa", level};
        card.undo = {"--isa", cards.record.isa};
        cards.out.push_back(std::move(card));
    }
}

void add_batch(Cards& cards) {
    const int now = std::max(1, cards.record.context.batch);
    const bool wanted = cards.record.context.scenario == "batch";
    for (const int batch : {1, 2, 4, 8}) {
        if (batch == now) continue;
        Decision card = flag_card(fmt::format("batch:{}", batch),
                                  note("card_batch").with("batch", batch).with("now", now));
        predict(cards, card, {WhatIfKind::batch, "", std::to_string(batch)});
        if (!wanted && !card.predicted) continue;
        const auto simulated =
            cost::simulate(cards.record, {WhatIfKind::batch, "", std::to_string(batch)});
        if (simulated.value && simulated.value->decode) {
            card.evidence.push_back(
                note("batch_throughput")
                    .with("throughput_x", batch / (now * simulated.value->decode->value)));
        }
        // How many requests run together is up to whoever serves them; no command takes it yet.
        card.available = false;
        cards.out.push_back(std::move(card));
    }
}

void add_variants(Cards& cards) {
    for (const auto& experiment : cards.record.experiments) {
        if (experiment.name != "variant_sweep") continue;
        const auto sweep = cost::as_sweep(experiment);
        if (!sweep) continue;
        for (const auto& point : sweep->points) {
            if (point.setting == sweep->baseline) continue;
            const std::string choice = sweep->subject + "=" + point.setting;
            Decision card = flag_card(
                "variant:" + choice,
                note("card_variant").with("family", sweep->subject).with("variant", point.setting));
            predict(cards, card, {WhatIfKind::variant, sweep->subject, point.setting});
            card.risk.level = "epsilon";
            card.apply = {"--variant", choice};
            card.undo = {"--variant", sweep->subject + "=" + sweep->baseline};
            cards.out.push_back(std::move(card));
        }
    }
}

// Memory only: the cache is reserved for the whole context.
void add_context(Cards& cards) {
    const auto& memory = cards.record.memory;
    const auto& context = cards.record.context;
    if (memory.kv_bytes == 0 || memory.kv_bytes_per_token == 0) return;
    const uint64_t sequences = static_cast<uint64_t>(std::max(1, context.batch));
    const uint64_t reserved = memory.kv_bytes / memory.kv_bytes_per_token / sequences;
    // Whole pages of 256 positions, so that the workload still fits.
    const uint64_t used = static_cast<uint64_t>(std::max(0, context.prompt_tokens)) +
                          static_cast<uint64_t>(std::max(0, context.output_tokens));
    const uint64_t needed = (used + 255) / 256 * 256;
    if (needed == 0 || 2 * needed > reserved) return;
    Decision card = flag_card(fmt::format("context:{}", needed),
                              note("card_context").with("tokens", needed).with("now", reserved));
    Prediction prediction;
    prediction.metric = "kv_bytes";
    prediction.change_percent =
        100 * (static_cast<double>(needed) / static_cast<double>(reserved) - 1);
    prediction.better = true;
    prediction.tier = cost::Provenance::measured;
    card.predicted = prediction;
    card.evidence = {note("kv_memory")
                         .with("kv_bytes", static_cast<int64_t>(memory.kv_bytes))
                         .with("token_bytes", static_cast<int64_t>(memory.kv_bytes_per_token))
                         .with("used", used)};
    card.apply = {"--context", std::to_string(needed)};
    card.undo = {"--context", std::to_string(reserved)};
    cards.out.push_back(std::move(card));
}

void add_format(Cards& cards) {
    const WhatIf what_if{WhatIfKind::weight_format, "", "u4"};
    const cost::SimulationResult simulated = cost::simulate(cards.record, what_if);
    const auto& reason = simulated.reason.id;
    if (reason == "nothing_to_change" || reason == "no_operator_samples") return;
    Decision card;
    card.action = "quantize:u4";
    card.title = note("card_quantize").with("format", "Q4_0");
    card.complexity = {"medium", kMinutesQuantize};
    card.risk = {"quality", true};
    card.available = false;
    predict(cards, card, what_if);
    card.evidence.push_back(note("bytes_not_kernels"));
    add_class_share(cards, card, Bottleneck::memory_bandwidth);
    cards.out.push_back(std::move(card));
}

// Where loading waited for storage: what a warm page cache would leave of it.
void add_warm_start(Cards& cards, const Breakdown& breakdown) {
    const Stage* load = breakdown.stage("load");
    const auto waits = [](const Attribution& item) {
        return item.subject == "load" && item.bottleneck == Bottleneck::io;
    };
    const bool io = std::any_of(cards.attributions.begin(), cards.attributions.end(), waits);
    if (!io || load == nullptr || load->ns.value_or(0) <= 0) return;
    Decision card = flag_card("keep_warm", note("card_keep_warm"));
    card.available = false;
    const auto cold_warm = cost::find_cold_warm(cards.record, "load");
    if (!cold_warm) {
        card.reason = note("no_experiment").with("experiment", "cold_warm").with("setting", "load");
        cards.out.push_back(std::move(card));
        return;
    }
    const double saved_ns = measure::median(cold_warm->cold_ns).value_or(0) -
                            measure::median(cold_warm->warm_ns).value_or(0);
    Prediction prediction;
    prediction.metric = "load_ms";
    prediction.change_percent = -100 * std::clamp(saved_ns / *load->ns, 0.0, 1.0);
    prediction.better = prediction.change_percent < 0;
    prediction.tier = cost::Provenance::interpolated;
    card.predicted = prediction;
    card.evidence = {note("interleaved_pairs").with("n", cold_warm->cold_ns.size())};
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

}  // namespace

std::vector<Decision> decide(const RunRecord& record, const Breakdown& breakdown,
                             const std::vector<Attribution>& attributions,
                             const MeasurementGrade& grade) {
    Cards cards{record, attributions, {}};
    add_measure_again(cards, grade);
    add_threads(cards);
    add_batch(cards);
    add_variants(cards);
    add_format(cards);
    add_passes(cards);
    add_isa(cards);
    add_context(cards);
    add_warm_start(cards, breakdown);
    std::stable_sort(cards.out.begin(), cards.out.end(),
                     [](const Decision& a, const Decision& b) { return rank(a) > rank(b); });
    return std::move(cards.out);
}

}  // namespace hone::diagnose
