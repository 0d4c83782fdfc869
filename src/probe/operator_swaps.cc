// hot_copy and compute_substitution: the same operators with the memory, or the arithmetic, taken
// out.
#include <algorithm>

#include "base/json.h"
#include "measure/statistics.h"
#include "probe/experiment_bench.h"
#include "probe/node_walk.h"

namespace hone::probe {
namespace {

// Half of the smallest second-level cache in use, and more than a first-level one: what is left is
// a core working from its own cache.
constexpr size_t kHotBytes = size_t{128} << 10;
// Of whole steps: one round takes the step that fills the caches, and at most as much for each of
// the walks over the operators of a kind.
constexpr double kStepsPerRound = 3;

// What one slice of one kind is measured on.
struct Walk {
    const ExperimentBench& bench;
    Stepper& stepper;
    std::string kind;
    std::string slice;
    std::vector<uint32_t> nodes;

    graph::Executor& executor() const { return stepper.executor(); }
    double per_call(double total_ns) const { return total_ns / static_cast<double>(nodes.size()); }
    uint64_t bytes_per_call() const {
        uint64_t bytes = 0;
        for (const uint32_t node : nodes) {
            bytes += executor().plan().nodes[node].desc.weight_bytes;
        }
        return bytes / nodes.size();
    }
    // A whole step: it leaves the caches as the middle of a run finds them.
    void settle_caches() const { (void)executor().run(stepper.last_input()); }
    // One visit of each node with its own weights, as a step would touch them.
    double full_ns() const {
        double total = 0;
        for (const uint32_t node : nodes) {
            total += executor().time_node(node, stepper.last_input(), 1, 0, bench.clock);
        }
        return per_call(total);
    }
    // The same with a few tiles each, which an untimed visit has brought into the cache.
    double hot_ns() const {
        double total = 0;
        for (const uint32_t node : nodes) {
            const graph::StepInput& input = stepper.last_input();
            (void)executor().time_node(node, input, 1, kHotBytes, bench.clock);
            total += executor().time_node(node, input, 1, kHotBytes, bench.clock);
        }
        return per_call(total);
    }
};

base::Result<measure::ExperimentResult> swap_memory(const Walk& walk, const TimeBox& box) {
    cost::HotCopy result;
    result.kind = walk.kind;
    result.slice = walk.slice;
    result.cold_bytes = walk.bytes_per_call();
    result.hot_bytes = std::min<uint64_t>(kHotBytes, result.cold_bytes);
    HONE_TRY_STATUS(walk.bench.rounds(
        box,
        [&]() -> base::Status {
            walk.settle_caches();
            result.cold_ns.push_back(walk.full_ns());
            result.hot_ns.push_back(walk.hot_ns());
            return {};
        },
        [&] { return settled(result.hot_ns, result.cold_ns); }));
    measure::ExperimentResult out = cost::to_experiment(result);
    const double full_ns = *measure::median(result.cold_ns);
    const double hot_ns = *measure::median(result.hot_ns);
    out.parameters["nodes"] = walk.nodes.size();
    out.values["full_ns"] = full_ns;
    out.values["hot_ns_median"] = hot_ns;
    out.values["hot_share"] = full_ns > 0 ? std::max(0.0, 1.0 - hot_ns / full_ns) : 0.0;
    return out;
}

base::Result<measure::ExperimentResult> swap_arithmetic(const Walk& walk, const TimeBox& box) {
    HONE_TRY(WeightReader reader, WeightReader::create(walk.executor(), walk.nodes));
    if (reader.bytes() == 0) {
        return base::fail(base::ErrorCode::not_found, "'{}' reads no packed weights", walk.kind);
    }
    cost::ComputeSubstitution result;
    result.kind = walk.kind;
    result.slice = walk.slice;
    result.bytes = reader.bytes() / walk.nodes.size();
    HONE_TRY_STATUS(walk.bench.rounds(
        box,
        [&]() -> base::Status {
            walk.settle_caches();
            result.full_ns.push_back(walk.full_ns());
            walk.settle_caches();
            double total = 0;
            for (size_t i = 0; i < reader.nodes(); ++i) {
                total += reader.read_node_ns(i, walk.bench.clock);
            }
            // The clock may not resolve a matrix of a few rows.
            result.read_ns.push_back(std::max(1.0, walk.per_call(total)));
            return {};
        },
        [&] { return settled(result.read_ns, result.full_ns); }));
    measure::ExperimentResult out = cost::to_experiment(result);
    out.parameters["nodes"] = walk.nodes.size();
    return out;
}

using Swap = base::Result<measure::ExperimentResult> (*)(const Walk&, const TimeBox&);

std::vector<std::string> slices_of(const ExperimentOrder& order) {
    if (!order.slice.empty()) return {order.slice};
    return {"decode", "prefill"};
}

std::vector<std::string> kinds_of(const ExperimentOrder& order) {
    if (!order.subject.empty()) return {order.subject};
    return {"linear", "linear_gated"};
}

// A kind that the plan does not have is no error while another one is there.
ExperimentOutcome swap_all(const ExperimentBench& bench, const ExperimentOrder& order,
                           const TimeBox& box, Swap swap) {
    const auto positions = static_cast<uint32_t>(bench.options.depth + 1);
    HONE_TRY(Stepper stepper,
             Stepper::create(bench.session.config(), bench.session.executor(), 1, positions));
    ExperimentResults results;
    std::string missing;
    size_t left = slices_of(order).size() * kinds_of(order).size();
    for (const std::string& slice : slices_of(order)) {
        for (const std::string& kind : kinds_of(order)) {
            const TimeBox part = box.part(left--);
            Walk walk{bench, stepper, kind, slice, nodes_of_kind(bench.session.plan(), kind, true)};
            if (walk.nodes.empty()) {
                missing = kind;
                continue;
            }
            HONE_TRY_STATUS(prepare_slice(bench, stepper, slice));
            HONE_TRY(auto result, swap(walk, part));
            results.push_back(std::move(result));
        }
    }
    if (results.empty()) {
        return base::fail(base::ErrorCode::not_found, "the plan has no '{}' with weights", missing);
    }
    return results;
}

double slice_ns(const ExperimentBench& bench, const std::string& slice) {
    return slice == "prefill" ? bench.costs.prefill_token_ns * bench.options.depth
                              : bench.costs.decode_ns;
}

double swaps_s(const ExperimentBench& bench, const ExperimentOrder& order, double steps) {
    double step_ns = bench.costs.prefill_token_ns * bench.options.depth;
    for (const std::string& slice : slices_of(order)) {
        step_ns += ExperimentBench::kRoundsWanted * steps * slice_ns(bench, slice) *
                   static_cast<double>(kinds_of(order).size());
    }
    return step_ns * 1e-9;
}

}  // namespace

ExperimentOutcome hot_copy(const ExperimentBench& bench, const ExperimentOrder& order,
                           const TimeBox& box) {
    return swap_all(bench, order, box, swap_memory);
}
double hot_copy_s(const ExperimentBench& bench, const ExperimentOrder& order) {
    return swaps_s(bench, order, kStepsPerRound);
}

ExperimentOutcome compute_substitution(const ExperimentBench& bench, const ExperimentOrder& order,
                                       const TimeBox& box) {
    return swap_all(bench, order, box, swap_arithmetic);
}
double compute_substitution_s(const ExperimentBench& bench, const ExperimentOrder& order) {
    return swaps_s(bench, order, kStepsPerRound);
}

}  // namespace hone::probe
