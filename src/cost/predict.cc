#include "cost/predict.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "cost/kernel_curve.h"
#include "cost/screened_head.h"
#include "cost/simulate_run.h"
#include "cost/speed_of_light.h"
#include "measure/statistics.h"

namespace hone::cost {
namespace {

using measure::OperatorSample;
using measure::RunRecord;
using Records = std::span<const RunRecord>;

// More rows than this per row needed are waste, not rounding.
constexpr double kWastedRowsMin = 1.5;
// Mixed steps count as the slice kind that most of their tokens belong to.
constexpr double kMixedPrefillTokens = 8;

struct SliceTimes {
    double prefill_ns = 0;
    double decode_ns = 0;
    double sum() const { return prefill_ns + decode_ns; }
};

bool is_prefill(const OperatorSample& sample) {
    if (sample.slice == "prefill") return true;
    if (sample.slice == "decode" || sample.calls == 0) return false;
    return static_cast<double>(sample.tokens) >
           kMixedPrefillTokens * static_cast<double>(sample.calls);
}

double& slot(SliceTimes& times, const OperatorSample& sample) {
    return is_prefill(sample) ? times.prefill_ns : times.decode_ns;
}

SliceTimes times_of(const RunRecord& record) {
    SliceTimes times;
    for (const OperatorSample& sample : record.operators) {
        slot(times, sample) += sample_wall_ns(sample);
    }
    return times;
}

SimulationResult refuse(Note reason) {
    return {std::nullopt, std::move(reason)};
}

SimulationResult finish(const RunRecord& record, Simulation simulation) {
    const SliceTimes before = times_of(record);
    simulation.before_ns = before.sum();
    simulation.after_ns = before.prefill_ns * simulation.prefill.value_or(Ratio{}).value +
                          before.decode_ns * simulation.decode.value_or(Ratio{}).value;
    return {simulation, {}};
}

Ratio exactly(double after, double before) {
    const double value = before > 0 ? after / before : 1;
    return {value, value, value, false, 0};
}

// Node by node: `after` holds the predicted time of every slice kind.
SimulationResult from_times(const RunRecord& record, const SliceTimes& after, Provenance tier) {
    const SliceTimes before = times_of(record);
    Simulation simulation;
    simulation.tier = tier;
    simulation.prefill = exactly(after.prefill_ns, before.prefill_ns);
    simulation.decode = exactly(after.decode_ns, before.decode_ns);
    simulation.batch = std::max(1, record.context.batch);
    return finish(record, simulation);
}

// A factor measured for one operator kind moves only the nodes of that kind.
std::optional<Ratio> diluted(const RunRecord& record, const std::string& kind, bool prefill,
                             const std::optional<Ratio>& ratio) {
    if (kind.empty() || !ratio) return ratio;
    double inside = 0;
    double all = 0;
    for (const OperatorSample& sample : record.operators) {
        if (is_prefill(sample) != prefill) continue;
        const auto* node = node_of(record, sample.node);
        all += sample_wall_ns(sample);
        if (node != nullptr && node->kind == kind) inside += sample.compute_ns;
    }
    if (all <= 0) return std::nullopt;
    const double share = std::min(1.0, inside / all);
    Ratio out = *ratio;
    out.value = 1 + share * (ratio->value - 1);
    out.low = 1 + share * (ratio->low - 1);
    out.high = 1 + share * (ratio->high - 1);
    return out;
}

struct SweepQuery {
    const char* name;
    std::string experiment_subject;
    std::string baseline;  // "" = as the sweep says
    std::string setting;
    std::string kind;  // "" = the factor is that of whole steps
};

// The factor between two settings of one experiment.
SimulationResult from_points(const RunRecord& record, const SweepQuery& query,
                             const SweepPoint* before, const SweepPoint* after) {
    if (before == nullptr || after == nullptr) {
        return refuse(note("no_such_setting")
                          .with("experiment", query.name)
                          .with("setting", before == nullptr ? query.baseline : query.setting));
    }
    Simulation simulation;
    simulation.tier = Provenance::measured;
    simulation.batch = std::max(1, record.context.batch);
    simulation.prefill =
        diluted(record, query.kind, true, ratio_of(after->prefill_ns, before->prefill_ns));
    simulation.decode =
        diluted(record, query.kind, false, ratio_of(after->decode_ns, before->decode_ns));
    if (!simulation.prefill && !simulation.decode) {
        return refuse(note("no_slice_data").with("experiment", query.name));
    }
    return finish(record, simulation);
}

SimulationResult no_experiment(const SweepQuery& query) {
    return refuse(
        note("no_experiment").with("experiment", query.name).with("setting", query.setting));
}

SimulationResult from_sweep(const RunRecord& record, const SweepQuery& query) {
    const auto sweep = find_sweep(record, query.name, query.experiment_subject);
    if (!sweep) return no_experiment(query);
    return from_points(record, query,
                       sweep->point(query.baseline.empty() ? sweep->baseline : query.baseline),
                       sweep->point(query.setting));
}

// An experiment's answer, or else the simulation's; where both refuse, the experiment's reason says
// what to do.
SimulationResult or_simulated(SimulationResult measured, const RunRecord& record,
                              const RunPlan& plan, Records others) {
    if (measured.value) return measured;
    SimulationResult simulated = simulate_run(record, plan, others);
    if (simulated.value || simulated.reason.id == "nothing_to_change") return simulated;
    return measured;
}

std::optional<double> parse_share(const std::string& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    if (!(value > 0) || !(value < 1)) return std::nullopt;
    return value;
}

std::optional<int> parse_count(const std::string& text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 1) return std::nullopt;
    return value;
}

// Step times from the throughput of a static batch: B sequences advance one token per step.
std::vector<double> batch_step_ns(const RunRecord& record, int batch) {
    std::vector<double> out;
    const auto* metric = record.metric(fmt::format("batch{}_tokens_per_s", batch));
    if (metric == nullptr) return out;
    for (const double rate : metric->samples) {
        if (rate > 0) out.push_back(batch * 1e9 / rate);
    }
    return out;
}

SimulationResult simulate_batch(const RunRecord& record, const WhatIf& what_if, Records others) {
    const auto batch = parse_count(what_if.setting);
    const int now = std::max(1, record.context.batch);
    if (!batch) return refuse(note("no_such_setting").with("experiment", "batch_sweep"));
    SimulationResult result =
        from_sweep(record, {"batch_sweep", "", std::to_string(now), what_if.setting, ""});
    if (result.value) {
        result.value->batch = *batch;
        return result;
    }
    const auto ratio = ratio_of(batch_step_ns(record, *batch), batch_step_ns(record, now));
    if (!ratio) {
        RunPlan plan;
        plan.batch = *batch;
        return or_simulated(std::move(result), record, plan, others);
    }
    Simulation simulation;
    simulation.tier = Provenance::measured;
    simulation.decode = ratio;
    simulation.batch = *batch;
    return finish(record, simulation);
}

// Roofs and kernels at another thread count; more threads than CPUs only an experiment can tell.
SimulationResult simulate_threads(const RunRecord& record, const WhatIf& what_if, Records others) {
    const auto threads = parse_count(what_if.setting);
    SimulationResult measured =
        from_sweep(record, {"thread_sweep", what_if.subject, std::to_string(record.context.threads),
                            what_if.setting, what_if.subject});
    const int cpus = record.machine.facts.cpus_allowed;
    if (!threads || !what_if.subject.empty() || (cpus > 0 && *threads > cpus)) return measured;
    RunPlan plan;
    plan.change.threads = *threads;
    return or_simulated(std::move(measured), record, plan, others);
}

bool has_kernels_of(const RunRecord& record, const std::string& isa) {
    return std::any_of(record.machine.gemms.begin(), record.machine.gemms.end(),
                       [&](const machine::GemmPoint& point) { return point.isa == isa; });
}

// Kernels of another level: simulated only where the machine profile knows them.
SimulationResult simulate_level(const RunRecord& record, const WhatIf& what_if, Records others) {
    const bool one_family = what_if.kind == WhatIfKind::variant;
    SimulationResult measured =
        one_family ? from_sweep(record, {"variant_sweep", what_if.subject, "", what_if.setting, ""})
                   : from_sweep(record, {"isa_sweep", "", record.isa, what_if.setting, ""});
    const bool known =
        has_kernels_of(record, what_if.setting) && (!one_family || what_if.subject == "linear");
    if (!known) return measured;
    RunPlan plan;
    plan.change.isa = what_if.setting;
    if (one_family) plan.change.isa_family = what_if.subject;
    return or_simulated(std::move(measured), record, plan, others);
}

SimulationResult simulate_pass(const RunRecord& record, const WhatIf& what_if) {
    const bool off = what_if.setting != "on";
    return from_sweep(
        record, {"pass_ablation", what_if.subject, off ? "on" : "off", off ? "off" : "on", ""});
}

// Packed weight bytes of one call: what is left of its bytes when activations are smallest.
double weight_bytes_per_call(const RunRecord& record, uint32_t node) {
    double least = 0;
    for (const OperatorSample& sample : record.operators) {
        if (sample.node != node || sample.calls == 0) continue;
        const double bytes = sample.bytes / static_cast<double>(sample.calls);
        least = least == 0 ? bytes : std::min(least, bytes);
    }
    return least;
}

// Same utilization at the new bound; a hot copy says how much memory can give back at most.
double reformatted_ns(const RunRecord& record, const OperatorSample& sample,
                      const std::string& kind, double bytes_scale, const LightTime& light) {
    const double weights =
        weight_bytes_per_call(record, sample.node) * static_cast<double>(sample.calls);
    const double bytes_after =
        std::max(0.0, sample.bytes - std::min(weights, sample.bytes) * (1 - bytes_scale));
    const double memory_after = *light.memory_ns * bytes_after / std::max(1.0, sample.bytes);
    const double bound_after = std::max(*light.compute_ns, memory_after);
    double compute = sample.compute_ns * bound_after / *light.bound_ns();
    const auto hot = find_hot_copy(record, kind, is_prefill(sample) ? "prefill" : "decode");
    if (hot) {
        const auto ratio = ratio_of(hot->hot_ns, hot->cold_ns);
        if (ratio) compute = std::max(compute, sample.compute_ns * std::min(1.0, ratio->value));
    }
    return compute + sample.barrier_ns + sample.dispatch_ns;
}

// Without kernels' points: the same utilization at the new bound.
SimulationResult reformat_by_bytes(const RunRecord& record, const WhatIf& what_if) {
    const auto target = format_bytes_per_weight(what_if.setting);
    if (!target) return refuse(note("no_such_setting").with("setting", what_if.setting));
    if (record.operators.empty()) return refuse(note("no_operator_samples"));
    SliceTimes after;
    bool changed = false;
    for (const OperatorSample& sample : record.operators) {
        const auto* node = node_of(record, sample.node);
        const double wall = sample_wall_ns(sample);
        const auto own = node == nullptr
                             ? std::nullopt
                             : format_bytes_per_weight(parse_variant(node->variant).format);
        if (!own || *own <= *target) {
            slot(after, sample) += wall;
            continue;
        }
        const LightTime light = sample_light(record, sample);
        if (!light.bound_ns()) return refuse(note("no_ceilings"));
        slot(after, sample) += *light.bound_ns() > 0 ? reformatted_ns(record, sample, node->kind,
                                                                      *target / *own, light)
                                                     : wall;
        changed = true;
    }
    if (!changed) return refuse(note("nothing_to_change").with("setting", what_if.setting));
    return from_times(record, after, Provenance::cross_format);
}

bool has_hot_copy(const RunRecord& record) {
    return std::any_of(record.experiments.begin(), record.experiments.end(),
                       [](const auto& row) { return row.name == "hot_copy" && row.valid; });
}

SimulationResult simulate_format(const RunRecord& record, const WhatIf& what_if, Records others) {
    SimulationResult by_bytes = reformat_by_bytes(record, what_if);
    if (!by_bytes.value) return by_bytes;
    const bool only_bytes = !changes_arithmetic(record, what_if.setting);
    // What a hot copy says of this model's memory is nearer than any kernel's curve.
    if (only_bytes && (has_hot_copy(record) || record.machine.gemms.empty())) return by_bytes;
    RunPlan plan;
    plan.change.format = what_if.setting;
    SimulationResult simulated = simulate_run(record, plan, others);
    return simulated.value || !only_bytes ? simulated : by_bytes;
}

SimulationResult simulate_kv(const RunRecord& record, const WhatIf& what_if, Records others) {
    const auto bytes = kv_value_bytes(record, what_if.setting);
    if (!bytes) return refuse(note("no_such_setting").with("setting", what_if.setting));
    RunPlan plan;
    plan.change.kv_element_bytes = *bytes;
    SimulationResult result = simulate_run(record, plan, others);
    // No kernel of that type was measured, only this one's share of its bound.
    if (result.value) result.value->tier = std::min(result.value->tier, Provenance::cross_format);
    return result;
}

int layers_of(const RunRecord& record) {
    std::set<int> layers;
    for (const measure::PlanNodeFacts& node : record.nodes) {
        if (node.layer >= 0) layers.insert(node.layer);
    }
    return static_cast<int>(layers.size());
}

// What-ifs that only the simulation knows: their setting as a plan; nullopt when it makes no sense.
std::optional<RunPlan> plan_of(const RunRecord& record, const WhatIf& what_if) {
    RunPlan plan;
    const auto count = parse_count(what_if.setting);
    const auto share = parse_share(what_if.setting);
    switch (what_if.kind) {
        case WhatIfKind::depth:
            if (what_if.setting == "0") {
                plan.depth = 0;
                return plan;
            }
            if (!count) return std::nullopt;
            plan.depth = static_cast<uint64_t>(*count);
            return plan;
        case WhatIfKind::remove_layers:
            if (!count || *count >= layers_of(record)) return std::nullopt;
            plan.change.layers_share = 1 - static_cast<double>(*count) / layers_of(record);
            return plan;
        case WhatIfKind::trim_head:
            if (!share) return std::nullopt;
            plan.change.head_rows_share = *share;
            return plan;
        case WhatIfKind::step_tokens:
            if (!count) return std::nullopt;
            plan.step_tokens = static_cast<uint64_t>(*count);
            return plan;
        case WhatIfKind::prefix_reuse:
            if (!count) return std::nullopt;
            plan.reused_tokens = static_cast<uint64_t>(*count);
            return plan;
        case WhatIfKind::remove_padding:
            if (!share) return std::nullopt;
            plan.padding_share = *share;
            return plan;
        default:
            return std::nullopt;
    }
}

SimulationResult simulate_plan(const RunRecord& record, const WhatIf& what_if, Records others) {
    if (what_if.kind == WhatIfKind::trim_head && what_if.setting == "screened") {
        return simulate_screened_head(record, others);
    }
    const auto plan = plan_of(record, what_if);
    if (!plan) return refuse(note("no_such_setting").with("setting", what_if.setting));
    return simulate_run(record, *plan, others);
}

SimulationResult simulate_flush(const RunRecord& record, const WhatIf& what_if) {
    const SweepQuery query{"ftz", "", what_if.setting == "off" ? "on" : "off", what_if.setting, ""};
    const auto flush = find_flush_denormals(record);
    if (!flush) return no_experiment(query);
    const auto point = [&](const std::string& setting) {
        return setting == "on" ? &flush->on : setting == "off" ? &flush->off : nullptr;
    };
    return from_points(record, query, point(query.baseline), point(query.setting));
}

SimulationResult simulate_last_logits(const RunRecord& record) {
    const auto head = find_wasted_head(record);
    if (!head) return refuse(note("nothing_to_change").with("setting", "last_position_logits"));
    SliceTimes after = times_of(record);
    after.prefill_ns = std::max(0.0, after.prefill_ns - head->wasted_ns);
    return from_times(record, after, Provenance::measured);
}

bool is_constant_kind(const RunRecord& record, const OperatorSample& sample) {
    const auto* node = node_of(record, sample.node);
    return node != nullptr && (node->kind == op_kind_name(OpKind::rope_table) ||
                               node->kind == op_kind_name(OpKind::scale));
}

SimulationResult simulate_folding(const RunRecord& record) {
    SliceTimes after;
    bool any = false;
    for (const OperatorSample& sample : record.operators) {
        const bool constant = is_constant_kind(record, sample);
        any = any || constant;
        if (!constant) slot(after, sample) += sample_wall_ns(sample);
    }
    if (!any) return refuse(note("nothing_to_change").with("setting", "fold_constants"));
    return from_times(record, after, Provenance::measured);
}

}  // namespace

