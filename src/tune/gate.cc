#include "tune/gate.h"

#include <charconv>
#include <cmath>

#include "base/text.h"

namespace hone::tune {
namespace {

using base::ErrorCode;
using base::fail;
using diagnose::note;

// Of ln(vocabulary): a model of random weights is at 1 or above, any trained one far below.
constexpr double kChanceShare = 0.95;

tl::unexpected<base::Error> wrong(std::string_view term) {
    return fail(ErrorCode::invalid_argument,
                "gate '{}': expected ppl:+PERCENT% or kl:NATS, e.g. ppl:+2%",
                base::printable(term));
}

std::optional<double> number_of(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
        return std::nullopt;
    }
    return value;
}

base::Status parse_term(std::string_view term, Gate& gate) {
    const bool perplexity = term.starts_with("ppl:");
    if (!perplexity && !term.starts_with("kl:")) return wrong(term);
    std::string_view value = term.substr(perplexity ? 4 : 3);
    if (perplexity) {
        if (!value.ends_with('%')) return wrong(term);
        value.remove_suffix(1);
        if (value.starts_with('+')) value.remove_prefix(1);
    }
    const auto number = number_of(value);
    if (!number) return wrong(term);
    if (*number < 0) {
        return fail(ErrorCode::invalid_argument,
                    "gate '{}' cannot hold: not even an unchanged model is below 0",
                    base::printable(term));
    }
    auto& limit = perplexity ? gate.perplexity_percent : gate.kl_nats;
    if (limit) return fail(ErrorCode::invalid_argument, "gate: '{}' twice", base::printable(term));
    limit = *number;
    return {};
}

}  // namespace

std::string Gate::text() const {
    std::string out;
    if (perplexity_percent) out = fmt::format("ppl:+{:g}%", *perplexity_percent);
    if (kl_nats) out += fmt::format("{}kl:{:g}", out.empty() ? "" : ",", *kl_nats);
    return out;
}

base::Result<Gate> parse_gate(std::string_view text) {
    Gate gate;
    for (const std::string_view term : base::split(text, ',')) {
        HONE_TRY_STATUS(parse_term(base::trim(term), gate));
    }
    return gate;
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
    const double low = measure::percent_of(quality.nll_change_ci95->low);
    const double high = measure::percent_of(quality.nll_change_ci95->high);
    const double middle = measure::percent_of(quality.nll_b - quality.nll_a);
    const bool chance = quality.nll_a > kChanceShare * std::log(static_cast<double>(vocabulary));
    const bool kl_broken = gate.kl_nats && quality.kl_mean > *gate.kl_nats;
    const bool perplexity_broken =
        gate.perplexity_percent && !chance && high > *gate.perplexity_percent;
    const bool nothing_judged = chance && !gate.kl_nats;
    // Within the limit, but so few positions were read that it may lie beyond.
    const bool unproved = !kl_broken && perplexity_broken && middle <= *gate.perplexity_percent;
    const char* id = "gate_held";
    verdict.outcome = GateOutcome::held;
    if (unproved) {
        id = "gate_unproved";
        verdict.outcome = GateOutcome::unsure;
    } else if (kl_broken || perplexity_broken) {
        id = "gate_broken";
        verdict.outcome = GateOutcome::broken;
    } else if (nothing_judged) {
        id = "gate_meaningless";
        verdict.outcome = GateOutcome::meaningless;
    }
    verdict.note = note(id)
                       .with("gate", gate.text())
                       .with("ppl_percent", middle)
                       .with("low_percent", low)
                       .with("high_percent", high)
                       .with("kl", quality.kl_mean)
                       .with("n", quality.n);
    return verdict;
}

}  // namespace hone::tune
