// The gate of an optimization (quality/gate.h has grammar and rule), judged on next-token
// probabilities against those of the start: terms ppl:+PERCENT% and kl:<NATS. Pure.
#pragma once

#include <string_view>

#include "base/result.h"
#include "diagnose/scenario.h"
#include "measure/comparison.h"
#include "quality/gate.h"

namespace hone::tune {

using quality::Gate;
using quality::GateOutcome;

// What is held without --gate.
inline constexpr const char* kGateDefault = "ppl:+1%";

// invalid_argument: not of that grammar, another metric, or a limit that nothing can hold.
base::Result<Gate> parse_gate(std::string_view text);

struct GateVerdict {
    GateOutcome outcome = GateOutcome::unproved;
    diagnose::Note note;  // the numbers behind it
};

// `vocabulary`: tokens of the model.
// Chance that weights of `bits` each hold the gate, before anything is read: rounding errors shrink
// to a quarter with each bit, and KL and perplexity with them. The size at one width is what small
// models of docs/quantization.md lose; the spread around it, that of models. For the order of
// trials.
double chance_to_hold(const Gate& gate, double bits);

GateVerdict judge(const Gate& gate, const measure::QualityComparison& quality, size_t vocabulary);

}  // namespace hone::tune