std::optional<WastedHead> find_wasted_head(const RunRecord& record) {
    std::optional<WastedHead> worst;
    for (const measure::PlanNodeFacts& node : record.nodes) {
        if (node.kind != op_kind_name(OpKind::linear) || node.layer >= 0) continue;
        OperatorSample prefill;
        OperatorSample decode;
        for (const OperatorSample& sample : record.operators) {
            if (sample.node != node.index || sample.slice == "mixed") continue;
            OperatorSample& sum = sample.slice == "prefill" ? prefill : decode;
            sum.calls += sample.calls;
            sum.tokens += sample.tokens;
            sum.flops += sample.flops;
            sum.compute_ns += sample_wall_ns(sample);
        }
        if (prefill.calls == 0 || decode.calls == 0 || decode.tokens == 0 || decode.flops <= 0) {
            continue;
        }
        const double row_flops = decode.flops / static_cast<double>(decode.tokens);
        const double rows = prefill.flops / static_cast<double>(prefill.calls) / row_flops;
        const double needed = std::max(1, record.context.batch);
        if (rows <= kWastedRowsMin * needed) continue;
        const double enough_ns = decode.compute_ns / static_cast<double>(decode.calls) *
                                 static_cast<double>(prefill.calls);
        const double wasted = prefill.compute_ns - enough_ns;
        if (wasted <= 0 || (worst && worst->wasted_ns >= wasted)) continue;
        worst = WastedHead{node.index, rows / needed, wasted};
    }
    return worst;
}

