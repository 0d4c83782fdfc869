#include "diagnose/disturbance.h"

#include <algorithm>
#include <cmath>

#include "cost/experiments.h"
#include "cost/observations.h"
#include "measure/statistics.h"

namespace hone::diagnose {
namespace {

using cost::note;
using measure::RunRecord;

// Lost time below these is ordinary noise of a quiet machine and stays with the operators.
constexpr double kStealMin = 0.01;
constexpr double kRunDelayMin = 0.05;
constexpr double kThrottledMin = 0.01;
constexpr double kFrequencyMin = 0.05;
constexpr double kDisturbedMax = 0.9;
// Ceilings of one quiet machine differ by this much from day to day.
constexpr double kQuietRatioMax = 0.85;
constexpr size_t kProbesMin = 3;
constexpr double kConfidenceTraffic = 0.85;

void add_lost_time(const RunRecord& record, Disturbance& out) {
    const double steal = record.interference.steal_share.value_or(0);
    const double delay = foreign_delay_share(record).value_or(0);
    if (steal > kStealMin) {
        out.lost_share += steal;
        out.evidence.push_back(note("steal").with("steal_share", steal));
    }
    double waited = 0;
    if (delay > kRunDelayMin) {
        waited = delay;
        out.evidence.push_back(note("run_delay").with("delay_share", delay));
    }
    const auto series = cost::find_interference(record);
    if (series && series->throttled_share.value_or(0) > kThrottledMin) {
        // A throttled thread also waits for its CPU: the larger of the two, not both.
        waited = std::max(waited, *series->throttled_share);
        out.evidence.push_back(
            note("throttled")
                .with("throttled_share", *series->throttled_share)
                .with("periods", static_cast<int64_t>(series->throttled_periods.value_or(0))));
    }
    out.lost_share += waited;
}

// The fixed loop runs slower on a stolen CPU too, so a clock counts only where nothing was stolen.
void add_frequency(const RunRecord& record, Disturbance& out) {
    const auto series = cost::find_interference(record);
    if (!series || out.lost_share > 0) return;
    const double drift = series->frequency_drift.value_or(0);
    if (drift < kFrequencyMin) return;
    // It changed at some time during the run: half of it on average.
    out.lost_share += drift / 2;
    out.evidence.push_back(note("frequency_drift").with("drift_share", drift));
}

// A byte costs 1 / ratio of what it costs on a quiet machine; the difference is what traffic took.
double traffic_ns(const OperatorRow& row, double ratio) {
    if (!row.light.memory_ns || !row.light.memory_side()) return 0;
    return std::min(*row.light.memory_ns * (1 / ratio - 1), row.wall_ns * (1 - ratio));
}

void add_traffic(const RunRecord& record, const Breakdown& breakdown, Disturbance& out) {
    const auto probe = cost::find_bandwidth_probe(record);
    if (!probe || probe->gb_per_s.size() < kProbesMin) return;
    if (!probe->quiet_ratio() || *probe->quiet_ratio() <= 0) return;
    // The readings waited for their CPUs as well: that part is counted already.
    const double ratio = std::min(1.0, *probe->quiet_ratio() / (1 - out.lost_share));
    if (ratio > kQuietRatioMax) return;
    double traffic[2] = {0, 0};
    double wall[2] = {0, 0};
    for (const OperatorRow& row : breakdown.operators_by_slice) {
        const size_t slice = row.slice == "decode" ? 1 : 0;
        traffic[slice] += traffic_ns(row, ratio);
        wall[slice] += row.wall_ns;
    }
    Waste& waste = out.traffic;
    waste.subject = "machine/memory_traffic";
    waste.bottleneck = Bottleneck::interference;
    waste.confidence = kConfidenceTraffic;
    waste.prefill_share = wall[0] > 0 ? traffic[0] / wall[0] : 0;
    waste.decode_share = wall[1] > 0 ? traffic[1] / wall[1] : 0;
    waste.evidence.push_back(note("memory_traffic")
                                 .with("now_gb_per_s", *measure::median(probe->gb_per_s))
                                 .with("quiet_gb_per_s", *probe->quiet_gb_per_s)
                                 .with("n", probe->gb_per_s.size()));
}

}  // namespace

std::optional<double> foreign_delay_share(const RunRecord& record) {
    if (!record.interference.run_delay_share) return std::nullopt;
    const int threads = std::max(1, record.context.threads);
    const int cpus = usable_cpus(record);
    // The delays of all threads are summed in the record.
    const double delay = *record.interference.run_delay_share / threads;
    const double own = cpus > 0 && threads > cpus ? 1 - static_cast<double>(cpus) / threads : 0;
    return std::max(0.0, delay - own);
}

Disturbance find_disturbance(const RunRecord& record, const Breakdown& breakdown) {
    Disturbance out;
    add_lost_time(record, out);
    add_frequency(record, out);
    out.lost_share = std::min(out.lost_share, kDisturbedMax);
    if (!out.evidence.empty() && record.interference.ceiling_drift) {
        out.evidence.push_back(
            note("drift").with("drift_share", *record.interference.ceiling_drift));
    }
    add_traffic(record, breakdown, out);
    return out;
}

}  // namespace hone::diagnose
