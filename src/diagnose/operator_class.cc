#include "diagnose/operator_class.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "cost/experiments.h"
#include "measure/statistics.h"

namespace hone::diagnose {
namespace {

using cost::note;
using measure::RunRecord;

// A node this near its roof has no better kernel to hope for.
constexpr double kEfficiencyHigh = 0.5;
// Overheads matter for nodes whose bound is within this many barriers and dispatches.
constexpr double kDispatchReach = 20;
// The two compute roofs differ: the kernel's arithmetic is not the best one here.
constexpr double kRoofGap = 1.5;
// Time that a hot copy must save (or not) to confirm (or deny) a memory-bound node.
constexpr double kHotSaves = 0.20;
constexpr double kHotSavesNothing = 0.05;
// So far above a roof that the roof must have been measured on a busier machine.
constexpr double kAboveRoof = 1.15;
constexpr double kConfidenceAboveRoof = 0.5;
// Share of ideal scaling over threads that still counts as scaling.
constexpr double kScales = 0.80;
constexpr double kConfidenceWithoutExperiment = 0.75;
// Reading alone takes this share of the time: memory explains it, or cannot.
constexpr double kReadExplains = 0.70;
constexpr double kReadExplainsNot = 0.40;
// Of an added delay, what must show for the time to lie on the critical path.
constexpr double kCritical = 0.80;
constexpr double kHidden = 0.40;
// A prefill whose time is nearly all per token is arithmetic, not overhead.
constexpr double kFixedSmall = 0.25;

struct Facts {
    const RunRecord& record;
    const OperatorRow& row;
    double calls = 1;
    double bound_ns = 0;  // per call
    double time_ns = 0;   // per call
    double efficiency = 0;
    double overhead_cost_ns = 0;  // a barrier and a dispatch here
    double overhead_share = 0;    // of the time, as measured
    OperatorClass out{};

