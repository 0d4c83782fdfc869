#include "measure/float_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/check.h"

namespace hone::measure {
namespace {

constexpr uint32_t kSign = 0x8000'0000;
constexpr uint32_t kInfinityBits = 0x7f80'0000;
constexpr int kFloatFractionBits = 23;
// The first page of numbers below zero.
constexpr size_t kNegative = 256;

// Values in order that reach the share p of n: the last one of them.
uint64_t rank_of(double p, uint64_t n) {
    const double wanted = std::ceil(std::clamp(p, 0.0, 1.0) * static_cast<double>(n));
    return std::clamp<uint64_t>(static_cast<uint64_t>(wanted), 1, n);
}

}  // namespace

void FloatHistogram::add(float value) {
    const auto bits = std::bit_cast<uint32_t>(value);
    const uint32_t magnitude = bits & ~kSign;
    if (magnitude >= kInfinityBits) {
        (magnitude == kInfinityBits ? infinities_ : nans_) += 1;
        return;
    }
    min_ = count_ == 0 ? value : std::min(min_, value);
    max_ = count_ == 0 ? value : std::max(max_, value);
    ++count_;
    if (magnitude == 0) {
        ++zeros_;
        return;
    }
    sum_ += value;
    sum_squares_ += double{value} * value;
    std::unique_ptr<Page>& page = pages_[bits >> kFloatFractionBits];
    if (!page) page = std::make_unique<Page>();
    ++(*page)[bits >> (kFloatFractionBits - kFractionBits) & (kFractions - 1)];
}

void FloatHistogram::add(const FloatHistogram& other) {
    if (other.count_ > 0) {
        min_ = count_ == 0 ? other.min_ : std::min(min_, other.min_);
        max_ = count_ == 0 ? other.max_ : std::max(max_, other.max_);
    }
    count_ += other.count_;
    zeros_ += other.zeros_;
    nans_ += other.nans_;
    infinities_ += other.infinities_;
    sum_ += other.sum_;
    sum_squares_ += other.sum_squares_;
    for (size_t i = 0; i < pages_.size(); ++i) {
        if (!other.pages_[i]) continue;
        if (!pages_[i]) pages_[i] = std::make_unique<Page>();
        for (size_t k = 0; k < kFractions; ++k) (*pages_[i])[k] += (*other.pages_[i])[k];
    }
}

double FloatHistogram::bin_value(size_t page, size_t fraction) const {
    auto bits = static_cast<uint32_t>(page << kFloatFractionBits |
                                      fraction << (kFloatFractionBits - kFractionBits));
    // The bin of the smallest denormals begins at zero, and none of them is zero.
    if ((bits & ~kSign) == 0) bits |= 1;
    // Where all values have one sign, the end of the outermost bin lies beyond all of them.
    return std::clamp(std::bit_cast<float>(bits), min_, max_);
}

template <class Visit>
void FloatHistogram::walk(const Visit& visit) const {
    for (size_t page = pages_.size(); page-- > kNegative;) {
        if (!pages_[page]) continue;
        for (size_t k = kFractions; k-- > 0;) {
            if ((*pages_[page])[k] > 0) visit(bin_value(page, k), (*pages_[page])[k]);
        }
    }
    if (zeros_ > 0) visit(0.0, zeros_);
    for (size_t page = 0; page < kNegative; ++page) {
        if (!pages_[page]) continue;
        for (size_t k = 0; k < kFractions; ++k) {
            if ((*pages_[page])[k] > 0) visit(bin_value(page, k), (*pages_[page])[k]);
        }
    }
}

double FloatHistogram::magnitude_max() const {
    return std::max(std::fabs(min()), std::fabs(max()));
}

double FloatHistogram::mean() const {
    return count_ > 0 ? sum_ / static_cast<double>(count_) : 0;
}

double FloatHistogram::rms() const {
    return count_ > 0 ? std::sqrt(sum_squares_ / static_cast<double>(count_)) : 0;
}

double FloatHistogram::stddev() const {
    const double centre = mean();
    if (count_ == 0) return 0;
    return std::sqrt(std::max(0.0, sum_squares_ / static_cast<double>(count_) - centre * centre));
}

double FloatHistogram::quantile(double p) const {
    if (count_ == 0) return 0;
    const uint64_t rank = rank_of(p, count_);
    uint64_t seen = 0;
    double found = 0;
    walk([&](double value, uint64_t n) {
        if (seen < rank) found = value;
        seen += n;
    });
    return found;
}

double FloatHistogram::magnitude_quantile(double p) const {
    if (count_ == 0) return 0;
    const uint64_t rank = rank_of(p, count_);
    uint64_t seen = zeros_;
    if (seen >= rank) return 0;
    // Outward from zero, both signs of a bin together.
    for (size_t positive = 0; positive < kNegative; ++positive) {
        const size_t pages[] = {positive, kNegative + positive};
        if (!pages_[pages[0]] && !pages_[pages[1]]) continue;
        for (size_t k = 0; k < kFractions; ++k) {
            for (const size_t page : pages) {
                seen += pages_[page] ? (*pages_[page])[k] : 0;
                if (seen >= rank) return std::fabs(bin_value(page, k));
            }
        }
    }
    return magnitude_max();
}

uint64_t FloatHistogram::outside(double low, double high) const {
    uint64_t found = 0;
    walk([&](double value, uint64_t n) { found += value < low || value > high ? n : 0; });
    return found;
}

uint64_t FloatHistogram::nearer_to_zero(double limit) const {
    uint64_t found = 0;
    walk(
        [&](double value, uint64_t n) { found += value != 0 && std::fabs(value) < limit ? n : 0; });
    return found;
}

std::vector<uint64_t> FloatHistogram::bins(double low, double high, size_t n) const {
    HONE_CHECK(low < high && n > 0);
    std::vector<uint64_t> counts(n);
    walk([&](double value, uint64_t times) {
        if (value < low || value > high) return;
        const double place = (value - low) / (high - low) * static_cast<double>(n);
        counts[std::min(static_cast<size_t>(place), n - 1)] += times;
    });
    return counts;
}

}  // namespace hone::measure
