#include "probe/ceilings.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <functional>
#include <memory>
#include <string>

#include "kernels/ceiling/ceiling.h"
#include "machine/facts.h"
#include "probe/ceiling_files.h"
#include "probe/ceiling_gemm.h"
#include "probe/ceiling_memory.h"
#include "probe/ceiling_points.h"
#include "probe/peak_resident.h"

namespace hone::probe {
namespace {

constexpr double kBudgetMaxS = 15;
// Shares of the budget; the rest is for touching memory and for calibrating rounds.
constexpr double kWarmUpShare = 0.03;
constexpr double kReadShare = 0.18;
constexpr double kStoreShare = 0.10;
constexpr double kLatencyShare = 0.05;
constexpr double kPeakShare = 0.18;
constexpr double kOverheadShare = 0.05;
constexpr double kGemmShare = 0.24;
constexpr double kFileShare = 0.08;

constexpr uint64_t kKiB = 1024;
constexpr uint64_t kMiB = 1024 * kKiB;
constexpr uint64_t kWorkingSets[] = {16 * kKiB, 128 * kKiB, 512 * kKiB, 2 * kMiB,  8 * kMiB,
                                     24 * kMiB, 64 * kMiB,  128 * kMiB, 256 * kMiB};
constexpr uint64_t kLatencySets[] = {16 * kKiB, 256 * kKiB, 4 * kMiB, 16 * kMiB, 96 * kMiB};
// Streams past the last cache of most machines, as a model's weights do.
constexpr uint64_t kGemmWeightBytes = 96 * kMiB;
constexpr StoreLoop kStoreLoops[] = {StoreLoop::write, StoreLoop::copy, StoreLoop::write_streaming,
                                     StoreLoop::copy_streaming};
constexpr PeakLoop kPeakLoops[] = {PeakLoop::f32_fma, PeakLoop::int8_dot, PeakLoop::bf16_dot};

std::string utc_now() {
    const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    std::tm fields{};
    gmtime_r(&now, &fields);
    char text[32];
    const size_t length = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &fields);
    return {text, length};
}

// What is to be measured, and the share of the budget of each point.
struct Schedule {
    const machine::MachineFacts* facts = nullptr;
    std::vector<int> threads;  // all of them first
    std::vector<uint64_t> working_sets;
    std::vector<const kernels::CeilingVariant*> variants;
    std::vector<const kernels::LinearVariant*> products;
    CeilingOptions options;
    double budget_s = 0;

    bool is_all(int team) const { return team == threads.front(); }
    // Stores, products and latency show little at the counts between one thread and all.
    bool is_end(int team) const { return is_all(team) || team == threads.back(); }
    double rounds() const { return static_cast<double>(threads.size()); }
    double ends() const { return threads.size() > 1 ? 2 : 1; }
    double read_point_s() const {
        return budget_s * kReadShare / (rounds() * static_cast<double>(working_sets.size()));
    }
    double store_point_s(size_t plateaus) const {
        const double points = static_cast<double>(plateaus * std::size(kStoreLoops));
        return budget_s * kStoreShare / (ends() * std::max(1.0, points));
    }
    double latency_point_s() const {
        return budget_s * kLatencyShare / (2.0 * static_cast<double>(std::size(kLatencySets)));
    }
    double peak_point_s() const {
        double loops = 0;
        for (const kernels::CeilingVariant* variant : variants) {
            loops += variant->bf16_dot != nullptr ? 3 : 2;
        }
        return budget_s * kPeakShare / (rounds() * std::max(loops, 1.0));
    }
    double gemm_point_s() const {
        const double points =
            ends() * static_cast<double>(products.size() * options.gemm_batches.size());
        return budget_s * kGemmShare / std::max(1.0, points);
    }
    double overhead_s() const { return budget_s * kOverheadShare / rounds(); }
};

// Clocks rise with load and fall with wide vectors: the first point must not meet a sleeping core.
void settle_clocks(machine::ThreadTeam& team, const kernels::CeilingVariant& variant,
                   double budget_s, const base::Clock& clock) {
    (void)peak_point(team, variant, PeakLoop::f32_fma, budget_s, clock);
}

class Measurement {
  public:
    Measurement(const Schedule& schedule, const base::Clock& clock, const Conduct& conduct,
                machine::MachineProfile& profile)
        : schedule_(schedule), clock_(clock), conduct_(conduct), profile_(profile) {
        // Sections reported: reads by size, then the rest of a round, then what needs one thread.
        pieces_ = schedule.rounds() *
                  static_cast<double>(schedule.working_sets.size() + schedule.variants.size() + 1);
        if (schedule.options.whole) {
            pieces_ += schedule.ends() * static_cast<double>(2 + schedule.products.size()) + 2;
        }
        deadline_ns_ = clock.now_ns() +
                       static_cast<int64_t>((schedule.budget_s + schedule.options.grace_s) * 1e9);
    }

