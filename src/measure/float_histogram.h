// Counts floats by sign, exponent and the first ten bits of the fraction, in one pass.
//
// The bins are as fine everywhere as the number is large (a thousandth of it), so neither the range
// nor the scale of the values must be known beforehand: quantiles, shares and plots of any range
// are read off afterwards. A bin stands for its end nearer to zero, and never for less than
// the minimum or more than the maximum: numbers with at most ten fraction bits (all F16 and BF16
// numbers but denormal ones, small integers) are exact, others too small by less than 0.1 %.
// Minimum, maximum and sums are exact in double.
//
// Not for times (measure/statistics.h has intervals). Memory: 8 KiB for each sign and exponent that
// occurs, 4 MiB at most. Two of them can be added. Thread rule: one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace hone::measure {

class FloatHistogram {
  public:
    void add(float value);
    void add(const FloatHistogram& other);

    // Of finite values, zeros included. All statistics below are of these; 0 when there are none.
    uint64_t count() const { return count_; }
    uint64_t zeros() const { return zeros_; }
    uint64_t nans() const { return nans_; }
    uint64_t infinities() const { return infinities_; }
    double min() const { return count_ > 0 ? min_ : 0; }
    double max() const { return count_ > 0 ? max_ : 0; }
    double magnitude_max() const;
    double sum() const { return sum_; }
    double sum_squares() const { return sum_squares_; }
    double mean() const;
    // Of the population: divided by n.
    double stddev() const;
    double rms() const;

    // The value that a share p of all values do not exceed; of their magnitudes. p in [0, 1].
    double quantile(double p) const;
    double magnitude_quantile(double p) const;
    // Values below `low` or above `high`, and nonzero ones nearer to zero than `limit`.
    uint64_t outside(double low, double high) const;
    uint64_t nearer_to_zero(double limit) const;
    // n bins of equal width from low to high (low < high); what lies outside is not counted, `high`
    // itself is.
    std::vector<uint64_t> bins(double low, double high, size_t n) const;

  private:
    static constexpr int kFractionBits = 10;
    static constexpr size_t kFractions = size_t{1} << kFractionBits;
    using Page = std::array<uint64_t, kFractions>;

    // What a bin stands for.
    double bin_value(size_t page, size_t fraction) const;
    // Calls visit(value, count) for each bin that is not empty, in ascending order of value.
    template <class Visit>
    void walk(const Visit& visit) const;

    // By the upper nine bits of the float: sign and exponent.
    std::array<std::unique_ptr<Page>, 512> pages_;
    uint64_t count_ = 0;
    uint64_t zeros_ = 0;
    uint64_t nans_ = 0;
    uint64_t infinities_ = 0;
    float min_ = 0;
    float max_ = 0;
    double sum_ = 0;
    double sum_squares_ = 0;
};

}  // namespace hone::measure
