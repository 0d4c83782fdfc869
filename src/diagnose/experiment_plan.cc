#include "diagnose/experiment_plan.h"

#include <algorithm>
#include <set>

#include "cost/experiments.h"
#include "diagnose/breakdown.h"
#include "machine/isa.h"

namespace hone::diagnose {
namespace {

using cost::note;
using measure::RunRecord;

// Smaller operators would not change a decision.
constexpr double kShareMin = 0.05;
constexpr double kLoadShareMin = 0.10;
constexpr size_t kHotCopiesMax = 3;

void ask(ExperimentPlan& plan, ExperimentRequest request) {
    plan.requests.push_back(std::move(request));
}

bool is_linear(const std::string& kind) {
    return kind == "linear" || kind == "linear_swiglu";
}

// The heaviest weights-times-activations operators: is it memory or the kernel?
void ask_hot_copies(const RunRecord& record, const Breakdown& breakdown, ExperimentPlan& plan) {
    size_t asked = 0;
    for (const OperatorRow& row : breakdown.operators_by_slice) {
        if (asked == kHotCopiesMax) return;
        if (row.share < kShareMin || !is_linear(row.kind) || row.slice == "mixed") continue;
        if (cost::find_hot_copy(record, row.kind, row.slice)) continue;
        ++asked;
        ask(plan, {"hot_copy",
                   row.kind,
                   row.slice,
                   {},
                   note("ask_hot_copy")
                       .with("slice", row.slice)
                       .with("kind", row.kind)
                       .with("step_share", row.share)});
    }
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

void ask_cold(const RunRecord& record, const Breakdown& breakdown, ExperimentPlan& plan) {
    const Stage* load = breakdown.stage("load");
    if (load == nullptr || load->share < kLoadShareMin) return;
    if (cost::find_cold_warm(record, "load")) return;
    ask(plan, {"cold_warm", "load", "", {}, note("ask_cold_warm").with("wall_share", load->share)});
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
    ask_hot_copies(record, breakdown, plan);
    ask_threads(record, plan);
    ask_control(record, plan);
    ask_overhead(record, breakdown, plan);
    ask_batch(record, plan);
    ask_cold(record, breakdown, plan);
    ask_isa(record, plan);
    ask_passes(record, plan);
    return plan;
}

}  // namespace hone::diagnose
