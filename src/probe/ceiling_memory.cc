#include "probe/ceiling_memory.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "base/random.h"
#include "measure/statistics.h"

namespace hone::probe {
namespace {

constexpr uint64_t kSmallPageBytes = 4096;
constexpr uint64_t kFaultBytes = 32u << 20;
constexpr int kFaultSamples = 3;

void store_part(const kernels::CeilingVariant& variant, StoreLoop loop, std::byte* data,
                uint64_t bytes) {
    const uint64_t half = bytes / 2 / kernels::kCeilingChunkBytes * kernels::kCeilingChunkBytes;
    switch (loop) {
        case StoreLoop::write:
            return variant.write(data, bytes);
        case StoreLoop::write_streaming:
            return variant.write_streaming(data, bytes);
        case StoreLoop::copy:
            return variant.copy(data + half, data, half);
        case StoreLoop::copy_streaming:
            return variant.copy_streaming(data + half, data, half);
    }
}

uint64_t small_faults() {
    rusage usage{};
    return getrusage(RUSAGE_THREAD, &usage) == 0 ? static_cast<uint64_t>(usage.ru_minflt) : 0;
}

struct Faults {
    double ns = 0;  // of all
    uint64_t count = 0;
};

// Writes one byte of every small page of a fresh map, aligned to `page_bytes`.
std::optional<Faults> touch_fresh(const base::Clock& clock, uint64_t page_bytes, int advice) {
    const size_t size = kFaultBytes + page_bytes;
    void* map = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) return std::nullopt;
    const auto address = reinterpret_cast<uintptr_t>(map);
    auto* aligned =
        reinterpret_cast<volatile char*>((address + page_bytes - 1) / page_bytes * page_bytes);
    std::optional<Faults> faults;
    if (madvise(map, size, advice) == 0) {
        const uint64_t before = small_faults();
        const int64_t start = clock.now_ns();
        for (uint64_t at = 0; at < kFaultBytes; at += kSmallPageBytes) aligned[at] = 1;
        const auto ns = static_cast<double>(clock.now_ns() - start);
        faults = Faults{ns, small_faults() - before};
    }
    munmap(map, size);
    return faults;
}

// Median ns of one fault; nullopt when the kernel gave pages of another size.
std::optional<double> fault_ns(const base::Clock& clock, uint64_t page_bytes, int advice) {
    std::vector<double> samples;
    const uint64_t expected = kFaultBytes / page_bytes;
    for (int i = 0; i < kFaultSamples; ++i) {
        const auto faults = touch_fresh(clock, page_bytes, advice);
        if (!faults || faults->ns <= 0) continue;
        if (faults->count < expected / 2 || faults->count > expected * 2) continue;
        samples.push_back(faults->ns / static_cast<double>(faults->count));
    }
    return measure::median(samples);
}

}  // namespace

const char* store_loop_name(StoreLoop loop) {
    switch (loop) {
        case StoreLoop::write:
            return "write";
        case StoreLoop::copy:
            return "copy";
        case StoreLoop::write_streaming:
            return "write_streaming";
        case StoreLoop::copy_streaming:
            return "copy_streaming";
    }
    return "";
}

double moved_per_byte(StoreLoop loop, bool in_first_cache) {
    const bool copies = loop == StoreLoop::copy || loop == StoreLoop::copy_streaming;
    const bool allocates = loop == StoreLoop::write || loop == StoreLoop::copy;
    return 1.0 + (copies ? 1 : 0) + (allocates && !in_first_cache ? 1 : 0);
}

std::optional<machine::BandwidthPoint> store_point(machine::ThreadTeam& team,
                                                   const kernels::CeilingVariant& variant,
                                                   ReadArena& arena, StoreLoop loop,
                                                   uint64_t bytes_total, uint64_t first_cache_bytes,
                                                   double budget_s, const base::Clock& clock) {
    const auto threads = static_cast<uint64_t>(team.threads());
    const uint64_t share = (bytes_total + threads - 1) / threads;
    const uint64_t part = (share + 2 * kernels::kCeilingChunkBytes - 1) /
                          (2 * kernels::kCeilingChunkBytes) * 2 * kernels::kCeilingChunkBytes;
    if (part > arena.part_bytes()) return std::nullopt;
    const bool copies = loop == StoreLoop::copy || loop == StoreLoop::copy_streaming;
    const double stored = static_cast<double>(copies ? part / 2 : part);
    const double moved = stored * moved_per_byte(loop, part <= first_cache_bytes);
    const auto rate = sample_rate(clock, budget_s, [&](int64_t rounds) {
        team.run([&](int thread) {
            for (int64_t i = 0; i < rounds; ++i) {
                store_part(variant, loop, arena.writable(thread), part);
            }
        });
        return moved * static_cast<double>(rounds) * static_cast<double>(threads);
    });
    if (!rate) return std::nullopt;
    return machine::BandwidthPoint{bytes_total, team.threads(), rate->median, rate->best,
                                   store_loop_name(loop)};
}

