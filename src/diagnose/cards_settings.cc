#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "cost/kernel_curve.h"
#include "cost/observations.h"
#include "cost/screened_head.h"
#include "cost/speed_of_light.h"
#include "diagnose/cards.h"
#include "machine/isa.h"

namespace hone::diagnose {
namespace {

using cost::note;
using cost::WhatIf;
using cost::WhatIfKind;
using measure::RunRecord;

constexpr int kMinutesQuantize = 10;  // make the file, check its quality
constexpr int kMinutesLayers = 60;    // check what is left on one's own work
// Models below this depth have no layer to spare, unless it does nothing.
constexpr int kLayersMin = 8;
constexpr double kNoInfluence = 1e-6;

int tenth_of(int layers) {
    return layers / 10 + (layers % 10 > 0 ? 1 : 0);
}

std::optional<int> count_of(const std::string& text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

// Why more threads than CPUs lose: what the barriers of this run already take.
void add_barrier_share(Cards& cards, Decision& card) {
    double barrier_ns = 0;
    for (const OperatorRow& row : cards.breakdown.operators) barrier_ns += row.barrier_ns;
    if (cards.breakdown.steps_ns <= 0 || barrier_ns <= 0) return;
    card.evidence.push_back(note("barrier_share")
                                .with("threads", cards.record.context.threads)
                                .with("step_share", barrier_ns / cards.breakdown.steps_ns));
}

// Packed, mean over the matrices; nullopt without any of a known format.
std::optional<double> weight_bytes(const RunRecord& record) {
    double bytes = 0;
    double weights = 0;
    for (const measure::PlanNodeFacts& node : record.nodes) {
        const auto each = cost::format_bytes_per_weight(cost::parse_variant(node.variant).format);
        if (!each) continue;
        // A record of an older version has no shapes: then every matrix counts alike.
        const double count = std::max(
            1.0, static_cast<double>(node.shape.rows) * static_cast<double>(node.shape.columns));
        bytes += *each * count;
        weights += count;
    }
    if (weights <= 0) return std::nullopt;
    return bytes / weights;
}

}  // namespace

void add_threads(Cards& cards) {
    const RunRecord& record = cards.record;
    const int now = record.context.threads;
    const int cpus = usable_cpus(record);
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
        predict(cards, card, WhatIf{WhatIfKind::threads, "", std::to_string(count)});
        if (cpus > 0 && count > cpus) {
            card.evidence.push_back(
                note("more_threads_than_cpus").with("threads", count).with("cpus", cpus));
        }
        add_barrier_share(cards, card);
        add_class_share(cards, card, Bottleneck::memory_bandwidth);
        card.apply = {"--threads", std::to_string(count)};
        card.undo = {"--threads", std::to_string(now)};
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
        predict(cards, card, WhatIf{WhatIfKind::isa, "", level});
        card.risk.level = "epsilon";
        card.apply = {"--isa", level};
        card.undo = {"--isa", cards.record.isa};
        cards.out.push_back(std::move(card));
    }
}

void add_batch(Cards& cards) {
    const int now = std::max(1, cards.record.context.batch);
    const bool wanted = cards.record.context.scenario == "batch";
    for (const int batch : {1, 2, 4, 8, 16}) {
        if (batch == now) continue;
        const WhatIf what_if{WhatIfKind::batch, "", std::to_string(batch)};
        Decision card = flag_card(fmt::format("batch:{}", batch),
                                  note("card_batch").with("batch", batch).with("now", now));
        predict(cards, card, what_if);
        if (!wanted && !card.predicted) continue;
        const auto simulated = cost::simulate(cards.record, what_if);
        if (simulated.value && simulated.value->decode) {
            card.evidence.push_back(
                note("batch_throughput")
                    .with("throughput_x", batch / (now * simulated.value->decode->value)));
        }
        card.apply = {"--batch", std::to_string(batch)};
        card.undo = {"--batch", std::to_string(now)};
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
            predict(cards, card, WhatIf{WhatIfKind::variant, sweep->subject, point.setting});
            card.risk.level = "epsilon";
            card.apply = {"--variant", choice};
            card.undo = {"--variant", sweep->subject + "=" + sweep->baseline};
            cards.out.push_back(std::move(card));
        }
    }
}

