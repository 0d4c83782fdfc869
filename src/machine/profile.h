// MachineProfile: what this machine is and where its measured roofs lie. A value; JSON in and out.
//
// Facts come from machine/facts.h, ceilings from the probe room; nothing here measures. Cached by
// `fingerprint`, so that a file carried to another machine is recognized as foreign. A ceiling that
// was not measured is absent, never 0.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace hone::machine {

struct CacheFacts {
    int level = 0;
    std::string type;  // data | unified
    uint64_t bytes = 0;
    int shared_by_cpus = 1;
};

struct DeviceFacts {
    std::string kind;  // "cpu" now
    std::string name;
    uint64_t memory_bytes = 0;
};

struct MachineFacts {
    std::string cpu_model;
    std::string os;          // kernel release
    std::string hypervisor;  // "" on bare metal or unknown
    int cpus_online = 0;
    int cpus_allowed = 0;  // by affinity
    double cpu_quota = 0;  // cgroup cpu.max in CPUs, 0 = none
    int sockets = 1;
    int numa_nodes = 1;
    int threads_per_core = 1;
    uint64_t memory_bytes = 0;
    uint64_t memory_limit_bytes = 0;  // cgroup memory.max, 0 = none
    uint64_t memory_available_bytes = 0;
    std::vector<CacheFacts> caches;
    std::string isa;                     // highest level, isa_name()
    std::vector<std::string> isa_flags;  // cpu flags that matter to kernels
    bool perf_counters = false;          // hardware cycles readable through perf_event_open
    std::string huge_pages;  // transparent_hugepage setting: always | madvise | never | ""
    std::vector<DeviceFacts> devices;
};

// Load-only bandwidth for one working-set size and thread count.
struct BandwidthPoint {
    uint64_t bytes = 0;  // total working set over all threads
    int threads = 1;
    double gb_per_s = 0;  // 1e9 bytes, median
    double gb_per_s_best = 0;
};

struct PeakPoint {
    std::string operation;  // f32_fma | int8_dot | bf16_dot
    std::string isa;        // variant
    int threads = 1;
    double g_per_s = 0;  // 1e9 operations (FLOP, or 2 per MAC), median
};

struct OverheadPoint {
    std::string what;  // barrier | dispatch | clock_read | wake
    int threads = 1;
    double ns = 0;  // median
};

struct MachineProfile {
    MachineFacts facts;
    std::string fingerprint;
    std::string measured_at;  // UTC, ISO 8601; "" = ceilings not measured
    std::vector<BandwidthPoint> bandwidth;
    std::vector<PeakPoint> peaks;
    std::vector<OverheadPoint> overheads;

    bool has_ceilings() const { return !bandwidth.empty() && !peaks.empty(); }
    // Bandwidth roof for a working set of that size: the nearest measured plateau not smaller, for
    // that many threads; nullopt when that thread count was not measured.
    std::optional<double> bandwidth_gb_per_s(uint64_t working_set_bytes, int threads) const;
    // Best variant's peak of an operation among ISA levels up to `isa` ("" = any).
    std::optional<double> peak_g_per_s(const std::string& operation, int threads,
                                       const std::string& isa = "") const;
    std::optional<double> overhead_ns(const std::string& what, int threads) const;
};

// Stable over reboots: CPU model, flags, caches, CPUs online and allowed, CPU quota, kernel
// release, Hone's ceiling version. 16 hexadecimal digits.
std::string machine_fingerprint(const MachineFacts& facts);

base::Json to_json(const MachineProfile& profile);
base::Result<MachineProfile> profile_from_json(const base::Json& json);

}  // namespace hone::machine