std::optional<double> kv_value_bytes(const RunRecord& record, const std::string& dtype) {
    if (dtype == "f32" || dtype == "f16") return dtype == "f32" ? 4 : 2;
    if (dtype != "q8" && dtype != "q4") return std::nullopt;
    double head_dim = 64;
    for (const measure::PlanNodeFacts& node : record.nodes) {
        if (node.shape.head_dim > 0) head_dim = node.shape.head_dim;
    }
    // One f32 scale for all dims of a head; in q4 the codes fill whole groups of 32.
    return ((dtype == "q8" ? head_dim : std::ceil(head_dim / 32) * 16) + 4) / head_dim;
}

double constant_node_ns(const RunRecord& record) {
    double sum = 0;
    for (const OperatorSample& sample : record.operators) {
        if (is_constant_kind(record, sample)) sum += sample_wall_ns(sample);
    }
    return sum;
}

SimulationResult simulate(const RunRecord& record, const WhatIf& what_if, Records others) {
    switch (what_if.kind) {
        case WhatIfKind::threads:
            return simulate_threads(record, what_if, others);
        case WhatIfKind::batch:
            return simulate_batch(record, what_if, others);
        case WhatIfKind::without_pass:
            return simulate_pass(record, what_if);
        case WhatIfKind::isa:
        case WhatIfKind::variant:
            return simulate_level(record, what_if, others);
        case WhatIfKind::weight_format:
            return simulate_format(record, what_if, others);
        case WhatIfKind::last_logits:
            return simulate_last_logits(record);
        case WhatIfKind::fold_constants:
            return simulate_folding(record);
        case WhatIfKind::kv_dtype:
            return simulate_kv(record, what_if, others);
        case WhatIfKind::flush_denormals:
            return simulate_flush(record, what_if);
        case WhatIfKind::depth:
        case WhatIfKind::remove_layers:
        case WhatIfKind::trim_head:
        case WhatIfKind::step_tokens:
        case WhatIfKind::prefix_reuse:
        case WhatIfKind::remove_padding:
            return simulate_plan(record, what_if, others);
    }
    return refuse(note("no_such_setting"));
}

}  // namespace hone::cost
