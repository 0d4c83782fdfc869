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
// Where another process is seen to run, less of a difference is enough.
constexpr double kForeignCpusMin = 0.5;
constexpr double kForeignRatioMax = 0.95;
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

// Bandwidth while it ran, over that of a quiet machine.
struct TrafficRatios {
    double middle = 1;
    double least = 1;  // the least that others took, by the interval of the readings
    double most = 1;   // against the best that this machine ever gave
};

std::optional<TrafficRatios> traffic_ratios(const RunRecord& record,
                                            const cost::BandwidthProbe& probe, double lost_share) {
    if (probe.gb_per_s.size() < kProbesMin) return std::nullopt;
    const auto ratio = probe.quiet_ratio();
    if (!ratio || *ratio <= 0) return std::nullopt;
    const double now = *measure::median(probe.gb_per_s);
    const auto interval = measure::percentile_interval(probe.gb_per_s, 0.5);
    double best = *probe.quiet_gb_per_s;
    for (const machine::BandwidthPoint& point : record.machine.bandwidth) {
        const bool same = point.threads == probe.threads && point.operation == "read" &&
                          point.gb_per_s == *probe.quiet_gb_per_s;
        if (same) best = std::max(best, point.gb_per_s_best);
    }
    // The readings waited for their CPUs as well: that part is counted already.
    const auto of = [&](double gb_per_s, double quiet) {
        return std::min(1.0, gb_per_s / quiet / (1 - lost_share));
    };
    TrafficRatios out;
    out.middle = of(now, *probe.quiet_gb_per_s);
    out.least = of(interval ? interval->high : now, *probe.quiet_gb_per_s);
    out.most = of(interval ? interval->low : now, best);
    return out;
}

bool others_ran(const RunRecord& record) {
    return record.interference.foreign_share.value_or(0) * record.machine.facts.cpus_online >=
           kForeignCpusMin;
}

// The bytes alone: each costs 1 / ratio of what it costs on a quiet machine.
double bytes_ns(const OperatorRow& row, double ratio) {
    if (!row.light.memory_ns) return 0;
    return std::min(*row.light.memory_ns * (1 / ratio - 1), row.wall_ns * (1 - ratio));
}

// A prefetcher that falls behind stalls the arithmetic too: all of the time, where memory is the
// nearer roof.
double most_ns(const OperatorRow& row, double ratio) {
    return row.light.memory_side() ? row.wall_ns * (1 - ratio) : bytes_ns(row, ratio);
}

double least_ns(const OperatorRow& row, double ratio) {
    return row.light.memory_side() ? bytes_ns(row, ratio) : 0;
}

template <class RowNs>
SliceShares shares_of(const Breakdown& breakdown, RowNs&& row_ns) {
    SliceShares traffic;
    SliceShares wall;
    for (const OperatorRow& row : breakdown.operators_by_slice) {
        const bool decode = row.slice == "decode";
        (decode ? traffic.decode : traffic.prefill) += row_ns(row);
        (decode ? wall.decode : wall.prefill) += row.wall_ns;
    }
    return {wall.prefill > 0 ? traffic.prefill / wall.prefill : 0,
            wall.decode > 0 ? traffic.decode / wall.decode : 0};
}

void add_traffic(const RunRecord& record, const Breakdown& breakdown, Disturbance& out) {
    const auto probe = cost::find_bandwidth_probe(record);
    if (!probe) return;
    const auto ratios = traffic_ratios(record, *probe, out.lost_share);
    const bool others = others_ran(record);
    if (!ratios || ratios->middle > (others ? kForeignRatioMax : kQuietRatioMax)) return;
    const SliceShares middle = shares_of(breakdown, [&](const OperatorRow& row) {
        return (least_ns(row, ratios->middle) + most_ns(row, ratios->middle)) / 2;
    });
    out.traffic_least =
        shares_of(breakdown, [&](const OperatorRow& row) { return least_ns(row, ratios->least); });
    out.traffic_most =
        shares_of(breakdown, [&](const OperatorRow& row) { return most_ns(row, ratios->most); });
    Waste& waste = out.traffic;
    waste.subject = "machine/memory_traffic";
    waste.bottleneck = Bottleneck::interference;
    waste.confidence = kConfidenceTraffic;
    waste.prefill_share = middle.prefill;
    waste.decode_share = middle.decode;
    waste.evidence.push_back(note("memory_traffic")
                                 .with("now_gb_per_s", *measure::median(probe->gb_per_s))
                                 .with("quiet_gb_per_s", *probe->quiet_gb_per_s)
                                 .with("n", probe->gb_per_s.size()));
    if (others) {
        waste.evidence.push_back(
            note("foreign_cpu").with("foreign_share", *record.interference.foreign_share));
    }
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
