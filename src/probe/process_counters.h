// Event counters of all threads of this process between two moments.
//
// Hardware events (cycles, instructions, cache misses) come from perf_event_open(2), one descriptor
// for each thread and event, user mode only; the kernel may refuse them, and in many virtual
// machines they open and stay at zero: both are absent. Software events always come: processor
// time, page faults and context switches from getrusage(2) and clock_gettime(2), migrations from
// /proc/self/task/*/sched where the kernel writes that. Where the kernel time-shares a hardware
// counter, its count is scaled by the time it ran. Threads that start later are not counted by
// hardware. Not a profiler: no samples, no addresses. Thread rule: one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "cost/observations.h"

namespace hone::probe {

class ProcessCounters {
  public:
    // Starts counting. The clock is borrowed.
    explicit ProcessCounters(const base::Clock& clock);
    ~ProcessCounters();
    ProcessCounters(const ProcessCounters&) = delete;
    ProcessCounters& operator=(const ProcessCounters&) = delete;

    // What happened since; `tokens` is the caller's.
    cost::Counters so_far() const;

  private:
    struct Hardware;
    struct Software {
        double task_clock_ns = 0;
        uint64_t page_faults = 0;
        uint64_t context_switches = 0;
        std::optional<uint64_t> migrations;
    };
    static Software read_software();

    const base::Clock& clock_;
    std::unique_ptr<Hardware> hardware_;
    Software begin_;
    int64_t begin_ns_;
};

// Sum of "se.nr_migrations" over the threads under root/proc/self/task; `root` "" is this machine.
std::optional<uint64_t> read_migrations(const std::string& root = "");

}  // namespace hone::probe
