// What a comparison of two sides found: the one value that `hone ab` and `hone compare` make and
// that reports print.
//
// Side A is the baseline, B the candidate; a change is that of B against A. A verdict needs a
// difference that the method does not call chance (over all metrics together: Holm) and that is as
// large as the floor. Plain data, and pure functions on stored records; the paired comparison of
// running sides is measure/sequential.h driven by probe/ab.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_fwd.h"
#include "measure/metrics.h"
#include "measure/record.h"
#include "measure/statistics.h"

namespace hone::measure {

enum class Verdict : uint8_t { improved, regressed, within_noise, not_enough_data };
const char* verdict_name(Verdict verdict);

// What somebody said beforehand that the change would be.
struct PredictedChange {
    double change_percent = 0;
    std::optional<Interval> ci95;  // of change_percent
    std::string basis;             // where the number comes from, e.g. "measured", "interpolated"
    // What a simulation alone had said, without any run of the change.
    std::optional<double> simulated_percent = {};
    std::optional<Interval> simulated_ci95 = {};
};

struct MetricComparison {
    std::string name;
    std::string unit;
    Better better = Better::lower;
    std::optional<double> a;  // medians
    std::optional<double> b;
    std::optional<double> change_percent;  // of a typical pair of samples, not of the medians
    std::optional<Interval> ci95;          // of change_percent, for this metric alone
    std::optional<double> p;               // adjusted by Holm; absent where looks have no single p
    Verdict verdict = Verdict::not_enough_data;
    size_t n = 0;  // pairs, or samples of the side that has fewer
    std::optional<PredictedChange> predicted;
};

// Next-token probabilities of B against those of A on the same tokens.
struct QualityComparison {
    size_t n = 0;                     // positions
    double kl_mean = 0;               // KL(A, B) in nats per position, never below 0
    double kl_max = 0;                // of one position
    std::optional<Interval> kl_ci95;  // of kl_mean
    size_t same_top = 0;              // positions at which both sides prefer the same token
    double nll_a = 0;                 // mean negative log likelihood of the text's own tokens, nats
    double nll_b = 0;
    std::optional<Interval> nll_change_ci95;     // of nll_b - nll_a, paired by position
    Verdict verdict = Verdict::not_enough_data;  // of the likelihood
    std::string text;                            // what was read: "built-in" or a file's base name
};
// Fewer positions have no verdict.
inline constexpr size_t kQualityPositionsMin = 32;

// Smaller changes are not worth a decision, and systematic differences between two copies of the
// same plan (where their memory lies) reach this far.
inline constexpr double kEffectFloorPercent = 2;

struct Comparison {
    std::string method;  // "group_sequential_signed_ranks" | "mann_whitney"
    double floor_percent = kEffectFloorPercent;
    std::string ended;  // why no more was measured: "decided", "budget", "pairs", "cancelled", ""
    double wall_s = 0;  // 0 for stored runs
    std::vector<MetricComparison> metrics;
    std::optional<QualityComparison> quality;
    std::string quality_missing;  // message id of the reason, "" when not asked for
    base::JsonBox signature_a = base::JsonBox::object();
    base::JsonBox signature_b = base::JsonBox::object();
    std::vector<std::string> warnings;  // keys of the signatures that should be equal and are not
    std::optional<double> price_a;      // EUR per hour
    std::optional<double> price_b;

    const MetricComparison* metric(std::string_view name) const;
    bool regressed() const;
};

// The verdict of a change of ln(value): `differs` is what the statistics say.
Verdict verdict_of(double log_shift, bool differs, Better better, double floor_percent);
// 100 (e^shift - 1).
double percent_of(double log_shift);
std::optional<Interval> percent_of(const std::optional<Interval>& log_interval);

// Fewer samples on a side are not enough data: below it not even disjoint samples convince once a
// few metrics share alpha.
inline constexpr size_t kSamplesMin = 6;

// Compares the metrics that both records have: Mann-Whitney U and the Hodges-Lehmann shift of ln
// (of the plain values where one is not above 0), Holm over the metrics that have enough samples.
// Shares of roofs are left out, they follow from the rates; sizes that are counted, not measured,
// are compared as they are. `floor_percent` not negative.
Comparison compare_records(const RunRecord& a, const RunRecord& b, double floor_percent);

}  // namespace hone::measure
