#include "diagnose/grade.h"

#include <algorithm>

#include "cost/observations.h"
#include "diagnose/disturbance.h"
#include "diagnose/scenario.h"

namespace hone::diagnose {
namespace {

using cost::note;
using measure::RunRecord;

// Upper limits of grades A, B and C; above is D. Why these: 5 % unattributed and 2 % timing
// overhead are this project's own promises; the rest are the sizes at which a median of a few
// seconds starts to move by more than its interval.
struct Limits {
    double a, b, c;
};
constexpr Limits kSteal = {0.01, 0.03, 0.10};
// Alone it is no proof of harm: many CPUs may have room for all.
constexpr Limits kForeign = {0.05, 0.20, 1.0};
constexpr Limits kRunDelay = {0.02, 0.05, 0.15};
constexpr Limits kThrottled = {0.01, 0.03, 0.10};
constexpr Limits kDrift = {0.05, 0.10, 0.25};
constexpr Limits kFrequency = {0.03, 0.07, 0.15};
// Of the read bandwidth that a quiet machine gave: what is missing of it while the requests ran.
constexpr Limits kTraffic = {0.15, 0.25, 0.40};
constexpr Limits kUnattributed = {0.05, 0.10, 0.20};
constexpr Limits kTimingOverhead = {0.02, 0.05, 0.10};
constexpr Limits kSpread = {0.10, 0.25, 0.50};
// Shorter runs than this see one scheduler decision as a trend.
constexpr double kWallS[] = {2.0, 1.0, 0.3};

char grade_of(double value, const Limits& limits) {
    if (value <= limits.a) return 'A';
    if (value <= limits.b) return 'B';
    return value <= limits.c ? 'C' : 'D';
}

struct Grader {
    std::vector<GradeReason> reasons;
    void add(char grade, Note why) { reasons.push_back({grade, std::move(why)}); }
    // A share that may be missing; missing costs one grade, since nothing vouches for it.
    void share(const char* id, std::optional<double> value, const Limits& limits) {
        if (!value) return add('B', note(std::string(id) + "_unknown"));
        const double size = std::max(0.0, *value);
        add(grade_of(size, limits),
            note(id).with("value_share", size).with("limit_share", limits.a));
    }
};

void grade_length(const RunRecord& record, Grader& grader) {
    const double wall_s = record.interference.wall_s;
    char grade = 'D';
    for (int i = 2; i >= 0; --i) {
        if (wall_s >= kWallS[i]) grade = static_cast<char>('A' + i);
    }
    grader.add(grade, note("grade_length").with("wall_s", wall_s));
}

// Watches that not every record has: absent ones say nothing, the plain counters were graded.
void grade_watches(const RunRecord& record, Grader& grader) {
    if (const auto series = cost::find_interference(record)) {
        if (series->throttled_share) {
            grader.share("grade_throttled", series->throttled_share, kThrottled);
        }
        if (series->frequency_drift) {
            grader.share("grade_frequency", series->frequency_drift, kFrequency);
        }
    }
    const auto probe = cost::find_bandwidth_probe(record);
    if (probe && probe->quiet_ratio()) {
        grader.share("grade_traffic", 1 - *probe->quiet_ratio(), kTraffic);
    }
}

void grade_samples(const RunRecord& record, const std::vector<MetricSummary>& metrics,
                   Grader& grader) {
    const auto scenario = find_scenario(record.context.scenario);
    std::string name = record.context.primary_metric;
    size_t wanted = measure::interval_samples_min(0.5);
    if (scenario) {
        name = (*scenario)->primary_metric;
        wanted = measure::interval_samples_min((*scenario)->primary_percentile);
    }
    const MetricSummary* primary = find_metric(metrics, name);
    if (primary == nullptr) {
        for (const MetricSummary& metric : metrics) {
            if (primary == nullptr || metric.n > primary->n) primary = &metric;
        }
    }
    const size_t n = primary == nullptr ? 0 : primary->n;
    const size_t few = measure::interval_samples_min(0.5);
    const char grade = n >= wanted ? 'A' : n >= few ? 'B' : n >= 3 ? 'C' : 'D';
    grader.add(grade, note("grade_samples")
                          .with("metric", primary == nullptr ? name : primary->name)
                          .with("n", n)
                          .with("n_wanted", wanted));
    if (primary != nullptr && primary->spread) {
        grader.add(grade_of(*primary->spread, kSpread), note("grade_spread")
                                                            .with("metric", primary->name)
                                                            .with("value_share", *primary->spread)
                                                            .with("limit_share", kSpread.a));
    }
}

}  // namespace

double MeasurementGrade::confidence_factor() const {
    switch (grade) {
        case 'A':
            return 1.0;
        case 'B':
            return 0.9;
        case 'C':
            return 0.7;
        default:
            return 0.4;
    }
}

MeasurementGrade grade_measurement(const RunRecord& record, const Breakdown& breakdown,
                                   const std::vector<MetricSummary>& metrics) {
    Grader grader;
    grade_length(record, grader);
    grade_samples(record, metrics, grader);
    const auto& disturbance = record.interference;
    grader.share("grade_steal", disturbance.steal_share, kSteal);
    if (disturbance.foreign_share) {
        grader.share("grade_foreign", disturbance.foreign_share, kForeign);
    }
    grader.share("grade_run_delay", foreign_delay_share(record), kRunDelay);
    grader.share("grade_drift", disturbance.ceiling_drift, kDrift);
    grade_watches(record, grader);
    if (record.operators.empty()) {
        grader.add('C', note("grade_no_operators"));
    } else {
        grader.share("grade_unattributed", breakdown.unattributed_share, kUnattributed);
        grader.share("grade_overhead", record.timing_overhead_share, kTimingOverhead);
    }
    if (!record.machine.has_ceilings()) grader.add('C', note("grade_no_ceilings"));
    MeasurementGrade out;
    out.reasons = std::move(grader.reasons);
    std::stable_sort(out.reasons.begin(), out.reasons.end(),
                     [](const GradeReason& a, const GradeReason& b) { return a.grade > b.grade; });
    out.grade = out.reasons.front().grade;
    return out;
}

}  // namespace hone::diagnose
