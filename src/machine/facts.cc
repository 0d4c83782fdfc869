#include "machine/facts.h"

#include <cpuid.h>
#include <dirent.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <string_view>

#include "base/text.h"
#include "machine/cgroup.h"
#include "machine/isa.h"
#include "machine/system_text.h"

namespace hone::machine {
namespace {

// The flags that some kernel, here or planned, asks for.
constexpr std::array<std::string_view, 24> kKernelFlags = {
    "sse4_2",        "avx",         "avx2",        "fma",        "f16c",       "bmi2",
    "avx_vnni",      "avx512f",     "avx512bw",    "avx512dq",   "avx512vl",   "avx512cd",
    "avx512_vnni",   "avx512_bf16", "avx512_fp16", "avx512vbmi", "avx512ifma", "avx512_vbmi2",
    "avx512_bitalg", "gfni",        "vaes",        "amx_tile",   "amx_int8",   "amx_bf16"};

constexpr int kCacheIndexesMax = 16;
constexpr int kThreadsReadMax = 4096;

int count_lines_with(std::string_view text, std::string_view key) {
    int count = 0;
    for (const std::string_view line : base::split(text, '\n')) {
        if (value_of(line, key)) ++count;
    }
    return count;
}

void read_cpuinfo(const std::string& text, MachineFacts& facts) {
    facts.cpu_model = std::string(value_of(text, "model name").value_or(""));
    facts.cpus_online = count_lines_with(text, "processor");
    const auto flags = base::split(value_of(text, "flags").value_or(""), ' ');
    const std::set<std::string_view> present(flags.begin(), flags.end());
    for (const std::string_view flag : kKernelFlags) {
        if (present.count(flag) != 0) facts.isa_flags.emplace_back(flag);
    }
    if (present.count("hypervisor") != 0) facts.hypervisor = "unnamed";
    std::set<std::string_view> packages;
    for (const std::string_view line : base::split(text, '\n')) {
        if (const auto id = value_of(line, "physical id")) packages.insert(*id);
    }
    facts.sockets = std::max<int>(1, static_cast<int>(packages.size()));
}

// Hypervisors sign leaf 0x40000000 with twelve characters, e.g. "KVMKVMKVM".
std::string hypervisor_signature() {
    uint32_t a = 0;
    std::array<uint32_t, 3> words{};
    __cpuid(0x40000000, a, words[0], words[1], words[2]);
    std::array<char, 13> name{};
    std::memcpy(name.data(), words.data(), sizeof(words));
    return base::printable(base::trim(name.data()));
}

void read_hypervisor(const std::string& root, MachineFacts& facts) {
    if (const auto type = read_system_text(root + "/sys/hypervisor/type")) {
        if (!type->empty()) facts.hypervisor = base::printable(*type);
    }
    if (facts.hypervisor != "unnamed") return;
    std::string name;
    if (root.empty()) name = hypervisor_signature();
    if (name.empty()) {
        name =
            base::printable(read_system_text(root + "/sys/class/dmi/id/product_name").value_or(""));
    }
    if (!name.empty()) facts.hypervisor = name;
}

void read_topology(const std::string& root, MachineFacts& facts) {
    const std::string cpus = root + "/sys/devices/system/cpu";
    int first = 0;
    if (const auto online = read_system_text(cpus + "/online")) {
        if (const int count = count_cpu_list(*online); count > 0) facts.cpus_online = count;
        first = first_of_cpu_list(*online).value_or(0);
    }
    const std::string cpu = cpus + "/cpu" + std::to_string(first);
    const auto siblings = read_system_text(cpu + "/topology/thread_siblings_list");
    facts.threads_per_core = std::max(1, count_cpu_list(siblings.value_or("")));
    const auto nodes = read_system_text(root + "/sys/devices/system/node/online");
    facts.numa_nodes = std::max(1, count_cpu_list(nodes.value_or("")));
    for (int i = 0; i < kCacheIndexesMax; ++i) {
        const std::string cache = cpu + "/cache/index" + std::to_string(i);
        const auto level = read_count(cache + "/level");
        const auto type = read_system_text(cache + "/type");
        const auto size = parse_size(read_system_text(cache + "/size").value_or(""));
        if (!level || *level > 9 || !type || !size || *type == "Instruction") continue;
        const int sharing =
            count_cpu_list(read_system_text(cache + "/shared_cpu_list").value_or(""));
        facts.caches.push_back({static_cast<int>(*level), *type == "Data" ? "data" : "unified",
                                *size, std::max(1, sharing)});
    }
    std::stable_sort(facts.caches.begin(), facts.caches.end(),
                     [](const CacheFacts& a, const CacheFacts& b) { return a.level < b.level; });
}

void read_memory(const std::string& root, MachineFacts& facts) {
    const auto meminfo = read_system_text(root + "/proc/meminfo").value_or("");
    facts.memory_bytes = bytes_of(meminfo, "MemTotal").value_or(0);
    facts.memory_available_bytes = bytes_of(meminfo, "MemAvailable").value_or(0);
    const CgroupLimits limits = read_cgroup_limits(root);
    facts.cpu_quota = limits.cpus.value_or(0);
    if (limits.memory_bytes &&
        (facts.memory_bytes == 0 || *limits.memory_bytes < facts.memory_bytes)) {
        facts.memory_limit_bytes = *limits.memory_bytes;
    }
    if (limits.memory_unused && (facts.memory_available_bytes == 0 ||
                                 *limits.memory_unused < facts.memory_available_bytes)) {
        facts.memory_available_bytes = *limits.memory_unused;
    }
}

// The setting is the word in brackets: "always [madvise] never".
std::string bracketed(std::string_view text) {
    const size_t open = text.find('[');
    const size_t close = text.find(']', open == std::string_view::npos ? 0 : open);
    if (open == std::string_view::npos || close == std::string_view::npos) return "";
    return std::string(text.substr(open + 1, close - open - 1));
}

// Opening is not enough: in many virtual machines the counter opens and stays at zero.
bool cycles_are_counted() {
    perf_event_attr attributes{};
    attributes.size = sizeof(attributes);
    attributes.type = PERF_TYPE_HARDWARE;
    attributes.config = PERF_COUNT_HW_CPU_CYCLES;
    attributes.exclude_kernel = 1;
    attributes.exclude_hv = 1;
    const int fd = static_cast<int>(
        syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
    if (fd < 0) return false;
    volatile int work = 0;
    for (int i = 0; i < 1000; ++i) work = work + i;
    uint64_t cycles = 0;
    const bool read_whole = read(fd, &cycles, sizeof(cycles)) == sizeof(cycles);
    close(fd);
    return read_whole && cycles > 0;
}

// Sum over threads of the second number of schedstat: nanoseconds spent waiting for a CPU. The
// process-level file covers only the first thread.
std::optional<double> read_run_delay_ns(const std::string& root) {
    const std::string tasks = root + "/proc/self/task";
    DIR* directory = opendir(tasks.c_str());
    if (directory == nullptr) return std::nullopt;
    std::optional<double> sum;
    int left = kThreadsReadMax;
    for (const dirent* entry = readdir(directory); entry != nullptr && left > 0;
         entry = readdir(directory), --left) {
        if (!parse_count(entry->d_name)) continue;
        const auto text = read_system_text(tasks + "/" + entry->d_name + "/schedstat");
        if (!text) continue;
        const auto words = base::split(*text, ' ');
        const auto delay = words.size() >= 2 ? parse_count(words[1]) : std::nullopt;
        if (delay) sum = sum.value_or(0) + static_cast<double>(*delay);
    }
    closedir(directory);
    return sum;
}

// proc(5): cpu user nice system idle iowait irq softirq steal guest guest_nice. Guest time is part
// of user time, so the total is the first eight.
void read_cpu_ticks(const std::string& root, DisturbanceCounters& counters) {
    const auto text = read_system_text(root + "/proc/stat");
    const auto line = text ? value_of(*text, "cpu") : std::nullopt;
    if (!line) return;
    const auto words = base::split(*line, ' ');
    if (words.size() < 8) return;
    constexpr size_t kIdle = 3;
    constexpr size_t kIoWait = 4;
    constexpr size_t kSteal = 7;
    double ticks[8];
    double total = 0;
    for (size_t i = 0; i < std::size(ticks); ++i) {
        const auto count = parse_count(words[i]);
        if (!count) return;
        ticks[i] = static_cast<double>(*count);
        total += ticks[i];
    }
    counters.steal_ticks = ticks[kSteal];
    counters.total_ticks = total;
    counters.busy_ticks = total - ticks[kIdle] - ticks[kIoWait] - ticks[kSteal];
    counters.has_steal = true;
}

// proc(5), /proc/self/stat: minor faults are field 10, major ones field 12, ticks in user and in
// kernel mode 14 and 15. The second field is a name in parentheses that may hold spaces, so
// counting starts after the last ')'.
void read_own_counts(const std::string& root, DisturbanceCounters& counters) {
    const auto text = read_system_text(root + "/proc/self/stat");
    const size_t end = text ? text->rfind(')') : std::string::npos;
    if (end == std::string::npos) return;
    const auto words = base::split(base::trim(std::string_view(*text).substr(end + 1)), ' ');
    if (words.size() < 10) return;
    counters.minor_faults = parse_count(words[7]).value_or(0);
    counters.major_faults = parse_count(words[9]).value_or(0);
    const auto user = words.size() > 12 ? parse_count(words[11]) : std::nullopt;
    const auto kernel = words.size() > 12 ? parse_count(words[12]) : std::nullopt;
    if (user && kernel) counters.own_ticks = static_cast<double>(*user + *kernel);
}

}  // namespace

MachineFacts read_machine_facts(const std::string& root) {
    MachineFacts facts;
    read_cpuinfo(read_system_text(root + "/proc/cpuinfo").value_or(""), facts);
    read_hypervisor(root, facts);
    read_topology(root, facts);
    read_memory(root, facts);
    facts.os = read_system_text(root + "/proc/sys/kernel/osrelease").value_or("");
    const auto status = read_system_text(root + "/proc/self/status").value_or("");
    facts.cpus_allowed = count_cpu_list(value_of(status, "Cpus_allowed_list").value_or(""));
    if (facts.cpus_allowed == 0) facts.cpus_allowed = facts.cpus_online;
    facts.huge_pages = bracketed(
        read_system_text(root + "/sys/kernel/mm/transparent_hugepage/enabled").value_or(""));
    facts.isa = isa_name(detect_isa());
    if (root.empty()) facts.perf_counters = cycles_are_counted();
    facts.devices.push_back({"cpu", facts.cpu_model, facts.memory_bytes});
    return facts;
}

uint64_t memory_budget_bytes(const MachineFacts& facts) {
    uint64_t budget = facts.memory_available_bytes;
    if (budget == 0) budget = facts.memory_bytes;
    if (facts.memory_limit_bytes != 0 && (budget == 0 || facts.memory_limit_bytes < budget)) {
        budget = facts.memory_limit_bytes;
    }
    return budget;
}

DisturbanceCounters read_disturbance(const std::string& root) {
    DisturbanceCounters counters;
    read_cpu_ticks(root, counters);
    read_own_counts(root, counters);
    if (const auto delay = read_run_delay_ns(root)) {
        counters.run_delay_ns = *delay;
        counters.has_run_delay = true;
    }
    if (const auto throttling = read_cgroup_throttling(root)) {
        counters.throttled_periods = throttling->periods;
        counters.throttled_ns = throttling->throttled_ns;
        counters.has_throttling = true;
    }
    const auto io = read_system_text(root + "/proc/self/io");
    const auto read_bytes = io ? value_of(*io, "read_bytes") : std::nullopt;
    if (read_bytes) counters.storage_bytes = parse_count(*read_bytes);
    return counters;
}

ResidentBytes read_resident_bytes() {
    const auto status = read_system_text("/proc/self/status").value_or("");
    ResidentBytes resident;
    resident.now = bytes_of(status, "VmRSS").value_or(0);
    resident.peak = std::max(resident.now, bytes_of(status, "VmHWM").value_or(0));
    return resident;
}

}  // namespace hone::machine
