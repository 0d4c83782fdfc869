#include "quality/gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/text.h"

namespace hone::quality {
namespace {

using base::ErrorCode;
using base::fail;
using measure::Better;

constexpr std::array kMetrics = {
    GateMetric{"ppl", "perplexity", Better::lower, false, 1},
    GateMetric{"kl", "kl", Better::lower, true, 0},
    GateMetric{"top1", "top1_agreement", Better::higher, true, 1},
    GateMetric{"acc", "accuracy", Better::higher, false, 1},
    GateMetric{"f1", "f1", Better::higher, false, 1},
    GateMetric{"precision", "precision", Better::higher, false, 1},
    GateMetric{"recall", "recall", Better::higher, false, 1},
    GateMetric{"bleu", "bleu", Better::higher, false, 100},
    GateMetric{"chrf", "chrf", Better::higher, false, 100},
    GateMetric{"rouge1", "rouge1", Better::higher, false, 1},
    GateMetric{"rouge2", "rouge2", Better::higher, false, 1},
    GateMetric{"rougeL", "rougeL", Better::higher, false, 1},
    GateMetric{"em", "exact_match", Better::higher, false, 1},
    GateMetric{"token_f1", "token_f1", Better::higher, false, 1},
    GateMetric{"consistency", "consistency", Better::higher, false, 1},
    GateMetric{"turns", "turn_consistency", Better::higher, false, 1},
    GateMetric{"same", "same_output", Better::higher, true, 1},
    GateMetric{"similar", "output_similarity", Better::higher, true, 1},
};

char worse_sign(const GateMetric& metric) {
    return metric.better == Better::lower ? '+' : '-';
}

char bound_sign(const GateMetric& metric) {
    return metric.better == Better::lower ? '<' : '>';
}

std::string forms_of(const GateMetric& metric) {
    const bool lower = metric.better == Better::lower;
    const std::string bound = fmt::format("{}:{}NUMBER (at {})", metric.name, bound_sign(metric),
                                          lower ? "most" : "least");
    if (metric.distance) return bound;
    return fmt::format("{}:{}PERCENT% or {}", metric.name, worse_sign(metric), bound);
}

std::optional<double> number_of(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
        return std::nullopt;
    }
    return value;
}

base::Result<const GateMetric*> metric_of(std::string_view term,
                                          std::span<const GateMetric> offered) {
    const std::string_view name = term.substr(0, term.find(':'));
    std::string names;
    for (const GateMetric& metric : offered) {
        if (name == metric.name || name == metric.metric) return &metric;
        names += fmt::format("{}{}", names.empty() ? "" : ", ", metric.name);
    }
    return fail(ErrorCode::invalid_argument, "gate '{}': expected METRIC:LIMIT, e.g. ppl:+2%; {}",
                base::printable(term), names);
}

base::Result<GateTerm> parse_term(std::string_view text, std::span<const GateMetric> offered) {
    HONE_TRY(const GateMetric* metric, metric_of(text, offered));
    const auto wrong = [&] {
        return fail(ErrorCode::invalid_argument, "gate '{}': expected {}", base::printable(text),
                    forms_of(*metric));
    };
    const size_t colon = text.find(':');
    if (colon == std::string_view::npos) return wrong();
    std::string_view value = text.substr(colon + 1);
    GateTerm term{metric, value.ends_with('%'), 0};
    if (term.is_change) value.remove_suffix(1);
    if (term.is_change && metric->distance) return wrong();
    const char sign = term.is_change ? worse_sign(*metric) : bound_sign(*metric);
    bool opposite = false;
    if (value.starts_with(sign)) {
        value.remove_prefix(1);
    } else if (term.is_change && (value.starts_with('+') || value.starts_with('-'))) {
        opposite = true;
        value.remove_prefix(1);
    } else if (!term.is_change && !metric->distance) {
        return wrong();  // a bare number could be meant as a change
    }
    const auto number = number_of(value);
    if (!number) return wrong();
    if ((opposite && *number > 0) || *number < 0) {
        return fail(ErrorCode::invalid_argument,
                    "gate '{}' cannot hold: not even an unchanged model does",
                    base::printable(text));
    }
    term.limit = *number;
    const bool lower = metric->better == Better::lower;
    if (!term.is_change && (lower ? term.limit < metric->best : term.limit > metric->best)) {
        return fail(ErrorCode::invalid_argument,
                    "gate '{}' cannot hold: the best there can be is {:g}", base::printable(text),
                    metric->best);
    }
    return term;
}

GateOutcome judge_term(const GateTerm& term, const GateReading& reading) {
    const auto is_number = [](double value) { return std::isfinite(value); };
    // Comparisons with NaN are all false, so it would be within any limit.
    const bool numbers =
        (!reading.value || is_number(*reading.value)) &&
        (!reading.ci95 || (is_number(reading.ci95->low) && is_number(reading.ci95->high)));
    if (!numbers) return GateOutcome::broken;
    if (reading.meaningless) return GateOutcome::meaningless;
    if (!reading.value || !reading.ci95) return GateOutcome::unproved;
    // Upwards is worse from here on.
    const bool lower = term.metric->better == Better::lower;
    const double limit = term.is_change || lower ? term.limit : -term.limit;
    const double value = lower ? *reading.value : -*reading.value;
    const double worst = lower ? reading.ci95->high : -reading.ci95->low;
    if (value > limit) return GateOutcome::broken;
    return worst > limit ? GateOutcome::unproved : GateOutcome::held;
}

}  // namespace

