// Holds two roofs against loops written by hand, with nothing of kernels/ceiling in them
// (probe/plain_loops.h): the read bandwidth of one thread in 64 MiB and 64 KiB, and the f32
// multiply-adds of one thread.
//   ratio = what the ceiling says / what the plain loop reaches; expected within 10 % of 1 on a
// quiet machine (CPUs with FMA and AVX2; the plain loops are skipped elsewhere).
#include <benchmark/benchmark.h>

#include <algorithm>
#include <vector>

#include "machine/isa.h"
#include "probe/ceiling_points.h"
#include "probe/plain_loops.h"

namespace hone::probe {
namespace {

constexpr double kBudgetS = 0.3;

// Best of `tries` in units per ns.
template <class Work>
double best_rate(const base::Clock& clock, int tries, double units, Work&& work) {
    double best = 0;
    for (int i = 0; i < tries; ++i) {
        const int64_t start = clock.now_ns();
        work();
        const auto ns = static_cast<double>(clock.now_ns() - start);
        if (ns > 0) best = std::max(best, units / ns);
    }
    return best;
}

void BM_ReadAgainstPlainLoop(benchmark::State& state) {
    const base::SteadyClock clock;
    const auto bytes = static_cast<uint64_t>(state.range(0));
    if (machine::detect_isa() < machine::Isa::avx2) return state.SkipWithError("no AVX2");
    auto team = machine::ThreadTeam::create({});
    auto arena = ReadArena::create(**team, bytes);
    if (!arena) return state.SkipWithError("no memory");
    const auto* variant = *kernels::select_ceiling(machine::Isa::avx2);
    double ratio = 0;
    for (auto _ : state) {
        const auto ceiling = bandwidth_point(**team, *variant, *arena, bytes, kBudgetS, clock);
        const size_t passes = std::max<size_t>(1, (64u << 20) / bytes);
        const double plain = best_rate(clock, 20, static_cast<double>(bytes * passes), [&] {
            for (size_t i = 0; i < passes; ++i) {
                benchmark::DoNotOptimize(
                    plain_read(reinterpret_cast<const uint64_t*>(arena->part(0)), bytes / 8));
            }
        });
        ratio = ceiling->gb_per_s_best / plain;
        state.counters["ceiling_gb_s"] = ceiling->gb_per_s_best;
        state.counters["plain_gb_s"] = plain;
    }
    state.counters["ratio"] = ratio;
}
BENCHMARK(BM_ReadAgainstPlainLoop)->Arg(64 << 10)->Arg(64 << 20)->Iterations(1);

void BM_FmaAgainstPlainLoop(benchmark::State& state) {
    const base::SteadyClock clock;
    if (machine::detect_isa() < machine::Isa::avx2) return state.SkipWithError("no AVX2");
    auto team = machine::ThreadTeam::create({});
    const auto* variant = *kernels::select_ceiling(machine::Isa::avx2);
    for (auto _ : state) {
        const auto ceiling = peak_point(**team, *variant, PeakLoop::f32_fma, kBudgetS, clock);
        constexpr size_t kRounds = 1 << 20;
        const double plain = best_rate(clock, 20, double{kRounds} * 10 * 8 * 2,
                                       [&] { benchmark::DoNotOptimize(plain_fma(kRounds)); });
        state.counters["ceiling_gflop_s"] = ceiling->g_per_s;
        state.counters["plain_gflop_s"] = plain;
        state.counters["ratio"] = ceiling->g_per_s / plain;
    }
}
BENCHMARK(BM_FmaAgainstPlainLoop)->Iterations(1);

}  // namespace
}  // namespace hone::probe