    // The roofs of one team.
    base::Status measure_roofs(machine::ThreadTeam& team) {
        settle_clocks(team, *schedule_.variants.front(),
                      schedule_.budget_s * kWarmUpShare / schedule_.rounds(), clock_);
        sample_clock();
        HONE_TRY_STATUS(measure_memory(team));
        sample_clock();
        HONE_TRY_STATUS(measure_peaks(team));
        HONE_TRY_STATUS(next("barrier and dispatch"));
        if (late("overheads")) return {};
        for (machine::OverheadPoint& point :
             overhead_points(team, schedule_.overhead_s(), clock_)) {
            profile_.overheads.push_back(std::move(point));
        }
        sample_clock();
        return {};
    }

    base::Status measure_products(machine::ThreadTeam& team) {
        if (!schedule_.is_end(team.threads()) || schedule_.options.gemm_batches.empty()) return {};
        const uint64_t memory = machine::memory_budget_bytes(*schedule_.facts);
        const uint64_t bytes =
            memory > 0 ? std::min(kGemmWeightBytes, memory / 4) : kGemmWeightBytes;
        auto arena = GemmArena::create(team, bytes);
        if (!arena) {
            leave_out("products", "memory");
            return {};
        }
        for (const kernels::LinearVariant* variant : schedule_.products) {
            HONE_TRY_STATUS(next("linear kernels"));
            for (const uint32_t m : schedule_.options.gemm_batches) {
                if (late("products")) break;
                auto point = arena->measure(team, *variant, m, schedule_.gemm_point_s(), clock_);
                if (point) profile_.gemms.push_back(std::move(*point));
            }
        }
        sample_clock();
        return {};
    }

    // What a single thread does: page faults and files.
    base::Status measure_system() {
        HONE_TRY_STATUS(next("page faults"));
        if (!late("page_fault")) {
            for (machine::OverheadPoint& point : page_fault_points(clock_)) {
                profile_.overheads.push_back(std::move(point));
            }
        }
        HONE_TRY_STATUS(next("files"));
        if (late("files")) return {};
        const FileOptions files{schedule_.options.scratch_directory, schedule_.options.file_bytes,
                                schedule_.budget_s * kFileShare};
        measure_files(files, *schedule_.variants.front(), clock_, profile_);
        sample_clock();
        return {};
    }

    const std::vector<double>& clock_samples() const { return ghz_; }

  private:
    base::Status next(const char* what) {
        conduct_.report(what, std::min(1.0, pieces_done_ / pieces_));
        pieces_done_ += 1;
        return conduct_.check();
    }
    bool late(const char* what) {
        if (clock_.now_ns() <= deadline_ns_) return false;
        leave_out(what, "budget");
        return true;
    }
    void leave_out(const char* what, const char* reason) {
        for (const machine::LeftOut& item : profile_.left_out) {
            if (item.what == what && item.reason == reason) return;
        }
        profile_.left_out.push_back({what, reason});
    }
    void sample_clock() {
        if (const auto ghz = core_ghz(clock_)) ghz_.push_back(*ghz);
    }

