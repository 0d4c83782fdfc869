// The sampler: logits in, one token out.
//
// The order of operations is that of llama.cpp's default chain:
//   logit bias -> repetition penalty -> top-k -> top-p -> min-p -> temperature -> draw
// so top-p and min-p look at the distribution before the temperature. With l the logits after bias
// and penalty, and p = softmax(l):
//   repetition penalty r (Keskar et al. 2019): l > 0 ? l / r : l * r, once for every token among
//                the last repeat_last_n of the sequence, prompt included
//   top-k        the k largest l; equal values go to the lower id
//   top-p        the shortest run of the largest p whose sum reaches top_p (Holtzman et al. 2020)
//   min-p        all p >= min_p * max(p)
//   temperature  draw from softmax(l / T) over what is left, at least one token
// Temperature 0 is greedy: the largest l after bias and penalty, the lowest id among equals.
// A NaN logit counts as -inf and +inf as the largest float; when no logit is above -inf there is
// nothing to choose, sample() returns kNoToken, and the engine ends the sequence.
// The same seed and logits give the same tokens. Not here: stop conditions, grammars, log
// probabilities. No allocation in sample(), and no sort of the vocabulary: k and the nucleus are
// selected. Thread rule: one thread per workspace.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "kernels/rows/rows.h"

namespace hone::runtime {

inline constexpr size_t kLogitBiasMax = 1024;
inline constexpr int32_t kNoToken = -1;

struct SamplingOptions {
    float temperature = 0.0f;         // 0 = greedy
    int32_t top_k = 0;                // 0 = all
    float top_p = 1.0f;               // 1 = all
    float min_p = 0.0f;               // 0 = all
    float repetition_penalty = 1.0f;  // 1 = none
    uint32_t repeat_last_n = 64;      // tokens the penalty looks back at
    uint64_t seed = 0;
    // Added to the token's logit; -inf bans it. At most kLogitBiasMax.
    std::vector<std::pair<int32_t, float>> logit_bias = {};

    bool greedy() const { return temperature == 0.0f; }
    // What is further below the largest logit of a row is never chosen and bears on no choice;
    // absent where any logit may.
    std::optional<float> logits_margin() const;
    // invalid_argument names the option, its value and what is allowed.
    base::Status validate(uint32_t vocab) const;
};

// What a choice works in; one serves any number of samplers, one after the other.
class SamplerWorkspace {
  public:
    SamplerWorkspace(uint32_t vocab, const kernels::RowsVariant& rows);

  private:
    friend class Sampler;
    struct Candidate {
        float logit = 0;
        int32_t id = 0;
        float weight = 0;  // exp of the logit's distance to the largest, where it is needed
    };

    const kernels::RowsVariant* rows_;
    std::vector<float> logits_;          // [vocab] after bias and penalty
    std::vector<uint8_t> seen_;          // [vocab] marks of the penalty, all 0 between calls
    std::vector<Candidate> candidates_;  // [vocab]
};

class Sampler {
  public:
    // `options` have passed validate(). The workspace is borrowed.
    Sampler(SamplingOptions options, SamplerWorkspace& workspace);

    // logits [vocab]; `recent` are the tokens of the sequence so far, oldest first (more than
    // repeat_last_n is fine), each below vocab. Returns a token, or kNoToken.
    int32_t sample(std::span<const float> logits, std::span<const int32_t> recent);

  private:
    using Candidate = SamplerWorkspace::Candidate;

    int32_t sample_greedy(std::span<const float> logits, std::span<const int32_t> recent);
    bool adjusts() const;
    void copy_adjusted(std::span<const float> logits, std::span<const int32_t> recent);
    Candidate top_k_cutoff(size_t k);
    Candidate nucleus_cutoff(size_t n, double mass_wanted);
    Candidate find_cutoff(float max_logit);
    int32_t draw(const Candidate& cutoff, float max_logit);

    SamplingOptions options_;
    SamplerWorkspace* workspace_;
    base::Random random_;
};

}  // namespace hone::runtime
