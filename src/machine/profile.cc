#include "machine/profile.h"

#include <algorithm>

#include "machine/isa.h"

namespace hone::machine {
namespace {

// Raised when the probes measure something else under the same name, so that old caches expire.
constexpr int kCeilingVersion = 2;

// FNV-1a, 64 bits (Fowler, Noll, Vo; offset basis and prime from the authors' page), then mixed by
// the finalizer of splitmix64, since FNV alone leaves the high bits of short strings similar.
uint64_t hash_text(const std::string& text) {
    uint64_t hash = 0xcbf29ce484222325ull;
    for (const char c : text) {
        hash ^= static_cast<unsigned char>(c);
        hash *= 0x100000001b3ull;
    }
    hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ull;
    hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebull;
    return hash ^ (hash >> 31);
}

// Levels above the asked one are not counted; a name that is no level never matches a limit.
bool isa_within(const std::string& variant, const std::string& limit) {
    if (limit.empty()) return true;
    const auto a = parse_isa(variant);
    const auto b = parse_isa(limit);
    return a && b && *a <= *b;
}

}  // namespace

double GemmPoint::intensity() const {
    const double in = activation == "int8" ? 1.375 : 4.0;  // codes, scales and sums of a block
    const double moved = static_cast<double>(weight_bytes) + m * (in * columns + 4.0 * rows);
    return 2.0 * rows * columns * m / moved;
}

std::optional<double> MachineProfile::bandwidth_gb_per_s(uint64_t working_set_bytes, int threads,
                                                         const std::string& operation) const {
    const BandwidthPoint* above = nullptr;
    const BandwidthPoint* largest = nullptr;
    for (const BandwidthPoint& point : bandwidth) {
        if (point.threads != threads || point.operation != operation) continue;
        if (largest == nullptr || point.bytes > largest->bytes) largest = &point;
        if (point.bytes < working_set_bytes) continue;
        if (above == nullptr || point.bytes < above->bytes) above = &point;
    }
    // Beyond the largest measured set lies the same memory.
    const BandwidthPoint* found = above != nullptr ? above : largest;
    if (found == nullptr) return std::nullopt;
    return found->gb_per_s;
}

std::optional<double> MachineProfile::peak_g_per_s(const std::string& operation, int threads,
                                                   const std::string& isa) const {
    std::optional<double> best;
    for (const PeakPoint& point : peaks) {
        if (point.operation != operation || point.threads != threads) continue;
        if (!isa_within(point.isa, isa)) continue;
        best = std::max(best.value_or(point.g_per_s), point.g_per_s);
    }
    return best;
}

std::optional<double> MachineProfile::overhead_ns(const std::string& what, int threads) const {
    for (const OverheadPoint& point : overheads) {
        if (point.what == what && point.threads == threads) return point.ns;
    }
    return std::nullopt;
}

std::vector<Plateau> memory_plateaus(const MachineFacts& facts, int threads,
                                     const std::vector<uint64_t>& sizes) {
    std::vector<CacheFacts> caches = facts.caches;
    std::stable_sort(caches.begin(), caches.end(),
                     [](const CacheFacts& a, const CacheFacts& b) { return a.level < b.level; });
    std::vector<Plateau> out;
    uint64_t held = 0;  // by the levels before
    const auto add = [&](const std::string& level, uint64_t from, uint64_t to) {
        uint64_t best = 0;
        for (const uint64_t size : sizes) {
            if (size > from && size <= to) best = std::max(best, size);
        }
        if (best > 0) out.push_back({level, best});
    };
    for (const CacheFacts& cache : caches) {
        const auto shared = static_cast<uint64_t>(std::max(1, cache.shared_by_cpus));
        const auto members = static_cast<uint64_t>(std::max(1, threads));
        const uint64_t capacity = cache.bytes * ((members + shared - 1) / shared);
        if (cache.type == "instruction" || capacity <= held) continue;
        add(fmt::format("L{}", cache.level), held, capacity / 2);
        held = capacity;
    }
    add("memory", held == 0 ? 0 : 2 * held - 1, UINT64_MAX);
    return out;
}

std::string machine_fingerprint(const MachineFacts& facts) {
    // Fields are ended by characters that none of them holds, so no two lists spell the same.
    std::string text =
        fmt::format("hone-machine\n{}\n{}\n{}\n{} {} {}\n{} {} {}\n", kCeilingVersion,
                    facts.cpu_model, facts.os, facts.cpus_online, facts.cpus_allowed,
                    facts.cpu_quota, facts.threads_per_core, facts.sockets, facts.isa);
    for (const std::string& flag : facts.isa_flags) text += flag + ' ';
    for (const CacheFacts& cache : facts.caches) {
        text += fmt::format("\n{} {} {} {}", cache.level, cache.type, cache.bytes,
                            cache.shared_by_cpus);
    }
    return fmt::format("{:016x}", hash_text(text));
}

}  // namespace hone::machine
