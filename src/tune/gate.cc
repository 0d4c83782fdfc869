#include "tune/gate.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "measure/rank_tests.h"

namespace hone::tune {

using diagnose::note;

base::Result<Gate> parse_gate(std::string_view text) {
    HONE_TRY(Gate gate, quality::parse_gate(text, quality::gate_metrics().first(2)));
    for (const quality::GateTerm& term : gate.terms) {
        if (term.is_change || term.metric->distance) continue;
        return base::fail(base::ErrorCode::invalid_argument,
                          "gate '{}': a run compares with its own start: ppl:+PERCENT%",
                          base::printable(term.text()));
    }
    return gate;
}

double chance_to_hold(const Gate& gate, double bits) {
    constexpr double kKlOfFourBits = 0.12;  // of 4.5 bits with the scales; perplexity +12 %
    constexpr double kSpread = 0.7;         // of its logarithm
    const double expected_kl = kKlOfFourBits * std::pow(4.0, 4.5 - bits);
    double chance = 1;
    for (const quality::GateTerm& term : gate.terms) {
        const double limit = term.is_change ? term.limit / 100 : term.limit;
        const double z = std::log(std::max(limit, 1e-9) / expected_kl) / kSpread;
        chance = std::min(chance, measure::normal_cdf(z));
    }
    return chance;
}

GateVerdict judge(const Gate& gate, const measure::QualityComparison& quality, size_t vocabulary) {
    GateVerdict verdict;
    if (quality.kl_max == 0 && quality.n > 0) {
        verdict.outcome = GateOutcome::held;
        verdict.note = note("gate_same").with("n", quality.n);
        return verdict;
    }
    if (quality.n < measure::kQualityPositionsMin || !quality.nll_change_ci95) {
        verdict.note = note("gate_unsure").with("n", quality.n);
        return verdict;
    }
    const double middle = measure::percent_of(quality.nll_b - quality.nll_a);
    const auto range = measure::percent_of(quality.nll_change_ci95);
    const bool chance = quality::predicts_by_chance(quality.nll_a, vocabulary);
    verdict.outcome = quality::judge_gate(gate, [&](const quality::GateTerm& term) {
                          if (!term.is_change) {
                              return quality::GateReading{quality.kl_mean, quality.kl_ci95};
                          }
                          return quality::GateReading{middle, range, chance};
                      }).outcome;
    const char* id = "gate_held";
    if (verdict.outcome == GateOutcome::unproved) id = "gate_unproved";
    if (verdict.outcome == GateOutcome::broken) id = "gate_broken";
    if (verdict.outcome == GateOutcome::meaningless) id = "gate_meaningless";
    verdict.note = note(id)
                       .with("gate", gate.text())
                       .with("ppl_percent", middle)
                       .with("low_percent", range->low)
                       .with("high_percent", range->high)
                       .with("kl", quality.kl_mean)
                       .with("n", quality.n);
    return verdict;
}

}  // namespace hone::tune
