// The quality gate: how much a change may move the model's answers, as terms that are each judged
// by a measured value and its interval. The one grammar and the one rule of `hone quality` and
// `hone optimize`.
//
// Grammar: term {"," term}; term = NAME ":" limit.
//   ppl:+1%   acc:-2%     a change against the base, in the bad direction, of at most so many
//                         percent of the base's value (the sign may be left out)
//   kl:<0.02  top1:>0.99  a bound of the value itself, which holds it too: at most, at least
//                         (distances may leave the sign out)
// NAME is a metric, or a short name for it; distances to the base have bounds only. A term holds
// when all of the 95 % interval is within the limit, so that noise counts against the change; it is
// broken when the value itself is not, or is no finite number; between them it is unproved. Not
// here: measuring. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "measure/metrics.h"
#include "measure/statistics.h"

namespace hone::quality {

struct GateMetric {
    const char* name;    // in a gate
    const char* metric;  // in results
    measure::Better better;
    bool distance;  // to the base: 0 (or 1) for the base itself, so it has no change
    double best;    // value that there can be
};
// All that `hone quality` measures; the first two are of next-token probabilities.
std::span<const GateMetric> gate_metrics();

struct GateTerm {
    const GateMetric* metric = nullptr;  // of gate_metrics()
    bool is_change = false;              // in percent; otherwise a bound
    double limit = 0;                    // of a change its size, never negative

    std::string text() const;
};

struct Gate {
    std::vector<GateTerm> terms;

    std::string text() const;  // as parse_gate reads it
    const GateTerm* term(std::string_view metric) const;
};

// Only metrics of `offered`. invalid_argument: not of that grammar, the same metric twice, or a
// limit that not even no change at all, or the best value that there can be, holds.
base::Result<Gate> parse_gate(std::string_view text, std::span<const GateMetric> offered);

enum class GateOutcome : uint8_t {
    held,
    broken,
    unproved,     // too little data to say
    meaningless,  // the measurement says nothing about this model
};
// "pass", "fail", "unproved", "meaningless".
const char* gate_outcome_name(GateOutcome outcome);

// What was measured for a term: the change in percent, or the value.
struct GateReading {
    std::optional<double> value;
    std::optional<measure::Interval> ci95;
    bool meaningless = false;
};

struct TermVerdict {
    std::string term;
    GateOutcome outcome = GateOutcome::unproved;
    GateReading reading;
};

struct GateVerdict {
    // The worst of the terms; those that are meaningless count where no other is left.
    GateOutcome outcome = GateOutcome::unproved;
    std::vector<TermVerdict> terms;
};

GateVerdict judge_gate(const Gate& gate,
                       const std::function<GateReading(const GateTerm&)>& reading_of);

// A model that predicts a text no better than chance (random weights) has a perplexity that says
// nothing. `nll`: mean, nats per token.
bool predicts_by_chance(double nll, size_t vocabulary);

}  // namespace hone::quality
