// Reads what the operating system and CPUID say about this machine. Measures nothing.
//
// Sources: CPUID, /proc/cpuinfo, /proc/meminfo, /sys/devices/system/{cpu,node}, cgroup v1 and v2,
// sched_getaffinity. Every fact may be missing (containers hide files): then it keeps its neutral
// value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "machine/profile.h"

namespace hone::machine {

// `root` is "" for the running machine; tests give a directory with proc/ and sys/ inside.
MachineFacts read_machine_facts(const std::string& root = "");

// Bytes this process may still use before the machine or its cgroup is full.
uint64_t memory_budget_bytes(const MachineFacts& facts);

// Counters of disturbance since boot or process start; differences matter.
struct DisturbanceCounters {
    double steal_ticks = 0;
    double total_ticks = 0;
    double busy_ticks = 0;            // of all processes, neither idle nor stolen
    std::optional<double> own_ticks;  // of them, this process's
    double run_delay_ns = 0;          // of this process's threads
    uint64_t major_faults = 0;
    uint64_t minor_faults = 0;
    bool has_steal = false;
    bool has_run_delay = false;
    uint64_t throttled_periods = 0;  // by the control group's CPU quota
    double throttled_ns = 0;
    bool has_throttling = false;
    // Fetched from storage on behalf of this process, read-ahead included; proc(5), read_bytes of
    // /proc/self/io.
    std::optional<uint64_t> storage_bytes;
};
DisturbanceCounters read_disturbance(const std::string& root = "");

// Resident set, now and at its highest, in bytes; 0 when unknown.
struct ResidentBytes {
    uint64_t now = 0;
    uint64_t peak = 0;
};
ResidentBytes read_resident_bytes();

}  // namespace hone::machine