    base::Status measure_memory(machine::ThreadTeam& team) {
        if (schedule_.working_sets.empty()) return {};
        const uint64_t largest =
            *std::max_element(schedule_.working_sets.begin(), schedule_.working_sets.end());
        HONE_TRY(ReadArena arena, ReadArena::create(team, largest));
        for (const uint64_t bytes : schedule_.working_sets) {
            HONE_TRY_STATUS(next("read bandwidth"));
            if (late("read")) continue;
            const auto point = bandwidth_point(team, *schedule_.variants.front(), arena, bytes,
                                               schedule_.read_point_s(), clock_);
            if (point) profile_.bandwidth.push_back(*point);
        }
        if (!schedule_.options.whole || !schedule_.is_end(team.threads())) return {};
        HONE_TRY_STATUS(next("write and copy bandwidth"));
        measure_stores(team, arena);
        HONE_TRY_STATUS(next("latency"));
        return measure_latency(team, arena);
    }

    void measure_stores(machine::ThreadTeam& team, ReadArena& arena) {
        const auto plateaus =
            machine::memory_plateaus(*schedule_.facts, team.threads(), schedule_.working_sets);
        uint64_t first_cache_bytes = 0;
        for (const machine::CacheFacts& cache : schedule_.facts->caches) {
            if (cache.level == 1 && cache.type != "instruction") first_cache_bytes = cache.bytes;
        }
        for (const machine::Plateau& plateau : plateaus) {
            for (const StoreLoop loop : kStoreLoops) {
                if (late("write_and_copy")) return;
                auto point = store_point(team, *schedule_.variants.front(), arena, loop,
                                         plateau.bytes, first_cache_bytes,
                                         schedule_.store_point_s(plateaus.size()), clock_);
                if (point) profile_.bandwidth.push_back(std::move(*point));
            }
        }
    }

    // Alone by the smallest team, under the load of all others by the largest.
    base::Status measure_latency(machine::ThreadTeam& team, const ReadArena& arena) {
        const bool loaded = team.threads() > 1;
        if (!loaded && team.threads() != schedule_.threads.back()) return {};
        const uint64_t memory = machine::memory_budget_bytes(*schedule_.facts);
        for (const uint64_t bytes : kLatencySets) {
            if (late("latency")) return {};
            if (memory > 0 && bytes > memory / 4) continue;
            HONE_TRY(const LineCycle cycle, LineCycle::create(bytes));
            const auto point =
                latency_point(team, *schedule_.variants.front(), cycle, loaded ? &arena : nullptr,
                              schedule_.latency_point_s(), clock_);
            if (point) profile_.latencies.push_back(*point);
            HONE_TRY_STATUS(conduct_.check());
        }
        return {};
    }

    base::Status measure_peaks(machine::ThreadTeam& team) {
        for (const kernels::CeilingVariant* variant : schedule_.variants) {
            HONE_TRY_STATUS(next("arithmetic peaks"));
            if (late("peaks")) continue;
            for (const PeakLoop loop : kPeakLoops) {
                auto point = peak_point(team, *variant, loop, schedule_.peak_point_s(), clock_);
                if (point) profile_.peaks.push_back(std::move(*point));
            }
        }
        return {};
    }

    const Schedule& schedule_;
    const base::Clock& clock_;
    const Conduct& conduct_;
    machine::MachineProfile& profile_;
    std::vector<double> ghz_;
    double pieces_ = 1;
    double pieces_done_ = 0;
    int64_t deadline_ns_ = 0;
};

// Roofs of every team before the rest of any: on a busy machine these are what counts.
base::Status measure_all(const Schedule& schedule, Measurement& measurement) {
    std::vector<std::unique_ptr<machine::ThreadTeam>> teams;
    for (const int threads : schedule.threads) {
        HONE_TRY(auto team, machine::ThreadTeam::create({.threads = threads}));
        HONE_TRY_STATUS(measurement.measure_roofs(*team));
        teams.push_back(std::move(team));
    }
    if (!schedule.options.whole) return {};
    for (const auto& team : teams) HONE_TRY_STATUS(measurement.measure_products(*team));
    return measurement.measure_system();
}

// By threads, whatever the order of measuring was.
void sort_points(machine::MachineProfile& profile) {
    const auto fewer_threads = [](const auto& a, const auto& b) { return a.threads < b.threads; };
    std::stable_sort(profile.bandwidth.begin(), profile.bandwidth.end(), fewer_threads);
    std::stable_sort(profile.peaks.begin(), profile.peaks.end(), fewer_threads);
    std::stable_sort(profile.overheads.begin(), profile.overheads.end(), fewer_threads);
    std::stable_sort(profile.gemms.begin(), profile.gemms.end(), fewer_threads);
    std::stable_sort(profile.latencies.begin(), profile.latencies.end(),
                     [](const auto& a, const auto& b) { return a.readers < b.readers; });
}

std::vector<uint64_t> affordable_sets(const machine::MachineFacts& facts,
                                      const std::vector<uint64_t>& wanted) {
    std::vector<uint64_t> sets = wanted;
    if (sets.empty()) sets.assign(std::begin(kWorkingSets), std::end(kWorkingSets));
    const uint64_t memory = machine::memory_budget_bytes(facts);
    // 0: nobody said how much there is.
    if (memory > 0) std::erase_if(sets, [&](uint64_t bytes) { return bytes > memory / 2; });
    std::erase(sets, 0);
    return sets;
}

}  // namespace

