#include <algorithm>

#include "cost/experiments.h"
#include "measure/statistics.h"
#include "probe/experiment_bench.h"

namespace hone::probe {
namespace {

// Half of the smallest second-level cache in use, and more than a first-level one: what is left is
// a core working from its own cache.
constexpr size_t kHotBytes = size_t{128} << 10;

std::vector<uint32_t> nodes_of_kind(const graph::Plan& plan, const std::string& kind) {
    std::vector<uint32_t> nodes;
    for (uint32_t node = 0; node < plan.nodes.size(); ++node) {
        const cost::NodeDesc& desc = plan.nodes[node].desc;
        if (desc.weight_bytes > 0 && kind == cost::op_kind_name(desc.kind)) nodes.push_back(node);
    }
    return nodes;
}

// One walk over the nodes with their own weights, as a step would touch them.
double cold_walk_ns(graph::Executor& executor, const graph::StepInput& input,
                    const std::vector<uint32_t>& nodes, const base::Clock& clock) {
    double total = 0;
    for (const uint32_t node : nodes) total += executor.time_node(node, input, 1, 0, clock);
    return total;
}

// The same with a few tiles each, which an untimed visit has brought into the cache.
double hot_walk_ns(graph::Executor& executor, const graph::StepInput& input,
                   const std::vector<uint32_t>& nodes, const base::Clock& clock) {
    double total = 0;
    for (const uint32_t node : nodes) {
        (void)executor.time_node(node, input, 1, kHotBytes, clock);
        total += executor.time_node(node, input, 1, kHotBytes, clock);
    }
    return total;
}

base::Result<measure::ExperimentResult> measure_slice(const ExperimentBench& bench,
                                                      Stepper& stepper, const std::string& kind,
                                                      const std::string& slice,
                                                      const TimeBox& box) {
    graph::Executor& executor = bench.session.executor();
    const graph::Plan& plan = executor.plan();
    const std::vector<uint32_t> nodes = nodes_of_kind(plan, kind);
    if (nodes.empty()) {
        return base::fail(base::ErrorCode::not_found, "the plan has no '{}' with weights", kind);
    }
    base::Random random(bench.options.seed);
    const auto prompt = random_tokens(
        random, plan.vocab,
        std::min<size_t>(static_cast<size_t>(bench.options.depth), executor.tokens_max()));
    stepper.clear();
    stepper.append(0, prompt, true);
    if (slice == "decode") stepper.decode(random_tokens(random, plan.vocab, 1));

    cost::HotCopy result;
    result.kind = kind;
    result.slice = slice;
    for (const uint32_t node : nodes) result.cold_bytes += plan.nodes[node].desc.weight_bytes;
    result.cold_bytes /= nodes.size();
    result.hot_bytes = std::min<uint64_t>(kHotBytes, result.cold_bytes);
    const double count = static_cast<double>(nodes.size());
    HONE_TRY_STATUS(bench.rounds(box, [&]() -> base::Status {
        // A whole step first: it leaves the caches as the middle of a run finds them.
        (void)executor.run(stepper.last_input());
        result.cold_ns.push_back(cold_walk_ns(executor, stepper.last_input(), nodes, bench.clock) /
                                 count);
        result.hot_ns.push_back(hot_walk_ns(executor, stepper.last_input(), nodes, bench.clock) /
                                count);
        return {};
    }));
    measure::ExperimentResult out = cost::to_experiment(result);
    const double full_ns = *measure::median(result.cold_ns);
    const double hot_ns = *measure::median(result.hot_ns);
    out.parameters["node_kind"] = kind;
    out.parameters["nodes"] = nodes.size();
    out.values["full_ns"] = full_ns;
    out.values["hot_ns_median"] = hot_ns;
    out.values["hot_share"] = full_ns > 0 ? std::max(0.0, 1.0 - hot_ns / full_ns) : 0.0;
    return out;
}

}  // namespace

ExperimentOutcome hot_copy(const ExperimentBench& bench, const ExperimentOrder& order,
                           const TimeBox& box) {
    const auto positions = static_cast<uint32_t>(bench.options.depth + 1);
    HONE_TRY(Stepper stepper,
             Stepper::create(bench.session.config(), bench.session.executor(), 1, positions));
    std::vector<std::string> slices = {"decode", "prefill"};
    if (!order.slice.empty()) slices = {order.slice};
    std::vector<std::string> kinds = {"linear", "linear_swiglu"};
    if (!order.subject.empty()) kinds = {order.subject};
    ExperimentResults results;
    base::Status reason;
    for (const std::string& slice : slices) {
        const TimeBox part(bench.clock, box.left_s() / static_cast<double>(slices.size()));
        for (const std::string& kind : kinds) {
            auto result = measure_slice(bench, stepper, kind, slice, part);
            if (result) {
                results.push_back(std::move(*result));
            } else if (result.error().code == base::ErrorCode::cancelled) {
                return tl::unexpected<base::Error>(std::move(result).error());
            } else {
                reason = tl::unexpected<base::Error>(std::move(result).error());
            }
        }
    }
    if (results.empty()) return tl::unexpected<base::Error>(std::move(reason).error());
    return results;
}

}  // namespace hone::probe
