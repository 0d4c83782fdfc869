#include <algorithm>

#include "cost/experiments.h"
#include "measure/statistics.h"
#include "probe/experiment_bench.h"

namespace hone::probe {
namespace {

constexpr int kWalksPerSample = 8;
constexpr int kControlSteps = 4;

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
    HONE_TRY_STATUS(bench.rounds(box, [&]() -> base::Status {
        const double total_ns = bench.time_ns([&] {
            for (int i = 0; i < kWalksPerSample; ++i) team.run(walk);
        });
        // The clock may not resolve a walk of one thread, which meets nobody.
        result.graph_ns.push_back(std::max(1.0, total_ns / kWalksPerSample));
        return {};
    }));
    measure::ExperimentResult out = cost::to_experiment(result);
    out.subject = order.subject;
    const int barriers = executor.plan().barriers(1);
    out.values["barriers"] = barriers;
    out.values["barrier_ns"] = *measure::median(result.graph_ns) / std::max(1, barriers);
    return ExperimentResults{std::move(out)};
}

ExperimentOutcome control(const ExperimentBench& bench, const ExperimentOrder& order,
                          const TimeBox& box) {
    const auto positions = static_cast<uint32_t>(bench.options.depth + kControlSteps);
    HONE_TRY(Stepper stepper,
             Stepper::create(bench.session.config(), bench.session.executor(), 1, positions));
    const uint32_t vocab = stepper.executor().vocab();
    base::Random random(bench.options.seed);
    const auto prompt = random_tokens(random, vocab, static_cast<size_t>(bench.options.depth));
    const auto sample = [&] {
        stepper.clear();
        stepper.prefill(0, prompt);
        const auto steps = random_tokens(random, vocab, kControlSteps);
        return bench.time_ns([&] {
            for (size_t i = 0; i < steps.size(); ++i) {
                stepper.decode(std::span(steps).subspan(i, 1));
            }
        });
    };
    std::vector<double> first;
    std::vector<double> second;
    HONE_TRY_STATUS(bench.rounds(box, [&]() -> base::Status {
        first.push_back(sample() / kControlSteps);
        second.push_back(sample() / kControlSteps);
        return {};
    }));
    measure::ExperimentResult out;
    out.name = order.name;
    out.subject = order.subject;
    out.parameters = {{"steps", kControlSteps}};
    out.values = {{"first_ns", first}, {"second_ns", second}};
    if (const auto ratio = cost::ratio_of(second, first)) out.values["ratio"] = ratio->value;
    return ExperimentResults{std::move(out)};
}

}  // namespace hone::probe
