#include "diagnose/experiment_plan.h"

#include <algorithm>
#include <set>

#include "cost/experiments.h"
#include "cost/observations.h"
#include "diagnose/breakdown.h"
#include "diagnose/cold_start.h"
#include "machine/isa.h"

namespace hone::diagnose {
namespace {

using cost::note;
using measure::RunRecord;

// Smaller operators would not change a decision.
constexpr double kShareMin = 0.05;
constexpr double kLoadShareMin = 0.10;
constexpr size_t kOperatorsMax = 3;
constexpr size_t kDelaysMax = 2;

void ask(ExperimentPlan& plan, ExperimentRequest request) {
    plan.requests.push_back(std::move(request));
}

bool is_linear(const std::string& kind) {
    return kind == "linear" || kind == "linear_gated";
}

// The heaviest weights-times-activations operators: is it memory or the kernel?
template <class Known>
void ask_swaps(const Breakdown& breakdown, const char* name, const char* reason, Known&& known,
               ExperimentPlan& plan) {
    size_t heavy = 0;
    for (const OperatorRow& row : breakdown.operators_by_slice) {
        if (row.share < kShareMin || !is_linear(row.kind) || row.slice == "mixed") continue;
        if (heavy++ == kOperatorsMax) return;
        if (known(row)) continue;
        ask(plan, {name,
                   row.kind,
                   row.slice,
                   {},
                   note(reason)
                       .with("slice", row.slice)
                       .with("kind", row.kind)
                       .with("step_share", row.share)});
    }
}

void ask_hot_copies(const RunRecord& record, const Breakdown& breakdown, ExperimentPlan& plan) {
    ask_swaps(
        breakdown, "hot_copy", "ask_hot_copy",
        [&](const OperatorRow& row) {
            return cost::find_hot_copy(record, row.kind, row.slice).has_value();
        },
        plan);
}

void ask_substitutions(const RunRecord& record, const Breakdown& breakdown, ExperimentPlan& plan) {
    ask_swaps(
        breakdown, "compute_substitution", "ask_compute_substitution",
        [&](const OperatorRow& row) {
            return cost::find_compute_substitution(record, row.kind, row.slice).has_value();
        },
        plan);
}

// Whether a step waits for the heaviest operators at all, of whatever kind.
void ask_delays(const RunRecord& record, const Breakdown& breakdown, ExperimentPlan& plan) {
    size_t heavy = 0;
    for (const OperatorRow& row : breakdown.operators_by_slice) {
        if (row.share < kShareMin || row.slice == "mixed") continue;
        if (heavy++ == kDelaysMax) return;
        if (cost::find_delay_injection(record, row.kind, row.slice, "all")) continue;
        ask(plan, {"delay_injection",
                   row.kind,
                   row.slice,
                   {},
                   note("ask_delay_injection").with("slice", row.slice).with("kind", row.kind)});
    }
}

// Values that cost time or do nothing are seen in the file.
void ask_scan(const RunRecord& record, ExperimentPlan& plan) {
    if (cost::find_weight_scan(record)) return;
    ask(plan, {"weight_scan", "", "", {}, note("ask_weight_scan")});
}

// Denormals also come up in activations, where no scan of the file finds them.
void ask_ftz(const RunRecord& record, ExperimentPlan& plan) {
    if (cost::find_flush_denormals(record)) return;
    ask(plan, {"ftz", "", "", {"off", "on"}, note("ask_ftz")});
}

// Without it a change by a few percent cannot be told from noise.
void ask_control(const RunRecord& record, ExperimentPlan& plan) {
    if (cost::control_noise(record)) return;
    ask(plan, {"control", "", "", {}, note("ask_control")});
}

void ask_threads(const RunRecord& record, ExperimentPlan& plan) {
    if (cost::find_sweep(record, "thread_sweep")) return;
    const int cpus = std::max(1, record.machine.facts.cpus_allowed);
    const int now = std::max(1, record.context.threads);
    // One thread for the parallel fraction, all CPUs, and twice as many to show what that costs.
    const std::set<int> counts = {1, now, cpus, 2 * cpus};
    ExperimentRequest request{"thread_sweep", "", "", {}, note("ask_thread_sweep")};
    for (const int count : counts) request.settings.push_back(std::to_string(count));
    ask(plan, std::move(request));
}

void ask_batch(const RunRecord& record, ExperimentPlan& plan) {
    if (cost::find_sweep(record, "batch_sweep")) return;
    ask(plan, {"batch_sweep", "", "", {"1", "2", "4", "8"}, note("ask_batch_sweep")});
}

void ask_overhead(const RunRecord& record, const Breakdown& breakdown, ExperimentPlan& plan) {
    if (cost::find_null_graph(record)) return;
    double overhead = 0;
    for (const OperatorRow& row : breakdown.operators) overhead += row.barrier_ns + row.dispatch_ns;
    const double share = breakdown.steps_ns > 0 ? overhead / breakdown.steps_ns : 0;
    if (share < kShareMin) return;
    ask(plan, {"null_graph", "", "", {}, note("ask_null_graph").with("step_share", share)});
}

void ask_lengths(const RunRecord& record, ExperimentPlan& plan) {
    const int prompt = record.context.prompt_tokens;
    if (prompt < 2 || cost::find_sweep(record, "length_sweep")) return;
    const std::set<int> lengths = {std::max(1, prompt / 4), prompt / 2, prompt};
    ExperimentRequest request{"length_sweep", "", "", {}, note("ask_length_sweep")};
    for (const int length : lengths) request.settings.push_back(std::to_string(length));
    ask(plan, std::move(request));
}

void ask_cold(const RunRecord& record, const Breakdown& breakdown, ExperimentPlan& plan) {
    const Stage* load = breakdown.stage("load");
    const bool waited =
        load != nullptr && load->ns && find_cold_start(record, "load", *load->ns).from_storage;
    const bool long_load = load != nullptr && load->share >= kLoadShareMin;
    if ((waited || long_load) && !cost::find_cold_warm(record, "load")) {
        ask(plan,
            {"cold_warm", "load", "", {}, note("ask_cold_warm").with("wall_share", load->share)});
    }
    const double excess = breakdown.wall_ns > 0 ? breakdown.cold_excess_ns / breakdown.wall_ns : 0;
    if (excess < kLoadShareMin || cost::find_cold_warm(record, "first_run")) return;
    ask(plan, {"cold_warm", "first_run", "", {}, note("ask_first_run").with("wall_share", excess)});
}

// Which layers do least: what leaving them out would cost in quality is measured elsewhere.
void ask_layers(const RunRecord& record, ExperimentPlan& plan) {
    if (record.model.layers < 2 || cost::find_layer_influences(record)) return;
    ask(plan, {"layer_influence", "", "", {}, note("ask_layer_influence")});
}

void ask_passes(const RunRecord& record, ExperimentPlan& plan) {
    for (const measure::PassRun& pass : record.passes) {
        if (pass.enabled && pass.rewrites == 0) continue;
        if (cost::find_sweep(record, "pass_ablation", pass.name)) continue;
        ask(plan, {"pass_ablation",
                   pass.name,
                   "",
                   {"on", "off"},
                   note("ask_pass_ablation").with("pass", pass.name)});
    }
}

void ask_isa(const RunRecord& record, ExperimentPlan& plan) {
    const auto now = machine::parse_isa(record.isa);
    const auto best = machine::parse_isa(record.machine.facts.isa);
    if (!now || !best || cost::find_sweep(record, "isa_sweep")) return;
    std::set<int> levels = {static_cast<int>(*now), static_cast<int>(*best),
                            std::max(0, static_cast<int>(*now) - 1)};
    if (levels.size() < 2) return;
    ExperimentRequest request{"isa_sweep", "", "", {}, note("ask_isa_sweep")};
    for (const int level : levels) {
        request.settings.push_back(machine::isa_name(static_cast<machine::Isa>(level)));
    }
    ask(plan, std::move(request));
}

}  // namespace

ExperimentPlan plan_experiments(const RunRecord& record) {
    const Breakdown breakdown = break_down(record);
    ExperimentPlan plan;
    // First what all the others are judged by, and what costs little; then the heaviest operators,
    // then what cards change, then what sharpens the picture.
    ask_control(record, plan);
    ask_scan(record, plan);
    ask_hot_copies(record, breakdown, plan);
    ask_substitutions(record, breakdown, plan);
    ask_threads(record, plan);
    ask_ftz(record, plan);
    ask_overhead(record, breakdown, plan);
    ask_batch(record, plan);
    ask_lengths(record, plan);
    ask_delays(record, breakdown, plan);
    ask_cold(record, breakdown, plan);
    ask_layers(record, plan);
    ask_passes(record, plan);
    ask_isa(record, plan);
    return plan;
}

}  // namespace hone::diagnose
