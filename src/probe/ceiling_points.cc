#include "probe/ceiling_points.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/check.h"
#include "measure/statistics.h"

namespace hone::probe {
namespace {

constexpr double kPointSampleNs = 4e6;
constexpr int kSamplesMin = 3;
constexpr int kSamplesMax = 400;
constexpr int64_t kPointRepeatsMax = int64_t{1} << 40;
constexpr int64_t kGrowthMax = 64;  // rounds per calibration step, so that one step cannot run away

constexpr int kBarriersPerSample = 1000;
constexpr int kDispatchesPerSample = 200;
constexpr int kClockReadsPerSample = 2000;
// Long enough for members to have stopped spinning (some 10 us of pauses) and to sleep.
constexpr auto kSleepBeforeWake = std::chrono::microseconds(400);

// The members' loops between two barriers; the caller's clock is read around run(), whose own cost
// is below a thousandth of a sample.
template <class Loop>
double run_together(machine::ThreadTeam& team, Loop&& loop) {
    std::array<double, machine::ThreadTeam::kThreadsMax> units{};
    team.run([&](int thread) { units[static_cast<size_t>(thread)] = loop(thread); });
    double total = 0;
    for (double done : units) total += done;
    return total;
}

double sample_median_ns(const base::Clock& clock, double budget_s, int divisor, auto&& work) {
    const int64_t begin = clock.now_ns();
    std::vector<double> samples;
    for (int i = 0; i < kSamplesMax; ++i) {
        const int64_t start = clock.now_ns();
        work();
        const int64_t now = clock.now_ns();
        samples.push_back(static_cast<double>(now - start) / divisor);
        const bool spent = static_cast<double>(now - begin) * 1e-9 >= budget_s;
        if (i + 1 >= kSamplesMin && (spent || now == start)) break;
    }
    return *measure::median(samples);
}

}  // namespace

std::optional<Rate> sample_rate(const base::Clock& clock, double budget_s,
                                const std::function<double(int64_t)>& work) {
    const int64_t begin = clock.now_ns();
    int64_t rounds = 1;
    for (;;) {
        const int64_t start = clock.now_ns();
        work(rounds);
        const double ns = static_cast<double>(clock.now_ns() - start);
        if (ns >= kPointSampleNs / 2 || rounds >= kPointRepeatsMax / kGrowthMax) break;
        if (ns <= 0 && rounds > 1) return std::nullopt;  // a clock that does not move
        const double wanted = ns > 0 ? kPointSampleNs / ns : 2.0;
        rounds *= std::clamp<int64_t>(static_cast<int64_t>(wanted), 2, kGrowthMax);
    }
    std::vector<double> rates;
    for (int i = 0; i < kSamplesMax; ++i) {
        const int64_t start = clock.now_ns();
        const double units = work(rounds);
        const int64_t now = clock.now_ns();
        if (now > start) rates.push_back(units / static_cast<double>(now - start));
        const bool spent = static_cast<double>(now - begin) * 1e-9 >= budget_s;
        if (i + 1 >= kSamplesMin && (spent || now == start)) break;
    }
    if (rates.empty()) return std::nullopt;
    return Rate{*measure::median(rates), *std::max_element(rates.begin(), rates.end()),
                static_cast<int>(rates.size())};
}

base::Result<ReadArena> ReadArena::create(machine::ThreadTeam& team, uint64_t bytes_total) {
    ReadArena arena;
    const uint64_t threads = static_cast<uint64_t>(team.threads());
    const uint64_t part = (bytes_total + threads - 1) / threads;
    arena.part_bytes_ = (part + kernels::kCeilingChunkBytes - 1) / kernels::kCeilingChunkBytes *
                        kernels::kCeilingChunkBytes;
    for (uint64_t i = 0; i < threads; ++i) {
        HONE_TRY(tensor::Buffer buffer, tensor::Buffer::allocate(arena.part_bytes_));
        arena.parts_.push_back(std::move(buffer));
    }
    // Never-written pages are one shared page of zeros, which would be read from the cache.
    team.run([&](int thread) {
        tensor::Buffer& buffer = arena.parts_[static_cast<size_t>(thread)];
        std::memset(buffer.data(), thread + 1, buffer.size());
    });
    return arena;
}

std::optional<machine::BandwidthPoint> bandwidth_point(machine::ThreadTeam& team,
                                                       const kernels::CeilingVariant& variant,
                                                       const ReadArena& arena, uint64_t bytes_total,
                                                       double budget_s, const base::Clock& clock) {
    const uint64_t threads = static_cast<uint64_t>(team.threads());
    const uint64_t share = (bytes_total + threads - 1) / threads;
    const uint64_t part = (share + kernels::kCeilingChunkBytes - 1) / kernels::kCeilingChunkBytes *
                          kernels::kCeilingChunkBytes;
    HONE_CHECK_LE(part, arena.part_bytes());
    const std::optional<Rate> rate = sample_rate(clock, budget_s, [&](int64_t rounds) {
        return run_together(team, [&](int thread) {
            volatile uint64_t checksum = 0;
            const std::byte* data = arena.part(thread);
            for (int64_t i = 0; i < rounds; ++i) {
                checksum = checksum + variant.read(data, part);
            }
            return static_cast<double>(part) * static_cast<double>(rounds);
        });
    });
    if (!rate) return std::nullopt;
    return machine::BandwidthPoint{bytes_total, team.threads(), rate->median, rate->best};
}

const char* peak_loop_name(PeakLoop loop) {
    switch (loop) {
        case PeakLoop::f32_fma:
            return "f32_fma";
        case PeakLoop::int8_dot:
            return "int8_dot";
        case PeakLoop::bf16_dot:
            return "bf16_dot";
    }
    return "";
}

std::optional<machine::PeakPoint> peak_point(machine::ThreadTeam& team,
                                             const kernels::CeilingVariant& variant, PeakLoop loop,
                                             double budget_s, const base::Clock& clock) {
    if (loop == PeakLoop::bf16_dot && variant.bf16_dot == nullptr) return std::nullopt;
    constexpr size_t kIterationsPerRound = 256;
    const std::optional<Rate> rate = sample_rate(clock, budget_s, [&](int64_t rounds) {
        const size_t iterations = static_cast<size_t>(rounds) * kIterationsPerRound;
        return run_together(team, [&](int) {
            alignas(64) float sink_f32[16] = {};
            alignas(64) int32_t sink_i32[16] = {};
            if (loop == PeakLoop::int8_dot) return variant.int8_dot(iterations, sink_i32);
            return (loop == PeakLoop::f32_fma ? variant.f32_fma : variant.bf16_dot)(iterations,
                                                                                    sink_f32);
        });
    });
    if (!rate) return std::nullopt;
    return machine::PeakPoint{peak_loop_name(loop), variant.name, team.threads(), rate->median};
}

std::vector<machine::OverheadPoint> overhead_points(machine::ThreadTeam& team, double budget_s,
                                                    const base::Clock& clock) {
    std::vector<machine::OverheadPoint> points;
    const double each_s = budget_s / 3;
    const auto keep = [&](const char* what, double ns) {
        if (ns > 0) points.push_back({what, team.threads(), ns});
    };
    keep("barrier", sample_median_ns(clock, each_s, kBarriersPerSample, [&] {
             team.run([&](int) {
                 for (int i = 0; i < kBarriersPerSample; ++i) team.barrier();
             });
         }));
    keep("dispatch", sample_median_ns(clock, each_s, kDispatchesPerSample, [&] {
             for (int i = 0; i < kDispatchesPerSample; ++i) team.run([](int) {});
         }));
    if (team.threads() == 1) return points;  // nobody to wake

    std::vector<double> wakes;
    const int64_t begin = clock.now_ns();
    for (int i = 0; i < kSamplesMax; ++i) {
        std::this_thread::sleep_for(kSleepBeforeWake);
        const int64_t start = clock.now_ns();
        team.run([](int) {});
        const int64_t now = clock.now_ns();
        wakes.push_back(static_cast<double>(now - start));
        const bool spent = static_cast<double>(now - begin) * 1e-9 >= each_s;
        if (i + 1 >= kSamplesMin && (spent || now == start)) break;
    }
    keep("wake", *measure::median(wakes));
    return points;
}

std::optional<machine::OverheadPoint> clock_read_point(const base::Clock& clock) {
    constexpr double kBudgetS = 0.01;
    const double ns = sample_median_ns(clock, kBudgetS, kClockReadsPerSample, [&] {
        for (int i = 0; i < kClockReadsPerSample; ++i) (void)clock.now_ns();
    });
    if (ns <= 0) return std::nullopt;
    return machine::OverheadPoint{"clock_read", 1, ns};
}

}  // namespace hone::probe
