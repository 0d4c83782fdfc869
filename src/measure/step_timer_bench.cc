#include <benchmark/benchmark.h>

#include "measure/step_timer.h"

namespace hone::measure {
namespace {

constexpr size_t kNodes = 256;

// One mark, as the executor places three per node and thread.
void BM_Mark(benchmark::State& state) {
    const base::SteadyClock clock;
    const TickRate rate = state.range(0) != 0 ? calibrate_ticks(clock) : TickRate{};
    StepTimer timer(kNodes, 1, clock, rate);
    size_t node = 0;
    for (auto _ : state) {
        timer.mark_start(node, 0);
        node = (node + 1) % kNodes;
        benchmark::ClobberMemory();
    }
    state.SetLabel(rate.tsc ? "time-stamp counter" : "clock");
}
BENCHMARK(BM_Mark)->Arg(1)->Arg(0);

void BM_Fold(benchmark::State& state) {
    const base::SteadyClock clock;
    const int threads = static_cast<int>(state.range(0));
    StepTimer timer(kNodes, threads, clock);
    OperatorTable table(kNodes);
    timer.begin_step();
    for (int thread = 0; thread < threads; ++thread) {
        for (size_t node = 0; node < kNodes; ++node) {
            timer.mark_start(node, thread);
            timer.mark_compute_end(node, thread);
            timer.mark_barrier_end(node, thread);
        }
    }
    timer.end_step();
    for (auto _ : state) timer.fold(table, "decode", 0, 1, {}, {});
}
BENCHMARK(BM_Fold)->Arg(1)->Arg(2)->Arg(8);

}  // namespace
}  // namespace hone::measure
