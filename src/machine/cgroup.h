// The CPU and memory limits that control groups put on this process.
//
// Reads version 1 and 2, also side by side. A limit set on any group between the process's own and
// the mount point holds, so the smallest is taken. Sources: Documentation/admin-guide/cgroup-v2.rst
// and cgroup-v1/ of Linux, proc(5), cgroups(7). What cannot be read counts as no limit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace hone::machine {

struct CgroupLimits {
    std::optional<double> cpus;             // quota / period
    std::optional<uint64_t> memory_bytes;   // the hard limit
    std::optional<uint64_t> memory_unused;  // smallest limit - use, page cache not counted as use
};

// `root` as in machine/facts.h.
CgroupLimits read_cgroup_limits(const std::string& root);

// How often and how long a CPU quota has stopped this process's group, since the group was made.
// Both versions count in cpu.stat; the group nearest to the process that counts is taken.
struct CgroupThrottling {
    uint64_t periods = 0;  // in which it was stopped
    double throttled_ns = 0;
};
// nullopt where no group counts, as without a CPU controller.
std::optional<CgroupThrottling> read_cgroup_throttling(const std::string& root);

}  // namespace hone::machine
