#include "runtime/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace hone::runtime {

namespace {

using base::ErrorCode;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kFloatMax = std::numeric_limits<float>::max();
constexpr float kTemperatureMax = 100.0f;
constexpr float kPenaltyMax = 100.0f;

// NaN loses against everything, and a difference to +inf would be NaN again.
float usable(float logit) {
    return logit == logit ? std::min(logit, kFloatMax) : -kInfinity;
}

bool has_nan(std::span<const float> values) {
    // Blocks of a constant size become vector code; the whole scan costs a few microseconds.
    constexpr size_t kBlock = 32;
    size_t i = 0;
    for (; i + kBlock <= values.size(); i += kBlock) {
        int nans = 0;
        for (size_t j = 0; j < kBlock; ++j) nans |= values[i + j] != values[i + j];
        if (nans != 0) return true;
    }
    for (; i < values.size(); ++i) {
        if (values[i] != values[i]) return true;
    }
    return false;
}

// The order in which every filter keeps a prefix.
template <class Candidate>
bool better(const Candidate& a, const Candidate& b) {
    return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

base::Status check_range(const char* name, double value, bool inside, const char* allowed) {
    if (inside) return {};
    return base::fail(ErrorCode::invalid_argument, "{} is {}; it must be {}", name, value, allowed);
}

}  // namespace

base::Status SamplingOptions::validate(uint32_t vocab) const {
    HONE_TRY_STATUS(check_range("temperature", temperature,
                                temperature >= 0.0f && temperature <= kTemperatureMax,
                                "from 0 (greedy) to 100"));
    HONE_TRY_STATUS(check_range("top_k", top_k, top_k >= 0, "0 (all) or more"));
    HONE_TRY_STATUS(
        check_range("top_p", top_p, top_p > 0.0f && top_p <= 1.0f, "above 0 and up to 1"));
    HONE_TRY_STATUS(check_range("min_p", min_p, min_p >= 0.0f && min_p <= 1.0f, "from 0 to 1"));
    HONE_TRY_STATUS(check_range("repetition_penalty", repetition_penalty,
                                repetition_penalty > 0.0f && repetition_penalty <= kPenaltyMax,
                                "above 0 and up to 100"));
    if (logit_bias.size() > kLogitBiasMax) {
        return base::fail(ErrorCode::invalid_argument, "logit_bias has {} entries; at most {}",
                          logit_bias.size(), kLogitBiasMax);
    }
    for (const auto& [token, bias] : logit_bias) {
        if (token < 0 || static_cast<uint32_t>(token) >= vocab) {
            return base::fail(ErrorCode::invalid_argument,
                              "logit_bias names token {}; the vocabulary has {}", token, vocab);
        }
        if (bias != bias || bias == kInfinity) {
            return base::fail(ErrorCode::invalid_argument,
                              "logit_bias of token {} is {}; it must be a number or -inf", token,
                              bias);
        }
    }
    return {};
}

std::optional<float> SamplingOptions::logits_margin() const {
    // A penalty or a bias may lift any token; a nucleus is a share of all probabilities.
    if (repetition_penalty != 1.0f || !logit_bias.empty()) return std::nullopt;
    if (greedy()) return 0.0f;
    if (min_p > 0.0f && top_p == 1.0f) return -std::log(min_p);
    return std::nullopt;
}

SamplerWorkspace::SamplerWorkspace(uint32_t vocab, const kernels::RowsVariant& rows)
    : rows_(&rows), logits_(vocab), seen_(vocab, 0), candidates_(vocab) {
    HONE_CHECK_GT(vocab, 0u);
}

Sampler::Sampler(SamplingOptions options, SamplerWorkspace& workspace)
    : options_(std::move(options)), workspace_(&workspace), random_(options_.seed) {}

bool Sampler::adjusts() const {
    return options_.repetition_penalty != 1.0f || !options_.logit_bias.empty();
}

// Fills the workspace's logits with usable numbers after bias and penalty.
void Sampler::copy_adjusted(std::span<const float> logits, std::span<const int32_t> recent) {
    std::vector<float>& out = workspace_->logits_;
    for (size_t i = 0; i < logits.size(); ++i) out[i] = usable(logits[i]);
    for (const auto& [token, bias] : options_.logit_bias) out[token] = usable(out[token] + bias);
    const float penalty = options_.repetition_penalty;
    if (penalty == 1.0f) return;
    const size_t n = std::min<size_t>(recent.size(), options_.repeat_last_n);
    const std::span<const int32_t> window = recent.last(n);
    for (int32_t token : window) {
        if (workspace_->seen_[token] != 0) continue;
        workspace_->seen_[token] = 1;
        float& logit = out[token];
        logit = usable(logit > 0.0f ? logit / penalty : logit * penalty);
    }
    for (int32_t token : window) workspace_->seen_[token] = 0;
}

int32_t Sampler::sample_greedy(std::span<const float> logits, std::span<const int32_t> recent) {
    if (adjusts() || has_nan(logits)) {
        copy_adjusted(logits, recent);
        logits = workspace_->logits_;
    }
    const size_t best = workspace_->rows_->argmax(logits.data(), logits.size());
    HONE_CHECK_LT(best, logits.size());
    return logits[best] == -kInfinity ? kNoToken : static_cast<int32_t>(best);
}

int32_t Sampler::sample(std::span<const float> logits, std::span<const int32_t> recent) {
    HONE_CHECK_EQ(logits.size(), workspace_->logits_.size());
    if (options_.greedy()) return sample_greedy(logits, recent);
    copy_adjusted(logits, recent);
    const std::vector<float>& adjusted = workspace_->logits_;
    const float max_logit = adjusted[workspace_->rows_->argmax(adjusted.data(), adjusted.size())];
    if (max_logit == -kInfinity) return kNoToken;
    return draw(find_cutoff(max_logit), max_logit);
}

// The k-th best candidate; leaves the k best at the front of the workspace. One pass keeps a buffer
// of everything that may still be among them and prunes it when it is full: O(vocab) for any k.
Sampler::Candidate Sampler::top_k_cutoff(size_t k) {
    const std::vector<float>& logits = workspace_->logits_;
    std::vector<Candidate>& buffer = workspace_->candidates_;
    const size_t capacity = std::min(buffer.size(), std::max<size_t>(4 * k, 1024));
    const auto begin = buffer.begin();
    auto prune = [&](size_t n) {
        std::nth_element(begin, begin + (k - 1), begin + n, better<Candidate>);
        return buffer[k - 1];
    };
    size_t n = 0;
    // Before the first pruning everything passes. Later ids lose ties, so a value must be larger.
    float threshold = -kInfinity;
    for (size_t i = 0; i < logits.size(); ++i) {
        if (!(logits[i] > threshold)) continue;
        if (n == capacity) {
            threshold = prune(n).logit;
            n = k;
            if (!(logits[i] > threshold)) continue;
        }
        buffer[n++] = {logits[i], static_cast<int32_t>(i), 0.0f};
    }
    // Fewer than k candidates above -inf: all of them stay.
    if (n <= k) return *std::max_element(begin, begin + n, better<Candidate>);
    return prune(n);
}

// Of n candidates with weights, the last of the shortest best-first prefix whose weights reach
// `mass_wanted`: a quickselect that halves the range and knows the weight of what lies before it.
Sampler::Candidate Sampler::nucleus_cutoff(size_t n, double mass_wanted) {
    const auto begin = workspace_->candidates_.begin();
    size_t low = 0;  // candidates before `low` are in, those from `high` on are not needed
    size_t high = n;
    double mass_before = 0.0;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        std::nth_element(begin + low, begin + middle, begin + high, better<Candidate>);
        double mass = 0.0;
        for (size_t i = low; i < middle; ++i) mass += (begin + i)->weight;
        if (mass_before + mass >= mass_wanted) {
            high = middle;
        } else {
            mass_before += mass;
            low = middle;
        }
    }
    return *(begin + low);
}