    double per_call(double total) const { return total / calls; }
};

// A barrier and a dispatch: the null graph knows best, then the ceilings, then the node itself.
double overhead_cost(const RunRecord& record, const OperatorRow& row) {
    if (const auto null_graph = cost::find_null_graph(record)) {
        return measure::median(null_graph->graph_ns).value_or(0) / null_graph->nodes;
    }
    const int threads = std::max(1, record.context.threads);
    const auto barrier = record.machine.overhead_ns("barrier", threads);
    const auto dispatch = record.machine.overhead_ns("dispatch", threads);
    if (barrier) return *barrier + dispatch.value_or(0);
    return (row.barrier_ns + row.dispatch_ns) / static_cast<double>(row.calls);
}

Facts gather(const RunRecord& record, const OperatorRow& row, double bound_ns) {
    Facts facts{record, row};
    facts.calls = static_cast<double>(std::max<uint64_t>(row.calls, 1));
    facts.bound_ns = bound_ns / facts.calls;
    facts.time_ns = row.wall_ns / facts.calls;
    facts.efficiency = row.wall_ns > 0 ? bound_ns / row.wall_ns : 0;
    facts.overhead_cost_ns = overhead_cost(record, row);
    facts.overhead_share = row.wall_ns > 0 ? (row.barrier_ns + row.dispatch_ns) / row.wall_ns : 0;
    return facts;
}

void add_roof_evidence(Facts& facts) {
    const cost::LightTime& light = facts.row.light;
    facts.out.evidence.push_back(note("roofs")
                                     .with("compute_ns", facts.per_call(*light.compute_ns))
                                     .with("memory_ns", facts.per_call(*light.memory_ns))
                                     .with("time_ns", facts.time_ns)
                                     .with("roof_share", std::min(1.0, facts.efficiency)));
}

// Most of the lost time lies between nodes, and the node is small enough for that to matter.
bool is_dispatch_bound(const Facts& facts) {
    if (facts.efficiency >= kEfficiencyHigh || facts.overhead_cost_ns <= 0) return false;
    if (facts.bound_ns > kDispatchReach * facts.overhead_cost_ns) return false;
    const double lost = facts.time_ns - facts.bound_ns;
    const double overhead = facts.per_call(facts.row.barrier_ns + facts.row.dispatch_ns);
    return overhead >= 0.5 * lost || facts.time_ns <= 3 * facts.overhead_cost_ns;
}

void classify_dispatch(Facts& facts) {
    facts.out.bottleneck = Bottleneck::startup_overhead;
    facts.out.confidence = 0.6 + 0.3 * std::min(1.0, facts.overhead_share);
    facts.out.evidence.push_back(note("overhead_per_call")
                                     .with("barrier_ns", facts.per_call(facts.row.barrier_ns))
                                     .with("dispatch_ns", facts.per_call(facts.row.dispatch_ns))
                                     .with("overhead_share", facts.overhead_share)
                                     .with("calls", static_cast<int64_t>(facts.row.calls)));
    if (const auto null_graph = cost::find_null_graph(facts.record)) {
        facts.out.evidence.push_back(note("null_graph")
                                         .with("node_ns", facts.overhead_cost_ns)
                                         .with("nodes", null_graph->nodes));
        facts.out.confidence += 0.1;
    } else {
        facts.out.confidence = std::min(facts.out.confidence, kConfidenceWithoutExperiment);
    }
}

// How much of the time goes when the weights lie in a cache; nullopt without that experiment.
std::optional<double> hot_saving(Facts& facts) {
    const auto hot = cost::find_hot_copy(facts.record, facts.row.kind, facts.row.slice);
    if (!hot) return std::nullopt;
    const auto ratio = cost::ratio_of(hot->hot_ns, hot->cold_ns);
    if (!ratio) return std::nullopt;
    const double saved = 1 - ratio->value;
    facts.out.evidence.push_back(note("hot_copy")
                                     .with("saved_percent", -100 * saved)
                                     .with("cold_bytes", static_cast<int64_t>(hot->cold_bytes))
                                     .with("hot_bytes", static_cast<int64_t>(hot->hot_bytes))
                                     .with("n", ratio->n));
    return saved;
}

// Speedup over one thread as a share of the ideal one; nullopt without the sweep.
std::optional<double> thread_scaling(Facts& facts) {
    const int threads = facts.record.context.threads;
    const auto sweep = cost::find_sweep(facts.record, "thread_sweep");
    if (!sweep || threads < 2) return std::nullopt;
    const auto* one = sweep->point("1");
    const auto* all = sweep->point(std::to_string(threads));
    if (one == nullptr || all == nullptr) return std::nullopt;
    const bool prefill = facts.row.slice == "prefill";
    const auto ratio = prefill ? cost::ratio_of(one->prefill_ns, all->prefill_ns)
                               : cost::ratio_of(one->decode_ns, all->decode_ns);
    if (!ratio) return std::nullopt;
    facts.out.evidence.push_back(note("thread_scaling")
                                     .with("slice", facts.row.slice)
                                     .with("threads", threads)
                                     .with("speedup_x", ratio->value));
    return ratio->value / threads;
}

// A step of several sequences against one: memory-bound work is shared, compute-bound is not.
std::optional<double> batch_cost(Facts& facts) {
    const auto sweep = cost::find_sweep(facts.record, "batch_sweep");
    if (!sweep || facts.row.slice != "decode") return std::nullopt;
    const auto* one = sweep->point("1");
    const auto* four = sweep->point("4");
    if (one == nullptr || four == nullptr) return std::nullopt;
    const auto ratio = cost::ratio_of(four->decode_ns, one->decode_ns);
    if (!ratio) return std::nullopt;
    facts.out.evidence.push_back(note("batch_slope").with("batch", 4).with("step_x", ratio->value));
    return ratio->value;
}

// Share of the time that the same threads need just to read the same bytes; nullopt without it.
std::optional<double> read_share(Facts& facts) {
    const auto found =
        cost::find_compute_substitution(facts.record, facts.row.kind, facts.row.slice);
    if (!found) return std::nullopt;
    const auto ratio = cost::ratio_of(found->read_ns, found->full_ns);
    if (!ratio) return std::nullopt;
    facts.out.evidence.push_back(note("compute_substitution")
                                     .with("read_share", ratio->value)
                                     .with("weight_bytes", static_cast<int64_t>(found->bytes))
                                     .with("n", ratio->n));
    return ratio->value;
}

// What of an added delay in this kind the step became longer by; nullopt without that experiment.
// Time that hides behind something else explains nothing, whatever its class.
void weigh_criticality(Facts& facts) {
    const auto delay =
        cost::find_delay_injection(facts.record, facts.row.kind, facts.row.slice, "all");
    const auto critical = delay ? delay->criticality() : std::nullopt;
    if (!critical) return;
    facts.out.evidence.push_back(
        note("criticality").with("kind", facts.row.kind).with("critical_share", *critical));
    if (*critical >= kCritical) facts.out.confidence += 0.05;
    if (*critical < kHidden) facts.out.confidence -= 0.2;
}

// Of a prompt's prefill, what does not grow with its tokens; nullopt without the sweep.
std::optional<double> fixed_share(Facts& facts) {
    const auto sweep = cost::find_sweep(facts.record, "length_sweep");
    if (!sweep || facts.row.slice != "prefill") return std::nullopt;
    std::vector<double> tokens;
    std::vector<double> ns;
    for (const cost::SweepPoint& point : sweep->points) {
        const auto middle = measure::median(point.prefill_ns);
        const double length = std::strtod(point.setting.c_str(), nullptr);
        if (!middle || !(length > 0)) return std::nullopt;
        tokens.push_back(length);
        ns.push_back(*middle);
    }
    const auto line = measure::fit_line(tokens, ns);
    if (!line || ns.back() <= 0) return std::nullopt;
    const double share = std::clamp(line->intercept / ns.back(), 0.0, 1.0);
    facts.out.evidence.push_back(note("length_slope")
                                     .with("tokens", static_cast<int64_t>(tokens.back()))
                                     .with("fixed_share", share));
    return share;
}

double base_confidence(const Facts& facts) {
    const double above = std::clamp((facts.efficiency - kEfficiencyHigh) / 0.4, 0.0, 1.0);
    const double compute = *facts.row.light.compute_ns;
    const double memory = *facts.row.light.memory_ns;
    const double apart = std::max(compute, memory) / std::max(1e-9, std::min(compute, memory));
    return 0.55 + 0.25 * above - (apart < 1.3 ? 0.15 : 0.0);
}

void classify_memory(Facts& facts) {
    double confidence = base_confidence(facts);
    bool confirmed = false;
    if (const auto saved = hot_saving(facts)) {
        confirmed = *saved >= kHotSaves;
        confidence += confirmed ? 0.2 : *saved < kHotSavesNothing ? -0.3 : 0.0;
    }
    if (const auto scaling = thread_scaling(facts)) {
        confidence += *scaling < kScales ? 0.1 : 0.0;
        confirmed = confirmed || *scaling < kScales;
    }
    if (const auto slope = batch_cost(facts)) {
        confidence += *slope < 2 ? 0.1 : -0.1;
        confirmed = confirmed || *slope < 2;
    }
    if (const auto read = read_share(facts)) {
        confidence += *read >= kReadExplains ? 0.15 : *read < kReadExplainsNot ? -0.2 : 0.0;
        confirmed = confirmed || *read >= kReadExplains;
    }
    facts.out.bottleneck = Bottleneck::memory_bandwidth;
    facts.out.confidence =
        confirmed ? confidence : std::min(confidence, kConfidenceWithoutExperiment);
}

void classify_compute(Facts& facts) {
    double confidence = base_confidence(facts);
    bool confirmed = false;
    if (const auto scaling = thread_scaling(facts)) {
        confirmed = *scaling >= kScales;
        confidence += confirmed ? 0.15 : -0.1;
    }
    if (const auto saved = hot_saving(facts)) {
        confirmed = confirmed || *saved < kHotSavesNothing;
        confidence += *saved < kHotSavesNothing ? 0.15 : *saved >= kHotSaves ? -0.3 : 0.0;
    }
    if (const auto read = read_share(facts)) {
        confidence += *read < kReadExplainsNot ? 0.1 : *read >= kReadExplains ? -0.2 : 0.0;
        confirmed = confirmed || *read < kReadExplainsNot;
    }
    if (const auto fixed = fixed_share(facts)) {
        confidence += *fixed < kFixedSmall ? 0.1 : -0.05;
        confirmed = confirmed || *fixed < kFixedSmall;
    }
    facts.out.bottleneck = Bottleneck::compute_bound;
    facts.out.confidence =
        confirmed ? confidence : std::min(confidence, kConfidenceWithoutExperiment);
}

// The name that --variant knows a kind's kernels by.
const char* kernel_family(const std::string& kind) {
    if (kind == "attend" || kind == "rope_store") return "attention";
    return kind == "linear" || kind == "linear_gated" ? "linear" : "rows";
}

void classify_inefficient(Facts& facts) {
    facts.out.bottleneck = Bottleneck::kernel_inefficiency;
    // The further from the roofs the surer; near the border it is a matter of taste.
    const double below =
        std::clamp((kEfficiencyHigh - facts.efficiency) / kEfficiencyHigh, 0.0, 1.0);
    const double confidence = 0.5 + 0.35 * below;
    const bool compared =
        cost::find_sweep(facts.record, "variant_sweep", kernel_family(facts.row.kind)).has_value();
    if (facts.row.compute_mean_ns > 0 && facts.row.compute_ns > 1.25 * facts.row.compute_mean_ns) {
        facts.out.evidence.push_back(
            note("imbalance")
                .with("slowest_ns", facts.per_call(facts.row.compute_ns))
                .with("mean_ns", facts.per_call(facts.row.compute_mean_ns)));
    }
    hot_saving(facts);
    facts.out.confidence =
        compared ? confidence : std::min(confidence, kConfidenceWithoutExperiment);
}

// A kernel near the roof of weak arithmetic, while this machine has a better one for the format.
bool uses_weak_arithmetic(const Facts& facts) {
    const cost::LightTime& light = facts.row.light;
    if (!light.compute_best_ns || *light.compute_best_ns <= 0) return false;
    const auto best = light.bound_best_ns();
    return *light.compute_ns >= kRoofGap * *light.compute_best_ns && best &&
           *best < facts.row.wall_ns * kEfficiencyHigh;
}

// Bandwidth of a kernel that also computes is lower than that of a pure reader, and ceilings drift:
// experiments may confirm what the roof alone does not show.
bool memory_by_experiment(const Facts& facts) {
    const auto read =
        cost::find_compute_substitution(facts.record, facts.row.kind, facts.row.slice);
    const auto share = read ? cost::ratio_of(read->read_ns, read->full_ns) : std::nullopt;
    if (share && share->value >= kReadExplains) return true;
    if (facts.efficiency < 0.3) return false;
    const auto hot = cost::find_hot_copy(facts.record, facts.row.kind, facts.row.slice);
    const auto ratio = hot ? cost::ratio_of(hot->hot_ns, hot->cold_ns) : std::nullopt;
    return ratio && 1 - ratio->value >= 1.5 * kHotSaves;
}

void choose_class(Facts& facts) {
    if (is_dispatch_bound(facts)) return classify_dispatch(facts);
    if (uses_weak_arithmetic(facts)) {
        facts.out.evidence.push_back(
            note("better_arithmetic")
                .with("own_ns", facts.per_call(*facts.row.light.compute_ns))
                .with("best_ns", facts.per_call(*facts.row.light.compute_best_ns))
                .with("variant", facts.row.variant));
        return classify_inefficient(facts);
    }
    const bool memory = facts.row.light.memory_side();
    if (memory && facts.efficiency < kEfficiencyHigh && memory_by_experiment(facts)) {
        return classify_memory(facts);
    }
    if (facts.efficiency < kEfficiencyHigh) return classify_inefficient(facts);
    return memory ? classify_memory(facts) : classify_compute(facts);
}

}  // namespace

OperatorClass classify_operator(const RunRecord& record, const OperatorRow& row) {
    const auto bound = row.light.bound_ns();
    if (!bound || row.calls == 0) {
        OperatorClass out;
        out.evidence.push_back(
            note(record.machine.has_ceilings() ? "no_work_count" : "no_ceilings"));
        return out;
    }
    Facts facts = gather(record, row, *bound);
    add_roof_evidence(facts);
    choose_class(facts);
    weigh_criticality(facts);
    if (facts.efficiency > kAboveRoof) {
        facts.out.evidence.push_back(note("above_roof").with("roof_x", facts.efficiency));
        facts.out.confidence = std::min(facts.out.confidence, kConfidenceAboveRoof);
    }
    facts.out.confidence = std::clamp(facts.out.confidence, 0.05, 0.99);
    return facts.out;
}

}  // namespace hone::diagnose
