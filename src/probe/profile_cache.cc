#include "probe/profile_cache.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/json.h"
#include "base/text.h"
#include "kernels/ceiling/ceiling.h"
#include "machine/thread_team.h"
#include "probe/interference.h"

namespace hone::probe {
namespace {

constexpr size_t kProfileBytesMax = size_t{1} << 20;
constexpr std::string_view kPrefix = "machine-";
constexpr const char* kExtension = ".json";

// A fingerprint becomes part of a file name, whatever it holds.
std::string file_name(const std::string& fingerprint) {
    std::string name(kPrefix);
    for (const char c : fingerprint) {
        name += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
    }
    return name + kExtension;
}

// A profile measured for a lower level, or by a build with fewer loops, lacks roofs that exist now.
bool covers(const machine::MachineProfile& profile, machine::Isa isa) {
    for (const kernels::CeilingVariant& variant : kernels::ceiling_variants()) {
        if (variant.isa > isa) continue;
        const auto measured = [&](const machine::PeakPoint& p) { return p.isa == variant.name; };
        if (std::none_of(profile.peaks.begin(), profile.peaks.end(), measured)) return false;
    }
    return true;
}

// Of the whole machine, on a set that is memory's own on most machines and soon touched.
constexpr uint64_t kLookBytesMax = uint64_t{64} << 20;

const machine::BandwidthPoint* point_to_look_at(const machine::MachineProfile& profile) {
    const machine::BandwidthPoint* found = nullptr;
    for (const machine::BandwidthPoint& point : profile.bandwidth) {
        if (point.operation != "read" || point.bytes > kLookBytesMax) continue;
        const auto size = [](const machine::BandwidthPoint& p) {
            return std::pair(p.threads, p.bytes);
        };
        if (found == nullptr || size(*found) < size(point)) found = &point;
    }
    return found;
}

// What cannot be looked at is believed.
bool is_too_low(const machine::MachineProfile& profile, machine::Isa isa, const base::Clock& clock,
                double faster_ratio_max) {
    const machine::BandwidthPoint* then = point_to_look_at(profile);
    if (then == nullptr) return false;
    machine::ThreadTeamOptions options;
    options.threads = then->threads;
    const auto team = machine::ThreadTeam::create(options);
    if (!team) return false;
    const auto now =
        reprobe_bandwidth(**team, isa, clock, {.bytes = then->bytes, .budget_s = 0.15});
    return now && now->gb_per_s > faster_ratio_max * then->gb_per_s;
}

}  // namespace

base::CacheDirectory profiles_directory(const std::string& path) {
    return {path, kExtension, 0, [](std::string_view name) { return name.starts_with(kPrefix); }};
}

std::optional<machine::MachineProfile> read_profile(const std::string& path) {
    const auto text = base::read_file(path, kProfileBytesMax);
    if (!text) return std::nullopt;
    const auto json = base::parse_json(*text, {kProfileBytesMax, 16});
    if (!json) return std::nullopt;
    auto profile = machine::profile_from_json(*json);
    if (!profile) return std::nullopt;
    return std::move(*profile);
}

std::string ProfileCache::path(const std::string& fingerprint) const {
    if (directory_.empty()) return "";
    return directory_ + "/" + file_name(fingerprint);
}

std::optional<machine::MachineProfile> ProfileCache::load(
    const machine::MachineFacts& facts) const {
    const std::string fingerprint = machine::machine_fingerprint(facts);
    const std::string file = path(fingerprint);
    if (file.empty()) return std::nullopt;
    auto profile = read_profile(file);
    if (!profile || profile->fingerprint != fingerprint || !profile->has_ceilings()) {
        return std::nullopt;
    }
    profile->facts = facts;
    base::mark_used(file);
    return profile;
}

std::string ProfileCache::make_directory() const {
    if (directory_.empty()) return "";
    std::error_code error;
    std::filesystem::create_directories(directory_, error);
    return error ? "" : directory_;
}

base::Status ProfileCache::save(const machine::MachineProfile& profile) const {
    if (directory_.empty()) return {};
    if (make_directory().empty()) {
        return base::fail(base::ErrorCode::unavailable, "{}: cannot be made", directory_);
    }
    return base::write_file(path(profile.fingerprint),
                            base::dump_json(machine::to_json(profile)) + "\n");
}

base::Result<CachedCeilings> ceilings_of_machine(const machine::MachineFacts& facts,
                                                 machine::Isa isa, const base::Clock& clock,
                                                 const ProfileCache& cache, bool refresh,
                                                 const CeilingOptions& options,
                                                 const Conduct& conduct) {
    CachedCeilings ceilings;
    if (!refresh) {
        auto cached = cache.load(facts);
        if (cached && covers(*cached, isa) &&
            !is_too_low(*cached, isa, clock, options.faster_ratio_max)) {
            ceilings.profile = std::move(*cached);
            ceilings.from_cache = true;
            return ceilings;
        }
    }
    const InterferenceWatch watch(clock);
    CeilingOptions here = options;
    if (here.scratch_directory.empty()) here.scratch_directory = cache.make_directory();
    HONE_TRY(ceilings.profile, measure_ceilings(facts, isa, clock, here, conduct));
    const double run_delay = watch.so_far().run_delay_share.value_or(0);
    if (run_delay > options.run_delay_share_max) {
        ceilings.cache_note = fmt::format(
            "the machine was busy: ceilings waited {:.0f} % of the time for a CPU and are not kept",
            run_delay * 100);
        return ceilings;
    }
    const base::Status saved = cache.save(ceilings.profile);
    if (!saved) ceilings.cache_note = saved.error().message;
    return ceilings;
}

}  // namespace hone::probe
