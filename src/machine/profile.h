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

#include "base/json_fwd.h"
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

// Bandwidth of one way to use memory, for one working-set size and thread count. Bytes are those
// that move, as in the RRZE bandwidth benchmark: an ordinary store to a line that is not in the
// first cache also reads that line (write-allocate), so beyond it `write` moves 2 bytes per byte
// stored and `copy` 3 per byte copied; the streaming (non-temporal) forms move 1 and 2.
struct BandwidthPoint {
    uint64_t bytes = 0;  // total working set over all threads
    int threads = 1;
    double gb_per_s = 0;  // 1e9 bytes, median
    double gb_per_s_best = 0;
    std::string operation = "read";  // read | write | copy | write_streaming | copy_streaming
};

struct PeakPoint {
    std::string operation;  // f32_fma | int8_dot | bf16_dot
    std::string isa;        // variant
    int threads = 1;
    double g_per_s = 0;  // 1e9 operations (FLOP, or 2 per MAC), median
};

struct OverheadPoint {
    // barrier | dispatch | clock_read | wake | page_fault (4 KiB) | page_fault_huge (2 MiB)
    std::string what;
    int threads = 1;
    double ns = 0;  // median
};

// The real linear kernel of one packed weight format: what it reaches when the weights stream
// through the caches, as those of a model do.
struct GemmPoint {
    std::string format;      // u4 | u4m | u5 | u6 | s8 | f32 | f16 | bf16
    std::string activation;  // int8 | f32
    std::string isa;         // variant of the kernel
    uint32_t rows = 0;       // output features
    uint32_t columns = 0;    // input features
    uint32_t m = 1;          // activation rows
    int threads = 1;
    double ns = 0;              // of one product, median
    uint64_t weight_bytes = 0;  // packed, of one product

    // Operations per byte that has to move: weights once, activations in and out once.
    double intensity() const;
    double g_per_s() const { return 2.0 * rows * columns * m / ns; }
};

// Time of one dependent load in a working set of that size, from a random cycle through its lines.
struct LatencyPoint {
    uint64_t bytes = 0;
    int readers = 0;  // other threads that stream from memory meanwhile; 0 = idle machine
    double ns = 0;    // median
};

// Reading a file of that size from its start to its end, by one thread.
struct FilePoint {
    std::string how;    // read | mmap
    bool cold = false;  // the page cache was dropped first (of this system; a host has its own)
    uint64_t bytes = 0;
    double gb_per_s = 0;  // median
};

// Core frequency from a chain of dependent additions (one cycle each on every x86 core), sampled
// between the other measurements.
struct ClockRate {
    double ghz = 0;  // median
    double ghz_min = 0;
    double ghz_max = 0;
    double drift_share = 0;  // abs(last / first - 1)
};

// What was not measured, and why: `reason` is budget | memory | page_cache | no_directory |
// storage.
struct LeftOut {
    std::string what;
    std::string reason;
};

struct MachineProfile {
    MachineFacts facts;
    std::string fingerprint;
    std::string measured_at;  // UTC, ISO 8601; "" = ceilings not measured
    std::vector<BandwidthPoint> bandwidth;
    std::vector<PeakPoint> peaks;
    std::vector<OverheadPoint> overheads;
    std::vector<GemmPoint> gemms;
    std::vector<LatencyPoint> latencies;
    std::vector<FilePoint> files;
    std::optional<ClockRate> clock;
    std::vector<LeftOut> left_out;

    bool has_ceilings() const { return !bandwidth.empty() && !peaks.empty(); }
    // Bandwidth roof (loads only, unless another operation is asked for) for a working set of that
    // size: the nearest measured plateau not smaller, for that many threads; nullopt when that
    // thread count was not measured.
    std::optional<double> bandwidth_gb_per_s(uint64_t working_set_bytes, int threads,
                                             const std::string& operation = "read") const;
    // Best variant's peak of an operation among ISA levels up to `isa` ("" = any).
    std::optional<double> peak_g_per_s(const std::string& operation, int threads,
                                       const std::string& isa = "") const;
    std::optional<double> overhead_ns(const std::string& what, int threads) const;
};

// The working sets, out of `sizes`, that show each level of the memory hierarchy to a team: the
// largest within half of a cache (all threads' own ones together) that the level before cannot
// hold, and the largest of all when it is at least twice the last cache. Sorted from near to far;
// a level for which no size fits is absent.
struct Plateau {
    std::string level;  // L1 | L2 | L3 | ... | memory
    uint64_t bytes = 0;
};
std::vector<Plateau> memory_plateaus(const MachineFacts& facts, int threads,
                                     const std::vector<uint64_t>& sizes);

// Stable over reboots: CPU model, flags, caches, CPUs online and allowed, CPU quota, kernel
// release, Hone's ceiling version. 16 hexadecimal digits.
std::string machine_fingerprint(const MachineFacts& facts);

base::Json to_json(const MachineProfile& profile);
base::Result<MachineProfile> profile_from_json(const base::Json& json);

}  // namespace hone::machine
