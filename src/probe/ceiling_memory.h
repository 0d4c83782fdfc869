// Roofs of memory beyond loads: stores and copies, latency, the clock of the core, page faults.
//
// The sibling of probe/ceiling_points.h, one roof at a time; probe/ceilings.h decides which. Points
// whose clock did not move are absent. Thread rule: the caller's thread is member 0 of the team.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "kernels/ceiling/ceiling.h"
#include "machine/profile.h"
#include "machine/thread_team.h"
#include "probe/ceiling_points.h"
#include "tensor/buffer.h"

namespace hone::probe {

enum class StoreLoop : uint8_t { write, copy, write_streaming, copy_streaming };
const char* store_loop_name(StoreLoop loop);
// Bytes that move for each byte written or copied (machine/profile.h says why).
double moved_per_byte(StoreLoop loop, bool in_first_cache);

// Each member writes its part over and over, or copies its first half to its second.
std::optional<machine::BandwidthPoint> store_point(machine::ThreadTeam& team,
                                                   const kernels::CeilingVariant& variant,
                                                   ReadArena& arena, StoreLoop loop,
                                                   uint64_t bytes_total, uint64_t first_cache_bytes,
                                                   double budget_s, const base::Clock& clock);

// A random cycle through all lines of a buffer, so that no prefetcher guesses the next load
// (Sattolo's algorithm makes one cycle of all).
class LineCycle {
  public:
    static constexpr uint64_t kLineBytes = 64;
    // exhausted; bytes are rounded up to two lines.
    static base::Result<LineCycle> create(uint64_t bytes);
    const void* start() const { return memory_.data(); }
    uint64_t bytes() const { return memory_.size(); }

  private:
    tensor::Buffer memory_;
};

// Member 0 follows the cycle; with `readers`, all others read `readers` (one part each) meanwhile.
std::optional<machine::LatencyPoint> latency_point(machine::ThreadTeam& team,
                                                   const kernels::CeilingVariant& variant,
                                                   const LineCycle& cycle, const ReadArena* readers,
                                                   double budget_s, const base::Clock& clock);

// The core's frequency now, from about a millisecond of dependent additions.
std::optional<double> core_ghz(const base::Clock& clock);
// Median, extremes and drift of such samples; nullopt without any.
std::optional<machine::ClockRate> clock_rate(const std::vector<double>& ghz);

// What a first touch costs: "page_fault" (4 KiB) and, where the kernel gives them,
// "page_fault_huge" (2 MiB).
std::vector<machine::OverheadPoint> page_fault_points(const base::Clock& clock);

}  // namespace hone::probe
