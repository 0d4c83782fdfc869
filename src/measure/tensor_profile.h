// What was counted on one tensor: its values, and what storing it in other types would do to them.
//
// Plain values that room compress fills (compress/profile_tensor.h) and report draws; types and
// names are texts, so that neither needs to know the other. Shares are of finite values. Empty
// where there is nothing to count. No thread rule.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace hone::measure {

// Bins of equal width from low to high, and what lies beyond both ends.
struct Bins {
    double low = 0;
    double high = 0;
    std::vector<uint64_t> counts;
    uint64_t below = 0;
    uint64_t above = 0;
};

// Of weights, of errors or of scales.
struct ValueProfile {
    uint64_t count = 0;  // finite
    uint64_t nans = 0;
    uint64_t infinities = 0;
    double min = 0;
    double max = 0;
    double mean = 0;
    double stddev = 0;
    double rms = 0;
    double median = 0;
    // Of the magnitudes.
    double magnitude_p50 = 0;
    double magnitude_p90 = 0;
    double magnitude_p99 = 0;
    double magnitude_p999 = 0;
    double zero_share = 0;
    double denormal_share = 0;  // in the type that they are stored in
    double outlier_share = 0;   // farther from the mean than kOutlierDeviations
    Bins bins;
};

// Standard deviations; of a normal distribution, 6.3e-5 lie farther out.
inline constexpr double kOutlierDeviations = 4;

// One group of weights that share a scale, and the grid that a type lays over it.
struct BlockView {
    uint64_t first = 0;  // index of its first element in the tensor
    double scale = 0;
    double minimum = 0;
    std::vector<double> levels;  // what a code can stand for, ascending
    std::vector<double> values;  // the weights
    std::vector<double> stored;  // what they become
    std::vector<int> codes;
};

// A tensor as it would be after a round trip through another type.
struct StoredAs {
    std::string asked;   // the type as asked for
    std::string type;    // that a row of this length can have: a fallback, or the same
    std::string reason;  // why not; all below is then empty
    double bits_per_weight = 0;
    uint64_t bytes = 0;
    double rmse = 0;
    double relative_rmse = 0;  // over the root mean square of the weights
    double max_error = 0;
    std::optional<double> snr_db;        // absent when nothing changed, or nothing was there
    double to_zero_share = 0;            // of nonzero weights, that become 0
    ValueProfile error;                  // stored - weight
    std::optional<ValueProfile> scales;  // of its groups, magnitudes
    std::optional<BlockView> block;
};

struct TensorProfile {
    std::string name;
    std::string type;
    std::vector<uint64_t> dims;  // innermost first
    uint64_t bytes = 0;
    double bits_per_weight = 0;
    ValueProfile values;
    std::optional<ValueProfile> scales;  // of the type it is stored in, magnitudes
    std::optional<BlockView> block;      // likewise
    std::vector<StoredAs> stored_as;
};

}  // namespace hone::measure
