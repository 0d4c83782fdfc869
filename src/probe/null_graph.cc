#include <algorithm>

#include "base/json.h"
#include "cost/experiments.h"
#include "measure/statistics.h"
#include "probe/experiment_bench.h"
#include "probe/interference.h"
#include "probe/node_walk.h"

namespace hone::probe {
namespace {

constexpr int kWalksPerSample = 8;
constexpr size_t kNullRounds = 24;
constexpr int kControlSteps = 4;
// All that follows is judged by it, and it is cheap.
constexpr int kControlRounds = 12;

}  // namespace

// The team walks through the plan of a single-token step and does nothing but meet where the plan
// says so.
ExperimentOutcome null_graph(const ExperimentBench& bench, const ExperimentOrder& order,
                             const TimeBox& box) {
    graph::Executor& executor = bench.session.executor();
    machine::ThreadTeam& team = executor.team();
    const graph::Binding& binding = executor.plan().binding_for(1);
    const auto walk = [&](int) {
        for (const graph::NodeBinding& node : binding.nodes) {
            if (node.barrier) team.barrier();
        }
    };
    cost::NullGraph result;
    result.nodes = static_cast<int>(binding.nodes.size());
    result.threads = team.threads();
    HONE_TRY_STATUS(bench.rounds(
        box,
        [&]() -> base::Status {
            const double total_ns = bench.time_ns([&] {
                for (int i = 0; i < kWalksPerSample; ++i) team.run(walk);
            });
            // The clock may not resolve a walk of one thread, which meets nobody.
            result.graph_ns.push_back(std::max(1.0, total_ns / kWalksPerSample));
            return {};
        },
        [&] { return result.graph_ns.size() >= kNullRounds; }));
    measure::ExperimentResult out = cost::to_experiment(result);
    out.subject = order.subject;
    const int barriers = executor.plan().barriers(1);
    out.values["barriers"] = barriers;
    out.values["barrier_ns"] = *measure::median(result.graph_ns) / std::max(1, barriers);
    return ExperimentResults{std::move(out)};
}

double null_graph_s(const ExperimentBench& bench, const ExperimentOrder&) {
    // Nobody does anything: less than as many steps.
    return kNullRounds * bench.costs.decode_ns * 1e-9;
}

ExperimentOutcome control(const ExperimentBench& bench, const ExperimentOrder&,
                          const TimeBox& box) {
    const auto positions = static_cast<uint32_t>(bench.options.depth + kControlSteps);
    HONE_TRY(Stepper stepper,
             Stepper::create(bench.session.config(), bench.session.executor(), 1, positions));
    HONE_TRY_STATUS(prepare_slice(bench, stepper, "decode"));
    // The same position again and again: a growing cache would be a difference.
    const auto sample = [&] {
        return bench.time_ns([&] {
            for (int i = 0; i < kControlSteps; ++i) {
                (void)stepper.executor().run(stepper.last_input());
            }
        }) / kControlSteps;
    };
    cost::Control result;
    result.spin_before_ns = spin_ns(bench.clock);
    (void)sample();
    bool second_first = false;
    HONE_TRY_STATUS(bench.rounds(
        box,
        [&]() -> base::Status {
            // ABBA: what drifts within a round favours neither.
            for (const bool second : {second_first, !second_first}) {
                (second ? result.second_ns : result.first_ns).push_back(sample());
            }
            second_first = !second_first;
            return {};
        },
        [&] {
            return result.first_ns.size() >= kControlRounds &&
                   settled(result.second_ns, result.first_ns);
        }));
    result.spin_after_ns = spin_ns(bench.clock);
    measure::ExperimentResult out = cost::to_experiment(result);
    out.parameters["steps"] = kControlSteps;
    return ExperimentResults{std::move(out)};
}

double control_s(const ExperimentBench& bench, const ExperimentOrder&) {
    const double prefill_ns = bench.costs.prefill_token_ns * bench.options.depth;
    const double steps = 2.0 * kControlSteps * kControlRounds;
    return (prefill_ns + bench.costs.decode_ns * steps) * 1e-9;
}

}  // namespace hone::probe