base::Result<LineCycle> LineCycle::create(uint64_t bytes) {
    const uint64_t lines = std::max<uint64_t>(2, (bytes + kLineBytes - 1) / kLineBytes);
    LineCycle cycle;
    HONE_TRY(cycle.memory_, tensor::Buffer::allocate(lines * kLineBytes));
    std::vector<uint32_t> next(lines);
    for (uint64_t i = 0; i < lines; ++i) next[i] = static_cast<uint32_t>(i);
    base::Random random(1);
    for (uint64_t i = lines - 1; i > 0; --i) std::swap(next[i], next[random.next_below(i)]);
    std::byte* const data = cycle.memory_.data();
    for (uint64_t i = 0; i < lines; ++i) {
        *reinterpret_cast<const void**>(data + i * kLineBytes) = data + next[i] * kLineBytes;
    }
    return cycle;
}

std::optional<machine::LatencyPoint> latency_point(machine::ThreadTeam& team,
                                                   const kernels::CeilingVariant& variant,
                                                   const LineCycle& cycle, const ReadArena* readers,
                                                   double budget_s, const base::Clock& clock) {
    constexpr uint64_t kReadChunk = 64u << 10;
    constexpr int64_t kLoadsPerRound = 1024;
    const void* at = cycle.start();
    const auto rate = sample_rate(clock, budget_s, [&](int64_t rounds) {
        const auto loads = static_cast<size_t>(rounds * kLoadsPerRound);
        std::atomic<bool> done{false};
        if (readers == nullptr) {
            at = kernels::chase(at, loads);
            return static_cast<double>(loads);
        }
        team.run([&](int thread) {
            if (thread == 0) {
                at = kernels::chase(at, loads);
                done.store(true, std::memory_order_relaxed);
                return;
            }
            const std::byte* data = readers->part(thread);
            const uint64_t chunk = std::min(kReadChunk, readers->part_bytes());
            volatile uint64_t checksum = 0;
            for (uint64_t from = 0; !done.load(std::memory_order_relaxed);) {
                checksum = checksum + variant.read(data + from, chunk);
                from = from + 2 * chunk <= readers->part_bytes() ? from + chunk : 0;
            }
        });
        return static_cast<double>(loads);
    });
    if (!rate) return std::nullopt;
    const int others = readers == nullptr ? 0 : team.threads() - 1;
    return machine::LatencyPoint{cycle.bytes(), others, 1 / rate->median};
}

std::optional<double> core_ghz(const base::Clock& clock) {
    constexpr size_t kAdds = 200'000;  // some 60 us: short against a preemption
    constexpr int kTries = 9;
    std::optional<double> best;
    for (int i = 0; i < kTries; ++i) {
        const int64_t start = clock.now_ns();
        const size_t adds = kernels::dependent_adds(kAdds);
        const auto ns = static_cast<double>(clock.now_ns() - start);
        // Everything that disturbs makes the chain slower.
        if (ns > 0) best = std::max(best.value_or(0), static_cast<double>(adds) / ns);
    }
    return best;
}

std::optional<machine::ClockRate> clock_rate(const std::vector<double>& ghz) {
    const auto middle = measure::median(ghz);
    if (!middle) return std::nullopt;
    machine::ClockRate rate;
    rate.ghz = *middle;
    rate.ghz_min = *std::min_element(ghz.begin(), ghz.end());
    rate.ghz_max = *std::max_element(ghz.begin(), ghz.end());
    rate.drift_share = std::fabs(ghz.back() / ghz.front() - 1);
    return rate;
}

std::vector<machine::OverheadPoint> page_fault_points(const base::Clock& clock) {
    std::vector<machine::OverheadPoint> points;
    if (const auto ns = fault_ns(clock, kSmallPageBytes, MADV_NOHUGEPAGE)) {
        points.push_back({"page_fault", 1, *ns});
    }
    if (const auto ns = fault_ns(clock, tensor::kHugePageBytes, MADV_HUGEPAGE)) {
        points.push_back({"page_fault_huge", 1, *ns});
    }
    return points;
}

}  // namespace hone::probe
