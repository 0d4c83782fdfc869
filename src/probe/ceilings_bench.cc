// Holds two roofs against loops written here by hand, with nothing of kernels/ceiling in them: the
// read bandwidth of one thread in 64 MiB and 64 KiB, and the f32 multiply-adds of one thread.
//   ratio = what the ceiling says / what the plain loop reaches; expected within 10 % of 1 on a
// quiet machine (CPUs with FMA and AVX2; the plain loops are skipped elsewhere).
#include <benchmark/benchmark.h>
#include <immintrin.h>

#include <algorithm>
#include <vector>

#include "machine/isa.h"
#include "probe/ceiling_points.h"

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

__attribute__((target("avx2"))) uint64_t plain_read(const uint64_t* words, size_t count) {
    __m256i a = _mm256_setzero_si256();
    __m256i b = a;
    __m256i c = a;
    __m256i d = a;
    for (size_t i = 0; i < count; i += 16) {
        const auto* at = reinterpret_cast<const __m256i*>(words + i);
        a = _mm256_xor_si256(a, _mm256_loadu_si256(at));
        b = _mm256_xor_si256(b, _mm256_loadu_si256(at + 1));
        c = _mm256_xor_si256(c, _mm256_loadu_si256(at + 2));
        d = _mm256_xor_si256(d, _mm256_loadu_si256(at + 3));
    }
    a = _mm256_xor_si256(_mm256_xor_si256(a, b), _mm256_xor_si256(c, d));
    return static_cast<uint64_t>(_mm256_extract_epi64(a, 0));
}

// Ten chains of 8 lanes; the volatile start keeps the loop from being computed beforehand.
__attribute__((target("avx2,fma"))) float plain_fma(size_t rounds) {
    volatile float start = 0.5f;
    const __m256 x = _mm256_set1_ps(start);
    __m256 sums[10];
    for (__m256& sum : sums) sum = _mm256_set1_ps(start);
    for (size_t i = 0; i < rounds; ++i) {
        for (__m256& sum : sums) sum = _mm256_fmadd_ps(sum, x, x);
    }
    float total = 0;
    for (const __m256& sum : sums) total += _mm256_cvtss_f32(sum);
    return total;
}

void BM_ReadAgainstPlainLoop(benchmark::State& state) {
    const base::SteadyClock clock;
    const auto bytes = static_cast<uint64_t>(state.range(0));
    auto team = machine::ThreadTeam::create({});
    auto arena = ReadArena::create(**team, bytes);
    const auto* variant = *kernels::select_ceiling(machine::Isa::avx2);
    if (!arena || machine::detect_isa() < machine::Isa::avx2) return state.SkipWithError("no AVX2");
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
    auto team = machine::ThreadTeam::create({});
    const auto* variant = *kernels::select_ceiling(machine::Isa::avx2);
    if (machine::detect_isa() < machine::Isa::avx2) return state.SkipWithError("no AVX2");
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