std::span<const GateMetric> gate_metrics() {
    return kMetrics;
}

std::string GateTerm::text() const {
    if (is_change) return fmt::format("{}:{}{:g}%", metric->name, worse_sign(*metric), limit);
    return fmt::format("{}:{}{:g}", metric->name, bound_sign(*metric), limit);
}

std::string Gate::text() const {
    std::string out;
    for (const GateTerm& term : terms) out += (out.empty() ? "" : ",") + term.text();
    return out;
}

const GateTerm* Gate::term(std::string_view metric) const {
    const auto found = std::find_if(terms.begin(), terms.end(), [&](const GateTerm& term) {
        return term.metric->metric == metric;
    });
    return found == terms.end() ? nullptr : &*found;
}

base::Result<Gate> parse_gate(std::string_view text, std::span<const GateMetric> offered) {
    Gate gate;
    for (const std::string_view part : base::split(text, ',')) {
        HONE_TRY(const GateTerm term, parse_term(base::trim(part), offered));
        if (gate.term(term.metric->metric) != nullptr) {
            return fail(ErrorCode::invalid_argument, "gate: '{}' twice", base::printable(part));
        }
        gate.terms.push_back(term);
    }
    return gate;
}

const char* gate_outcome_name(GateOutcome outcome) {
    switch (outcome) {
        case GateOutcome::held:
            return "pass";
        case GateOutcome::broken:
            return "fail";
        case GateOutcome::unproved:
            return "unproved";
        case GateOutcome::meaningless:
            return "meaningless";
    }
    return "unproved";
}

GateVerdict judge_gate(const Gate& gate,
                       const std::function<GateReading(const GateTerm&)>& reading_of) {
    GateVerdict verdict;
    const auto has = [&](GateOutcome outcome) {
        return std::any_of(verdict.terms.begin(), verdict.terms.end(),
                           [&](const TermVerdict& term) { return term.outcome == outcome; });
    };
    for (const GateTerm& term : gate.terms) {
        GateReading reading = reading_of(term);
        const GateOutcome outcome = judge_term(term, reading);
        verdict.terms.push_back({term.text(), outcome, std::move(reading)});
    }
    for (const GateOutcome outcome : {GateOutcome::meaningless, GateOutcome::held,
                                      GateOutcome::unproved, GateOutcome::broken}) {
        if (has(outcome)) verdict.outcome = outcome;
    }
    return verdict;
}

bool predicts_by_chance(double nll, size_t vocabulary) {
    // Of ln(vocabulary): a model of random weights is at 1 or above, any trained one far below.
    constexpr double kChanceShare = 0.95;
    return nll > kChanceShare * std::log(static_cast<double>(vocabulary));
}

}  // namespace hone::quality
