// The quality gate: how much a change may move the model's answers, judged on next-token
// probabilities against those of the start.
//
// Grammar: term {"," term}; term = "ppl:+" PERCENT "%" | "kl:" NATS. A perplexity term holds when
// the upper end of the 95 % interval of the change lies below the limit, so that noise counts
// against the change; a KL term compares the mean of KL(start, changed) per position. On a model
// that predicts the text no better than chance (random weights), a perplexity says nothing, and the
// verdict says so. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "diagnose/scenario.h"
#include "measure/comparison.h"

namespace hone::tune {

struct Gate {
    std::optional<double> perplexity_percent;
    std::optional<double> kl_nats;

    std::string text() const;  // as parse_gate reads it
};

// What is held without --gate.
inline constexpr const char* kGateDefault = "ppl:+1%";

// invalid_argument: not of that grammar, or a limit that not even no change at all can hold.
base::Result<Gate> parse_gate(std::string_view text);

enum class GateOutcome : uint8_t {
    held,
    broken,
    unsure,       // too few positions to say
    meaningless,  // the model predicts no better than chance, and KL is not asked for
};

struct GateVerdict {
    GateOutcome outcome = GateOutcome::unsure;
    diagnose::Note note;  // the numbers behind it
};

// `vocabulary`: tokens of the model.
GateVerdict judge(const Gate& gate, const measure::QualityComparison& quality, size_t vocabulary);

}  // namespace hone::tune
