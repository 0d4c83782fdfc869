#include "probe/delay_injection.h"

#include <gtest/gtest.h>

#include <atomic>

#include "measure/step_timer.h"
#include "probe/probe_fixture.h"
#include "probe/stepper.h"

namespace hone::probe {
namespace {

TEST(NodeDelay, WaitsAfterItsNodesOnly) {
    const base::VirtualClock clock(10);
    NodeDelay delay(4, {1, 3}, 95, 2, false, clock);
    const graph::NodeHook hook = delay.hook();
    EXPECT_EQ(delay.waited_ns_mean(), 0);
    for (uint32_t node = 0; node < 4; ++node) {
        for (const int thread : {0, 1}) hook.after(hook.context, node, thread);
    }
    EXPECT_EQ(delay.waits(), 4u);
    EXPECT_DOUBLE_EQ(delay.waited_ns_mean(), 100) << "until the clock shows at least the delay";
    EXPECT_EQ(clock.now_ns(), 4 * 110);
}

TEST(NodeDelay, OneThreadIsTheCaller) {
    const base::VirtualClock clock(10);
    NodeDelay delay(2, {0}, 50, 3, true, clock);
    const graph::NodeHook hook = delay.hook();
    for (const int thread : {0, 1, 2}) hook.after(hook.context, 0, thread);
    EXPECT_EQ(delay.waits(), 1u);
}

class NodeDelayInSteps : public TinyModelTest {};

// What was added to a kind is found at that kind and nowhere else: the decomposition is right.
TEST_F(NodeDelayInSteps, TheTimerBlamesTheDelayedKind) {
    constexpr double kDelayNs = 50'000;
    graph::Executor& executor = session_->executor();
    const graph::Plan& plan = executor.plan();
    std::vector<uint32_t> linears;
    for (uint32_t node = 0; node < plan.nodes.size(); ++node) {
        if (plan.nodes[node].desc.kind == cost::OpKind::linear) linears.push_back(node);
    }
    ASSERT_FALSE(linears.empty());
    NodeDelay delay(plan.nodes.size(), linears, kDelayNs, 2, false, clock_);
    auto stepper = Stepper::create(session_->config(), executor, 1, 4);
    ASSERT_TRUE(stepper);
    stepper->decode(std::vector<int32_t>{1});
    measure::StepTimer timer(plan.nodes.size(), 2, clock_);
    const auto plain = executor.run(stepper->last_input());
    const std::vector<float> logits(plain.begin(), plain.end());
    const auto delayed = executor.run(stepper->last_input(), &timer, delay.hook());
    EXPECT_TRUE(std::equal(logits.begin(), logits.end(), delayed.begin(), delayed.end()));
    EXPECT_EQ(delay.waits(), 2 * linears.size()) << "each node, on each of two threads";
    measure::OperatorTable table(plan.nodes.size());
    timer.fold(table, "decode", 0, 1, {}, {});
    double blamed_ns = 0;
    for (const measure::OperatorSample& sample : table.samples()) {
        const bool is_linear = plan.nodes[sample.node].desc.kind == cost::OpKind::linear;
        if (is_linear) blamed_ns += sample.compute_ns;
    }
    EXPECT_GE(blamed_ns, 0.99 * kDelayNs * static_cast<double>(linears.size()));
}

}  // namespace
}  // namespace hone::probe
