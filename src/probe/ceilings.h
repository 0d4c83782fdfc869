// Measures the roofs of this machine: load-only bandwidth, arithmetic peaks, and what a barrier, a
// dispatch and a clock reading cost. The result is the MachineProfile that every share is taken of.
//
// Not a benchmark of Hone's kernels: the loops of kernels/ceiling do nothing else. Not cached here
// (probe/profile_cache.h). Invariant: a point that was not measured (budget, memory, cancelled) is
// absent, never 0. Bandwidth follows the practice of the RRZE bandwidth benchmark: load-only sum
// (weights are read-only), memory touched first by the thread that reads it, huge pages where
// allowed, medians and the best of repeats. The working set is the total over all threads, each
// reading its own part over and over. Thread rule: one call at a time on an otherwise quiet
// process; makes its own teams.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "machine/isa.h"
#include "machine/profile.h"
#include "machine/thread_team.h"
#include "probe/conduct.h"

namespace hone::probe {

struct CeilingOptions {
    // Empty: default_thread_counts().
    std::vector<int> threads;
    // Empty: 16 KiB to 256 MiB, total over the threads; sizes over half the memory budget are
    // left out. Other sizes are rounded up to 512 bytes for each thread.
    std::vector<uint64_t> working_sets;
    // For everything together, clamped to [0, 15]; each point gets its share and at least three
    // samples, so a tiny budget is overrun. Four seconds after the budget (on a very busy machine)
    // the points that are left stay absent; those of all threads come first.
    double budget_s = 12;
    // Waiting for a CPU, of the wall time, beyond which a profile is not kept for later runs: it
    // would hold the neighbours' roofs. A quiet virtual machine shows below 0.05.
    double run_delay_share_max = 0.25;
};

// 1, 2, 4, ... and all the CPUs that affinity and cgroup quota leave.
std::vector<int> default_thread_counts(const machine::MachineFacts& facts);

// Errors: invalid_argument (thread counts), exhausted (threads, memory), cancelled, unsupported (no
// ceiling variant for the level).
base::Result<machine::MachineProfile> measure_ceilings(const machine::MachineFacts& facts,
                                                       machine::Isa isa, const base::Clock& clock,
                                                       const CeilingOptions& options = {},
                                                       const Conduct& conduct = {});

struct ReprobeOptions {
    uint64_t bytes = 64u << 20;  // working set over all threads
    double budget_s = 0.15;      // after the memory was touched
};

// One bandwidth point again, on a borrowed team: taken before and after a run, the two show how far
// this (shared) machine drifted under it. Allocates `bytes` for the call.
base::Result<machine::BandwidthPoint> reprobe_bandwidth(machine::ThreadTeam& team, machine::Isa isa,
                                                        const base::Clock& clock,
                                                        const ReprobeOptions& options = {});

}  // namespace hone::probe