std::vector<int> default_thread_counts(const machine::MachineFacts& facts) {
    int all = std::max(facts.cpus_allowed, 1);
    if (facts.cpu_quota > 0) all = std::min(all, static_cast<int>(std::ceil(facts.cpu_quota)));
    all = std::clamp(all, 1, machine::ThreadTeam::kThreadsMax);
    std::vector<int> counts;
    for (int threads = 1; threads < all; threads *= 2) counts.push_back(threads);
    counts.push_back(all);
    return counts;
}

base::Result<machine::MachineProfile> measure_ceilings(const machine::MachineFacts& facts,
                                                       machine::Isa isa, const base::Clock& clock,
                                                       const CeilingOptions& options,
                                                       const Conduct& conduct) {
    Schedule schedule;
    schedule.facts = &facts;
    schedule.options = options;
    schedule.threads = options.threads.empty() ? default_thread_counts(facts) : options.threads;
    std::sort(schedule.threads.begin(), schedule.threads.end(), std::greater<>());
    schedule.working_sets = affordable_sets(facts, options.working_sets);
    schedule.budget_s = std::clamp(options.budget_s, 0.0, kBudgetMaxS);
    for (const kernels::CeilingVariant& variant : kernels::ceiling_variants()) {
        if (variant.isa <= isa) schedule.variants.push_back(&variant);
    }
    // The best level first: it is the one that reads.
    std::sort(schedule.variants.begin(), schedule.variants.end(),
              [](const auto* a, const auto* b) { return a->isa > b->isa; });
    if (schedule.variants.empty()) {
        return base::fail(base::ErrorCode::unsupported, "no ceiling loops for {}",
                          machine::isa_name(isa));
    }
    schedule.products = gemm_variants(isa);

    machine::MachineProfile profile;
    profile.facts = facts;
    profile.fingerprint = machine::machine_fingerprint(facts);
    if (auto point = clock_read_point(clock)) profile.overheads.push_back(*point);
    Measurement measurement(schedule, clock, conduct, profile);
    HONE_TRY_STATUS(measure_all(schedule, measurement));
    sort_points(profile);
    profile.clock = clock_rate(measurement.clock_samples());
    profile.measured_at = utc_now();
    // The arenas are gone; a model opened later shall not be charged for them.
    forget_peak_resident();
    conduct.report("ceilings", 1.0);
    return profile;
}

base::Result<machine::BandwidthPoint> reprobe_bandwidth(machine::ThreadTeam& team, machine::Isa isa,
                                                        const base::Clock& clock,
                                                        const ReprobeOptions& options) {
    HONE_TRY(const kernels::CeilingVariant* variant, kernels::select_ceiling(isa));
    HONE_TRY(const ReadArena arena, ReadArena::create(team, options.bytes));
    const double budget_s = std::clamp(options.budget_s, 0.0, 1.0);
    const auto point = bandwidth_point(team, *variant, arena, options.bytes, budget_s, clock);
    if (!point) return base::fail(base::ErrorCode::unavailable, "the clock does not move");
    return *point;
}

}  // namespace hone::probe
