// Measures the roofs of this machine: bandwidth of loads, stores and copies, arithmetic peaks, what
// the real linear kernels reach, latency, the clock of the cores, files, and what a barrier, a
// dispatch, a page fault and a clock reading cost. The result is the MachineProfile that every
// share is taken of.
//
// Not a benchmark of whole models. Not cached here (probe/profile_cache.h). Invariant: a point that
// was not measured (budget, memory, cancelled) is absent, never 0, and left_out says so. Bandwidth
// follows the practice of the RRZE bandwidth benchmark: load-only sum (weights are read-only),
// memory touched first by the thread that reads it, huge pages where allowed, medians and the best
// of repeats. The working set is the total over all threads, each reading its own part over and
// over. Thread rule: one call at a time on an otherwise quiet process; makes its own teams.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
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
    // samples, so a tiny budget is overrun. `grace_s` after the budget (on a very busy machine) the
    // points that are left stay absent; those of all threads come first, and of those the
    // roofs (loads, peaks, overheads) before the rest.
    double budget_s = 13;
    double grace_s = 4;
    // false: only the roofs and overheads that every share is taken of.
    bool whole = true;
    // Batch sizes of the products; each at most 256.
    std::vector<uint32_t> gemm_batches = {1, 8, 64, 256};
    // Where a temporary file may be written and read, "" = nowhere.
    std::string scratch_directory = {};
    uint64_t file_bytes = 32u << 20;
    // Waiting for a CPU, of the wall time, beyond which a profile is not kept for later runs: it
    // would hold the neighbours' roofs. A quiet virtual machine shows below 0.05.
    double run_delay_share_max = 0.25;
    // A cached profile is measured anew when memory is read faster than this times what it says:
    // neighbours only ever slow a machine down, so it was measured beside some. Medians of a quiet
    // machine differ by 5 % from one profile to the next.
    double faster_ratio_max = 1.2;
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