// Half the tokens per step: finer slices let others in sooner, and cost the prompt more steps.
void add_step_tokens(Cards& cards) {
    const RunRecord& record = cards.record;
    const int prompt = record.context.prompt_tokens;
    const auto sweep = cost::find_sweep(record, "length_sweep");
    if (!sweep || prompt < 2 || record.context.batch > 1) return;
    const cost::SweepPoint* whole = sweep->point(std::to_string(prompt));
    const cost::SweepPoint* half = sweep->point(std::to_string(prompt / 2));
    if (whole == nullptr || half == nullptr || prompt % 2 != 0) return;
    std::vector<double> twice = half->prefill_ns;
    for (double& ns : twice) ns *= 2;
    cost::Simulation simulation;
    simulation.tier = cost::Provenance::interpolated;
    simulation.prefill = cost::ratio_of(twice, whole->prefill_ns);
    simulation.decode = cost::Ratio{};
    if (!simulation.prefill) return;
    simulation.decode->n = simulation.prefill->n;
    simulation.decode->has_interval = simulation.prefill->has_interval;
    const std::string tokens = std::to_string(prompt / 2);
    Decision card =
        flag_card("step_tokens:" + tokens,
                  note("card_step_tokens").with("tokens", prompt / 2).with("now", prompt));
    predict(cards, card, simulation);
    card.apply = {"--step-tokens", tokens};
    cards.out.push_back(std::move(card));
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
    prediction.interval = {prediction.change_percent, prediction.change_percent};
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

// Fewer bytes for every weight. The packed form is what the kernels read; a format that saves less
// than a twentieth of it is no change worth the risk.
void add_format(Cards& cards) {
    struct Format {
        const char* name;
        const char* packed;
    };
    constexpr Format kFormats[] = {{"Q8_0", "s8"}, {"Q6_K", "u6"}, {"Q5_0", "u5"}, {"Q4_0", "u4"}};
    constexpr double kBytesShareMax = 0.95;
    const std::optional<double> now = weight_bytes(cards.record);
    if (!now) return;
    for (const Format& format : kFormats) {
        const auto then = cost::format_bytes_per_weight(format.packed);
        if (!then || *then > *now * kBytesShareMax) continue;
        Decision card = flag_card(fmt::format("weights:{}", format.name),
                                  note("card_quantize").with("format", format.name));
        card.complexity = {"medium", kMinutesQuantize};
        card.risk.level = "quality";
        predict(cards, card, WhatIf{WhatIfKind::weight_format, "", format.packed});
        if (!card.predicted && card.reason.id == "no_operator_samples") return;
        card.evidence.push_back(note("bytes_per_weight").with("then", *then).with("now", *now));
        add_class_share(cards, card, Bottleneck::memory_bandwidth);
        card.apply = {"--weights", format.name};
        cards.out.push_back(std::move(card));
    }
}

namespace {

void add_kv_card(Cards& cards, const std::string& now, double value_bytes,
                 const std::string& then) {
    const auto& record = cards.record;
    Decision card = flag_card("kv:" + then, note("card_kv").with("dtype", then).with("now", now));
    predict(cards, card, WhatIf{WhatIfKind::kv_dtype, "", then});
    const auto other_bytes = cost::kv_value_bytes(record, then);
    if (other_bytes && record.memory.kv_bytes > 0) {
        const auto bytes = static_cast<double>(record.memory.kv_bytes);
        card.evidence.push_back(
            note("kv_dtype_memory")
                .with("kv_bytes", static_cast<int64_t>(record.memory.kv_bytes))
                .with("then_bytes", static_cast<int64_t>(bytes * *other_bytes / value_bytes)));
    }
    card.risk.level = other_bytes && *other_bytes < value_bytes ? "quality" : "exact";
    card.apply = {"--kv", then};
    card.undo = {"--kv", now};
    cards.out.push_back(std::move(card));
}

}  // namespace

// The cache in fewer of its bytes, or in all of them again.
void add_kv_dtype(Cards& cards) {
    double value_bytes = 0;
    for (const measure::PlanNodeFacts& node : cards.record.nodes) {
        if (node.kind == cost::op_kind_name(cost::OpKind::attend)) {
            value_bytes = node.shape.kv_element_bytes;
        }
    }
    if (value_bytes <= 0) return;
    // A byte for each value and its share of the scale are more than one, half a byte and that are
    // less (but of heads of 16 values, where q4 saves nothing on q8).
    const std::string now = value_bytes >= 2 ? "f16" : value_bytes > 1 ? "q8" : "q4";
    for (const char* then : {"f16", "q8", "q4"}) {
        if (now != then) add_kv_card(cards, now, value_bytes, then);
    }
}

namespace {

// Of the file, by number: those that this run left out already.
std::vector<int> layers_left_out(const RunRecord& record) {
    std::set<int> present;
    for (const measure::PlanNodeFacts& node : record.nodes) present.insert(node.layer);
    std::vector<int> out;
    for (int layer = 0; layer < static_cast<int>(record.model.layers); ++layer) {
        if (!present.contains(layer)) out.push_back(layer);
    }
    return out;
}

// What a tenth of the layers costs; which of them do least was not measured.
void add_layers_unseen(Cards& cards, int layers) {
    if (layers < kLayersMin) return;
    const int removed = tenth_of(layers);
    Decision card;
    card.action = fmt::format("remove_layers:{}", removed);
    card.title = note("card_remove_layers").with("layers", removed).with("of", layers);
    card.complexity = {"high", kMinutesLayers};
    card.risk = {"quality", true};
    card.available = false;
    predict(cards, card, WhatIf{WhatIfKind::remove_layers, "", std::to_string(removed)});
    if (!card.predicted && card.reason.id == "no_operator_samples") return;
    card.evidence.push_back(note("layers_untested"));
    cards.out.push_back(std::move(card));
}

// The `count` layers that turn the stream least, on top of what is out already.
void add_without_layers(Cards& cards, const std::vector<cost::LayerInfluence>& by_influence,
                        const std::vector<int>& out_already, size_t count) {
    std::vector<int> removed = out_already;
    double sum = 0;
    for (size_t i = 0; i < count; ++i) {
        removed.push_back(by_influence[i].layer);
        sum += by_influence[i].influence;
    }
    std::sort(removed.begin(), removed.end());
    const std::string list = fmt::format("{}", fmt::join(removed, ","));
    Decision card = flag_card(
        "without_layers:" + list,
        note("card_without_layers").with("layers", list).with("of", cards.record.model.layers));
    card.complexity = {"medium", kMinutesLayers};
    card.risk.level = "quality";
    predict(cards, card, WhatIf{WhatIfKind::remove_layers, "", std::to_string(count)});
    card.evidence.push_back(
        note("layer_influence")
            .with("influence_share", sum / static_cast<double>(count))
            .with("median_share", by_influence[by_influence.size() / 2].influence));
    card.apply = {"--without-layers", list};
    if (!out_already.empty()) {
        card.undo = {"--without-layers", fmt::format("{}", fmt::join(out_already, ","))};
    }
    cards.out.push_back(std::move(card));
}

}  // namespace

// One layer, and a tenth of them: those that do least. What they are worth to the answers only a
// measurement of quality can say.
void add_layers(Cards& cards) {
    const RunRecord& record = cards.record;
    const auto measured = cost::find_layer_influences(record);
    if (!measured) return add_layers_unseen(cards, static_cast<int>(record.model.layers));
    std::vector<cost::LayerInfluence> layers = measured->layers;
    if (layers.size() < 2) return;
    std::stable_sort(layers.begin(), layers.end(),
                     [](const auto& a, const auto& b) { return a.influence < b.influence; });
    const auto tenth = static_cast<size_t>(tenth_of(static_cast<int>(layers.size())));
    const bool deep = layers.size() >= static_cast<size_t>(kLayersMin);
    const std::vector<int> out_already = layers_left_out(record);
    if (deep || layers[0].influence < kNoInfluence) {
        add_without_layers(cards, layers, out_already, 1);
    }
    if (deep && tenth > 1) add_without_layers(cards, layers, out_already, tenth);
}

// The head in two steps: 5-bit scores of all rows, and those rows that may have the largest.
void add_head(Cards& cards) {
    const RunRecord& record = cards.record;
    const auto share = cost::screened_head_share(record);
    // Where several sequences decode together, a step has several rows and no screen.
    if (!share || record.context.batch > 1) return;
    const measure::NodeShape& head = record.nodes.back().shape;
    Decision card = flag_card("head:screened", note("card_head_screened"));
    predict(cards, card, WhatIf{WhatIfKind::trim_head, "", "screened"});
    double weights = 0;
    for (const measure::PlanNodeFacts& node : record.nodes) {
        if (node.kind != cost::op_kind_name(cost::OpKind::embedding)) {
            weights += static_cast<double>(node.shape.weight_bytes);
        }
    }
    if (weights > 0) {
        card.evidence.push_back(
            note("head_screen")
                .with("weights_share", static_cast<double>(head.weight_bytes) / weights)
                .with("rows", head.rows)
                .with("then_share", *share));
    }
    card.apply = {"--head", "screened"};
    card.undo = {"--head", "full"};
    cards.out.push_back(std::move(card));
}

}  // namespace hone::diagnose
