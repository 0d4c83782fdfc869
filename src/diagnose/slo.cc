#include "diagnose/slo.h"

#include <charconv>
#include <cmath>

#include "base/text.h"
#include "diagnose/metrics.h"

namespace hone::diagnose {
namespace {

using base::ErrorCode;
using base::fail;

constexpr double kLimitMsMax = 1e9;

// Takes a prefix off `rest`; the longest of the operators first.
std::string take_operator(std::string_view& rest) {
    for (const std::string_view op : {"<=", ">=", "<", ">"}) {
        if (rest.substr(0, op.size()) != op) continue;
        rest.remove_prefix(op.size());
        return std::string(op);
    }
    return {};
}

std::optional<double> take_number(std::string_view& rest) {
    double value = 0;
    // Decimals only: "inf", "nan" and hexadecimals are not limits.
    if (rest.empty() || (!(rest[0] >= '0' && rest[0] <= '9') && rest[0] != '.')) {
        return std::nullopt;
    }
    const auto [end, error] =
        std::from_chars(rest.data(), rest.data() + rest.size(), value, std::chars_format::fixed);
    if (error != std::errc() || !std::isfinite(value)) return std::nullopt;
    rest.remove_prefix(static_cast<size_t>(end - rest.data()));
    return value;
}

base::Result<double> parse_percentile(std::string_view text, const std::string& shown) {
    std::string_view rest = text;
    if (!rest.empty() && rest[0] == 'p') {
        rest.remove_prefix(1);
        const auto value = take_number(rest);
        if (value && rest.empty() && *value >= 1 && *value <= 99.99) return *value / 100;
    }
    return fail(ErrorCode::invalid_argument, "SLO term '{}': '{}' is not a percentile such as p95",
                shown, base::printable(text));
}

base::Result<std::string> parse_metric(std::string_view text, const std::string& shown) {
    if (text == "ttft") return std::string("ttft_ms");
    if (text == "itl") return std::string("itl_ms");
    if (text == "latency") return std::string("latency_ms");
    return fail(ErrorCode::invalid_argument,
                "SLO term '{}': unknown metric '{}'; metrics: ttft, itl, latency", shown,
                base::printable(text));
}

base::Result<double> parse_limit_ms(std::string_view text, const std::string& shown) {
    const auto value = take_number(text);
    if (!value) {
        return fail(ErrorCode::invalid_argument, "SLO term '{}': the limit is not a number", shown);
    }
    text = base::trim(text);
    double scale = 0;
    if (text == "us") scale = 1e-3;
    if (text == "ms") scale = 1;
    if (text == "s") scale = 1e3;
    if (scale == 0) {
        return fail(ErrorCode::invalid_argument,
                    "SLO term '{}': the limit needs a unit: us, ms or s", shown);
    }
    const double limit = *value * scale;
    if (!(limit > 0) || limit > kLimitMsMax) {
        return fail(ErrorCode::invalid_argument,
                    "SLO term '{}': the limit must be above zero and below 12 days", shown);
    }
    return limit;
}

base::Result<SloTerm> parse_term(std::string_view text) {
    const std::string shown = base::printable(text);
    const size_t op_at = text.find_first_of("<>");
    if (op_at == std::string_view::npos) {
        return fail(ErrorCode::invalid_argument,
                    "SLO term '{}': no comparison; expected e.g. ttft_p95<200ms", shown);
    }
    const std::string_view left = base::trim(text.substr(0, op_at));
    std::string_view right = text.substr(op_at);
    SloTerm term;
    term.text = std::string(text);
    term.op = take_operator(right);
    const size_t underscore = left.rfind('_');
    if (underscore == std::string_view::npos) {
        return fail(ErrorCode::invalid_argument,
                    "SLO term '{}': no percentile; expected e.g. ttft_p95<200ms", shown);
    }
    HONE_TRY(term.metric, parse_metric(left.substr(0, underscore), shown));
    HONE_TRY(term.percentile, parse_percentile(left.substr(underscore + 1), shown));
    HONE_TRY(term.limit_ms, parse_limit_ms(base::trim(right), shown));
    return term;
}

bool holds(double value, const SloTerm& term) {
    if (term.op == "<") return value < term.limit_ms;
    if (term.op == "<=") return value <= term.limit_ms;
    if (term.op == ">") return value > term.limit_ms;
    return value >= term.limit_ms;
}

}  // namespace

const char* verdict_name(Verdict verdict) {
    switch (verdict) {
        case Verdict::met:
            return "met";
        case Verdict::not_met:
            return "not_met";
        case Verdict::not_enough_data:
            return "not_enough_data";
    }
    return "not_enough_data";
}

base::Result<Slo> parse_slo(std::string_view text) {
    Slo slo;
    if (base::trim(text).empty()) return slo;
    for (const std::string_view part : base::split(text, ',')) {
        const std::string_view term = base::trim(part);
        if (term.empty()) {
            return fail(ErrorCode::invalid_argument, "SLO '{}': empty term", base::printable(text));
        }
        if (slo.terms.size() == kSloTermsMax) {
            return fail(ErrorCode::exhausted, "SLO: more than {} terms", kSloTermsMax);
        }
        HONE_TRY(SloTerm parsed, parse_term(term));
        slo.terms.push_back(std::move(parsed));
    }
    return slo;
}

std::vector<SloVerdict> judge(const Slo& slo, const measure::RunRecord& record) {
    std::vector<SloVerdict> out;
    for (const SloTerm& term : slo.terms) {
        const std::vector<double> values = request_values(record, term.metric);
        SloVerdict verdict;
        verdict.term = term;
        verdict.n = values.size();
        verdict.n_needed = measure::interval_samples_min(term.percentile);
        verdict.value_ms = measure::percentile(values, term.percentile);
        verdict.ci95 = measure::percentile_interval(values, term.percentile);
        if (verdict.value_ms && verdict.n >= verdict.n_needed) {
            const bool met = holds(*verdict.value_ms, term);
            verdict.verdict = met ? Verdict::met : Verdict::not_met;
            verdict.certain = verdict.ci95 && holds(verdict.ci95->low, term) == met &&
                              holds(verdict.ci95->high, term) == met;
        }
        out.push_back(std::move(verdict));
    }
    return out;
}

}  // namespace hone::diagnose
