#include "machine/cgroup.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "machine/system_text.h"

namespace hone::machine {
namespace {

// Deeper group paths than this are cut; real ones have fewer than ten levels.
constexpr int kLevelsMax = 64;
// Version 1 writes "no limit" as the largest multiple of the page size in 63 bits.
constexpr uint64_t kNoMemoryLimit = 1ull << 62;

struct Mount {
    std::string root;   // which part of the hierarchy is mounted
    std::string point;  // where
};

bool contains_word(std::string_view list, std::string_view word) {
    const auto words = base::split(list, ',');
    return std::find(words.begin(), words.end(), word) != words.end();
}

// proc(5): 36 35 98:0 /root /mount/point options [fields...] - type source super_options.
// `controller` "" asks for version 2.
std::optional<Mount> find_mount(std::string_view mountinfo, std::string_view controller) {
    for (const std::string_view line : base::split(mountinfo, '\n')) {
        const size_t dash = line.find(" - ");
        if (dash == std::string_view::npos) continue;
        const auto before = base::split(line.substr(0, dash), ' ');
        const auto after = base::split(line.substr(dash + 3), ' ');
        if (before.size() < 5 || after.size() < 3) continue;
        const bool matches = controller.empty()
                                 ? after[0] == "cgroup2"
                                 : after[0] == "cgroup" && contains_word(after[2], controller);
        if (matches) return Mount{std::string(before[3]), std::string(before[4])};
    }
    return std::nullopt;
}

// cgroups(7): lines of id:controllers:path; version 2 is the line "0::path".
std::optional<std::string> find_path(std::string_view groups, std::string_view controller) {
    for (const std::string_view line : base::split(groups, '\n')) {
        const size_t first = line.find(':');
        const size_t second = line.find(':', first + 1);
        if (first == std::string_view::npos || second == std::string_view::npos) continue;
        const std::string_view controllers = line.substr(first + 1, second - first - 1);
        const bool matches = controller.empty()
                                 ? line.substr(0, first) == "0" && controllers.empty()
                                 : contains_word(controllers, controller);
        if (matches) return std::string(line.substr(second + 1));
    }
    return std::nullopt;
}

// The directories from the process's own group up to the mount point, leaf first.
std::vector<std::string> group_directories(const std::string& root, std::string_view controller) {
    const auto mountinfo = read_system_text(root + "/proc/self/mountinfo");
    const auto groups = read_system_text(root + "/proc/self/cgroup");
    if (!mountinfo || !groups) return {};
    const auto mount = find_mount(*mountinfo, controller);
    auto path = find_path(*groups, controller);
    if (!mount || !path) return {};
    // In a container the mounted part may begin at the group itself; a path that leads out of what
    // is mounted leaves only the mount point.
    if (mount->root != "/" && path->substr(0, mount->root.size()) == mount->root) {
        path = path->substr(mount->root.size());
    } else if (mount->root != "/" || path->find("..") != std::string::npos) {
        path = "";
    }
    std::vector<std::string> directories;
    const std::string top = root + mount->point;
    for (int level = 0; level < kLevelsMax; ++level) {
        while (!path->empty() && path->back() == '/') path->pop_back();
        directories.push_back(top + *path);
        if (path->empty()) break;
        path->resize(path->rfind('/') == std::string::npos ? 0 : path->rfind('/'));
    }
    return directories;
}

template <class T>
void keep_smaller(std::optional<T>& kept, std::optional<T> candidate) {
    if (candidate && (!kept || *candidate < *kept)) kept = candidate;
}

std::optional<double> quota_of(std::optional<uint64_t> quota, std::optional<uint64_t> period) {
    if (!quota || !period || *quota == 0 || *period == 0) return std::nullopt;
    return static_cast<double>(*quota) / static_cast<double>(*period);
}

// "200000 100000" or "max 100000".
std::optional<double> cpus_v2(const std::string& directory) {
    const auto text = read_system_text(directory + "/cpu.max");
    if (!text) return std::nullopt;
    const auto words = base::split(base::trim(*text), ' ');
    if (words.size() != 2) return std::nullopt;
    return quota_of(parse_count(words[0]), parse_count(words[1]));
}

std::optional<double> cpus_v1(const std::string& directory) {
    // No quota is -1, which is not a count.
    return quota_of(read_count(directory + "/cpu.cfs_quota_us"),
                    read_count(directory + "/cpu.cfs_period_us"));
}

struct MemoryFiles {
    const char* limit;
    const char* used;
    const char* inactive_key;  // in memory.stat: page cache that is given back under pressure
};
constexpr MemoryFiles kMemoryV2 = {"/memory.max", "/memory.current", "inactive_file"};
constexpr MemoryFiles kMemoryV1 = {"/memory.limit_in_bytes", "/memory.usage_in_bytes",
                                   "total_inactive_file"};

void add_memory(const std::string& directory, const MemoryFiles& files, CgroupLimits& limits) {
    const auto limit = read_count(directory + files.limit);
    if (!limit || *limit >= kNoMemoryLimit) return;
    keep_smaller(limits.memory_bytes, limit);
    const auto used = read_count(directory + files.used);
    if (!used) return;
    const auto stat = read_system_text(directory + "/memory.stat");
    const uint64_t cache = stat ? bytes_of(*stat, files.inactive_key).value_or(0) : 0;
    const uint64_t kept = *used - std::min(*used, cache);
    keep_smaller(limits.memory_unused, std::optional<uint64_t>(*limit - std::min(*limit, kept)));
}

}  // namespace

CgroupLimits read_cgroup_limits(const std::string& root) {
    CgroupLimits limits;
    for (const std::string& directory : group_directories(root, "")) {
        keep_smaller(limits.cpus, cpus_v2(directory));
        add_memory(directory, kMemoryV2, limits);
    }
    for (const std::string& directory : group_directories(root, "cpu")) {
        keep_smaller(limits.cpus, cpus_v1(directory));
    }
    for (const std::string& directory : group_directories(root, "memory")) {
        add_memory(directory, kMemoryV1, limits);
    }
    return limits;
}

std::optional<CgroupThrottling> read_cgroup_throttling(const std::string& root) {
    struct Keys {
        const char* controller;
        const char* throttled;
        double unit_ns;
    };
    for (const Keys& keys : {Keys{"", "throttled_usec", 1e3}, Keys{"cpu", "throttled_time", 1}}) {
        for (const std::string& directory : group_directories(root, keys.controller)) {
            const auto text = read_system_text(directory + "/cpu.stat");
            if (!text) continue;
            const auto periods = value_of(*text, "nr_throttled");
            const auto time = value_of(*text, keys.throttled);
            const auto count = periods ? parse_count(*periods) : std::nullopt;
            const auto units = time ? parse_count(*time) : std::nullopt;
            if (count && units) {
                return CgroupThrottling{*count, static_cast<double>(*units) * keys.unit_ns};
            }
        }
    }
    return std::nullopt;
}

}  // namespace hone::machine
