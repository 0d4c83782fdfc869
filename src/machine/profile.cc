#include "machine/profile.h"

#include <algorithm>

#include "machine/isa.h"

namespace hone::machine {
namespace {

// Raised when the probes measure something else under the same name, so that old caches expire.
constexpr int kCeilingVersion = 1;

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

std::optional<double> MachineProfile::bandwidth_gb_per_s(uint64_t working_set_bytes,
                                                         int threads) const {
    const BandwidthPoint* above = nullptr;
    const BandwidthPoint* largest = nullptr;
    for (const BandwidthPoint& point : bandwidth) {
        if (point.threads != threads) continue;
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
