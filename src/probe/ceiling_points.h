// One roof at a time: a loop of kernels/ceiling, run by all members of a team between two barriers.
//
// probe/ceilings.h decides which points; here is only how one is timed. A sample is one timed round
// of about 4 ms (long against a barrier and the clock, short against a preemption), of at least one
// pass of the loop; a point is the median of at least three samples and of as many as fit the
// budget. Thread rule: the caller's thread is member 0 of the team.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "kernels/ceiling/ceiling.h"
#include "machine/profile.h"
#include "machine/thread_team.h"
#include "tensor/buffer.h"

namespace hone::probe {

// Units (bytes or operations) per nanosecond, which is 1e9 units per second.
struct Rate {
    double median = 0;
    double best = 0;
    int samples = 0;
};

// Calls work(rounds), which returns the units it has done, until the samples or the budget are
// spent; rounds are chosen so that a sample takes about 4 ms. nullopt when the clock did not move.
std::optional<Rate> sample_rate(const base::Clock& clock, double budget_s,
                                const std::function<double(int64_t)>& work);

// Memory to read: one buffer for each member, written first by that member.
class ReadArena {
  public:
    // exhausted when the memory is not there.
    static base::Result<ReadArena> create(machine::ThreadTeam& team, uint64_t bytes_total);

    const std::byte* part(int thread) const { return parts_[static_cast<size_t>(thread)].data(); }
    std::byte* writable(int thread) { return parts_[static_cast<size_t>(thread)].data(); }
    uint64_t part_bytes() const { return part_bytes_; }

  private:
    std::vector<tensor::Buffer> parts_;
    uint64_t part_bytes_ = 0;
};

// The working set is rounded up to whole chunks for each thread and must fit the arena
// (HONE_CHECK). nullopt when the clock did not move.
std::optional<machine::BandwidthPoint> bandwidth_point(machine::ThreadTeam& team,
                                                       const kernels::CeilingVariant& variant,
                                                       const ReadArena& arena, uint64_t bytes_total,
                                                       double budget_s, const base::Clock& clock);

enum class PeakLoop : uint8_t { f32_fma, int8_dot, bf16_dot };
const char* peak_loop_name(PeakLoop loop);

// nullopt when the variant has no such loop or the clock did not move.
std::optional<machine::PeakPoint> peak_point(machine::ThreadTeam& team,
                                             const kernels::CeilingVariant& variant, PeakLoop loop,
                                             double budget_s, const base::Clock& clock);

// What the team costs: "barrier" (members already awake), "dispatch" (run() of nothing, members
// awake), "wake" (run() after the members went to sleep). Points whose clock did not move are
// absent.
std::vector<machine::OverheadPoint> overhead_points(machine::ThreadTeam& team, double budget_s,
                                                    const base::Clock& clock);
// "clock_read": what one stamp of a timed step costs.
std::optional<machine::OverheadPoint> clock_read_point(const base::Clock& clock);

}  // namespace hone::probe