// top-k, top-p and min-p each keep a prefix of the candidates in the order better(), so together
// they are one cutoff: the worst candidate that stays.
Sampler::Candidate Sampler::find_cutoff(float max_logit) {
    const std::vector<float>& logits = workspace_->logits_;
    std::vector<Candidate>& candidates = workspace_->candidates_;
    const size_t k = static_cast<size_t>(options_.top_k);
    const bool has_top_k = k > 0 && k < logits.size();
    Candidate cutoff{-kInfinity, std::numeric_limits<int32_t>::max(), 0.0f};
    if (has_top_k) cutoff = top_k_cutoff(k);
    if (options_.top_p < 1.0f) {
        size_t n = 0;
        double mass = 0.0;
        for (size_t i = 0; i < logits.size(); ++i) {
            if (logits[i] < cutoff.logit || logits[i] == -kInfinity) continue;
            Candidate candidate{logits[i], static_cast<int32_t>(i), 0.0f};
            if (better(cutoff, candidate)) continue;
            candidate.weight = std::exp(logits[i] - max_logit);
            mass += candidate.weight;
            candidates[n++] = candidate;
        }
        cutoff = nucleus_cutoff(n, static_cast<double>(options_.top_p) * mass);
    }
    if (options_.min_p > 0.0f) {
        const float lowest = max_logit + std::log(options_.min_p);
        const Candidate by_min_p{lowest, std::numeric_limits<int32_t>::max(), 0.0f};
        if (better(by_min_p, cutoff)) cutoff = by_min_p;
    }
    return cutoff;
}

// Walks what the cutoff leaves in the order of ids, so that the choice depends on no library's way
// of selecting.
int32_t Sampler::draw(const Candidate& cutoff, float max_logit) {
    const std::vector<float>& logits = workspace_->logits_;
    std::vector<Candidate>& candidates = workspace_->candidates_;
    size_t n = 0;
    double mass = 0.0;
    for (size_t i = 0; i < logits.size(); ++i) {
        if (logits[i] < cutoff.logit || logits[i] == -kInfinity) continue;
        Candidate candidate{logits[i], static_cast<int32_t>(i), 0.0f};
        if (better(cutoff, candidate)) continue;
        candidate.weight = std::exp((logits[i] - max_logit) / options_.temperature);
        mass += candidate.weight;
        candidates[n++] = candidate;
    }
    HONE_CHECK_GT(n, size_t{0});
    double left = random_.next_double() * mass;
    int32_t chosen = kNoToken;
    for (size_t i = 0; i < n; ++i) {
        if (candidates[i].weight == 0.0f) continue;
        chosen = candidates[i].id;
        left -= candidates[i].weight;
        if (left < 0.0) break;
    }
    // The sum may round a little above its terms: then the last one with any weight stands.
    HONE_CHECK_NE(chosen, kNoToken);
    return chosen;
}

}  // namespace hone::runtime
