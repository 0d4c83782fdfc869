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
#include "probe/ceiling_points.h"
#include "probe/peak_resident.h"

namespace hone::probe {
namespace {

constexpr double kBudgetMaxS = 15;
// A busy machine stretches every sample. This long after the budget, points that are left stay
// absent.
constexpr double kGraceS = 4;
// Shares of the budget; the rest is for touching memory and for calibrating rounds.
constexpr double kWarmUpShare = 0.04;
constexpr double kBandwidthShare = 0.36;
constexpr double kPeakShare = 0.36;
constexpr double kOverheadShare = 0.06;

constexpr uint64_t kKiB = 1024;
constexpr uint64_t kMiB = 1024 * kKiB;
constexpr uint64_t kWorkingSets[] = {16 * kKiB, 128 * kKiB, 512 * kKiB, 2 * kMiB,  8 * kMiB,
                                     24 * kMiB, 64 * kMiB,  128 * kMiB, 256 * kMiB};
constexpr PeakLoop kPeakLoops[] = {PeakLoop::f32_fma, PeakLoop::int8_dot, PeakLoop::bf16_dot};

std::string utc_now() {
    const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    std::tm fields{};
    gmtime_r(&now, &fields);
    char text[32];
    const size_t length = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &fields);
    return {text, length};
}

// The work in units of points, for progress and for the share of the budget of each.
struct Schedule {
    std::vector<int> threads;
    std::vector<uint64_t> working_sets;
    std::vector<const kernels::CeilingVariant*> variants;
    double budget_s = 0;

    double rounds() const { return static_cast<double>(threads.size()); }
    double bandwidth_point_s() const {
        return budget_s * kBandwidthShare / (rounds() * static_cast<double>(working_sets.size()));
    }
    double peak_point_s() const {
        double loops = 0;
        for (const kernels::CeilingVariant* variant : variants) {
            loops += variant->bf16_dot != nullptr ? 3 : 2;
        }
        return budget_s * kPeakShare / (rounds() * std::max(loops, 1.0));
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
        const double points =
            static_cast<double>(schedule.working_sets.size() + schedule.variants.size() + 1);
        pieces_ = schedule.rounds() * points;
        deadline_ns_ = clock.now_ns() + static_cast<int64_t>((schedule.budget_s + kGraceS) * 1e9);
    }

    base::Status measure_with(int threads) {
        machine::ThreadTeamOptions options;
        options.threads = threads;
        HONE_TRY(auto team, machine::ThreadTeam::create(options));
        settle_clocks(*team, *schedule_.variants.front(),
                      schedule_.budget_s * kWarmUpShare / schedule_.rounds(), clock_);
        HONE_TRY_STATUS(measure_bandwidth(*team));
        HONE_TRY_STATUS(measure_peaks(*team));
        HONE_TRY_STATUS(next("barrier and dispatch"));
        if (late()) return {};
        for (machine::OverheadPoint& point :
             overhead_points(*team, schedule_.overhead_s(), clock_)) {
            profile_.overheads.push_back(std::move(point));
        }
        return {};
    }

  private:
    base::Status next(const char* what) {
        conduct_.report(what, pieces_done_ / pieces_);
        pieces_done_ += 1;
        return conduct_.check();
    }
    bool late() const { return clock_.now_ns() > deadline_ns_; }

    base::Status measure_bandwidth(machine::ThreadTeam& team) {
        if (schedule_.working_sets.empty()) return {};
        const uint64_t largest =
            *std::max_element(schedule_.working_sets.begin(), schedule_.working_sets.end());
        HONE_TRY(const ReadArena arena, ReadArena::create(team, largest));
        for (const uint64_t bytes : schedule_.working_sets) {
            HONE_TRY_STATUS(next("read bandwidth"));
            if (late()) continue;
            const auto point = bandwidth_point(team, *schedule_.variants.front(), arena, bytes,
                                               schedule_.bandwidth_point_s(), clock_);
            if (point) profile_.bandwidth.push_back(*point);
        }
        return {};
    }

    base::Status measure_peaks(machine::ThreadTeam& team) {
        for (const kernels::CeilingVariant* variant : schedule_.variants) {
            HONE_TRY_STATUS(next("arithmetic peaks"));
            if (late()) continue;
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
    double pieces_ = 1;
    double pieces_done_ = 0;
    int64_t deadline_ns_ = 0;
};

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
    schedule.threads = options.threads.empty() ? default_thread_counts(facts) : options.threads;
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

    machine::MachineProfile profile;
    profile.facts = facts;
    profile.fingerprint = machine::machine_fingerprint(facts);
    if (auto point = clock_read_point(clock)) profile.overheads.push_back(*point);
    Measurement measurement(schedule, clock, conduct, profile);
    // All threads first: if the machine is too busy for everything, these are the roofs that count.
    std::vector<int> order = schedule.threads;
    std::sort(order.begin(), order.end(), std::greater<>());
    for (const int threads : order) HONE_TRY_STATUS(measurement.measure_with(threads));
    const auto fewer_threads = [](const auto& a, const auto& b) { return a.threads < b.threads; };
    std::stable_sort(profile.bandwidth.begin(), profile.bandwidth.end(), fewer_threads);
    std::stable_sort(profile.peaks.begin(), profile.peaks.end(), fewer_threads);
    std::stable_sort(profile.overheads.begin(), profile.overheads.end(), fewer_threads);
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
