#include "probe/delay_injection.h"

#include <algorithm>

#include "base/json.h"
#include "measure/statistics.h"
#include "probe/experiment_bench.h"
#include "probe/node_walk.h"

namespace hone::probe {
namespace {

// What is added to a step: far above its noise, and not enough to make it another step.
constexpr double kAddedShare = 0.2;
// Below this the clock's own reading is a good part of the wait.
constexpr double kDelayMinNs = 500;
constexpr double kDelayMaxNs = 2e6;
// Short steps are repeated until a sample is this long.
constexpr double kSampleNs = 2e6;
constexpr double kStepsPerSampleMax = 32;

struct Injection {
    const ExperimentBench& bench;
    Stepper& stepper;
    const ExperimentOrder& order;
    std::vector<uint32_t> nodes;

    double steps_ns(int steps, graph::NodeHook hook) const {
        return bench.time_ns([&] {
            for (int i = 0; i < steps; ++i) {
                (void)stepper.executor().run(stepper.last_input(), nullptr, hook);
            }
        }) / steps;
    }
};

base::Result<measure::ExperimentResult> inject(const Injection& work, const std::string& slice,
                                               const std::string& threads, const TimeBox& box) {
    graph::Executor& executor = work.stepper.executor();
    (void)work.steps_ns(1, {});
    const double step_ns = std::max(1.0, work.steps_ns(1, {}));
    const int steps = static_cast<int>(std::clamp(kSampleNs / step_ns, 1.0, kStepsPerSampleMax));
    const double calls = static_cast<double>(work.nodes.size());
    NodeDelay delay(executor.plan().nodes.size(), work.nodes,
                    std::clamp(kAddedShare * step_ns / calls, kDelayMinNs, kDelayMaxNs),
                    executor.team().threads(), threads == "one", work.bench.clock);
    cost::DelayInjection result;
    result.kind = work.order.subject;
    result.slice = slice;
    result.threads = threads;
    result.calls = work.nodes.size();
    HONE_TRY_STATUS(work.bench.rounds(
        box,
        [&]() -> base::Status {
            result.base_ns.push_back(work.steps_ns(steps, {}));
            result.delayed_ns.push_back(work.steps_ns(steps, delay.hook()));
            return {};
        },
        [&] { return settled(result.delayed_ns, result.base_ns); }));
    result.delay_ns = delay.waited_ns_mean();
    measure::ExperimentResult out = cost::to_experiment(result);
    out.parameters["steps"] = steps;
    return out;
}

}  // namespace

NodeDelay::NodeDelay(size_t plan_nodes, const std::vector<uint32_t>& nodes, double delay_ns,
                     int threads, bool one_thread, const base::Clock& clock)
    : clock_(clock),
      delay_ns_(static_cast<int64_t>(delay_ns)),
      one_thread_(one_thread),
      delayed_(plan_nodes, 0),
      waited_(static_cast<size_t>(threads)) {
    for (const uint32_t node : nodes) delayed_[node] = 1;
}

void NodeDelay::wait(void* context, uint32_t node, int thread) {
    auto& self = *static_cast<NodeDelay*>(context);
    if (self.delayed_[node] == 0 || (self.one_thread_ && thread != 0)) return;
    const int64_t begin_ns = self.clock_.now_ns();
    int64_t now_ns = begin_ns;
    while (now_ns - begin_ns < self.delay_ns_) now_ns = self.clock_.now_ns();
    Waited& waited = self.waited_[static_cast<size_t>(thread)];
    waited.ns += now_ns - begin_ns;
    waited.count += 1;
}

uint64_t NodeDelay::waits() const {
    uint64_t count = 0;
    for (const Waited& waited : waited_) count += waited.count;
    return count;
}

double NodeDelay::waited_ns_mean() const {
    int64_t ns = 0;
    for (const Waited& waited : waited_) ns += waited.ns;
    return waits() == 0 ? 0 : static_cast<double>(ns) / static_cast<double>(waits());
}

ExperimentOutcome delay_injection(const ExperimentBench& bench, const ExperimentOrder& order,
                                  const TimeBox& box) {
    const auto positions = static_cast<uint32_t>(bench.options.depth + 1);
    HONE_TRY(Stepper stepper,
             Stepper::create(bench.session.config(), bench.session.executor(), 1, positions));
    const std::string slice = order.slice.empty() ? "decode" : order.slice;
    const Injection work{bench, stepper, order,
                         nodes_of_kind(bench.session.plan(), order.subject, false)};
    if (work.nodes.empty()) {
        return base::fail(base::ErrorCode::not_found, "the plan has no '{}'", order.subject);
    }
    HONE_TRY_STATUS(prepare_slice(bench, stepper, slice));
    ExperimentResults results;
    HONE_TRY(auto all, inject(work, slice, "all", box.part(2)));
    results.push_back(std::move(all));
    // One of one thread is all of them.
    if (bench.session.executor().team().threads() > 1) {
        HONE_TRY(auto one, inject(work, slice, "one", box.part(1)));
        results.push_back(std::move(one));
    }
    return results;
}

double delay_injection_s(const ExperimentBench& bench, const ExperimentOrder& order) {
    const double prefill_ns = bench.costs.prefill_token_ns * bench.options.depth;
    const double step_ns = order.slice == "prefill" ? prefill_ns : bench.costs.decode_ns;
    const double sample_ns = std::max(step_ns, kSampleNs) * (2 + kAddedShare);
    return (prefill_ns + 2 * ExperimentBench::kRoundsWanted * sample_ns) * 1e-9;
}

}  // namespace hone::probe
