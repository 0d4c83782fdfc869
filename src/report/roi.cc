#include "report/roi.h"

#include "base/json.h"
#include "base/text.h"
#include "machine/json_fields.h"
#include "report/bench_report.h"
#include "report/messages.h"

namespace hone::report {
namespace {

using base::Json;
using diagnose::note;
using machine::json_optional;

constexpr const char* kRate = "output_tokens_per_s";

struct Sides {
    double a = 0;
    double b = 0;
};

Json sides_json(const std::optional<Sides>& sides) {
    if (!sides) return nullptr;
    return {{"a", machine::json_number(sides->a)}, {"b", machine::json_number(sides->b)}};
}

struct Roi {
    const measure::MetricComparison* rate = nullptr;
    std::optional<Sides> per_1k;
    std::optional<Sides> hours;
    std::optional<Sides> per_month;
};

// Start and end differ in nothing: one rate, if any was measured, and nothing to save.
Roi roi_of(const ledger::Run& run, const Economy& economy) {
    Roi roi;
    for (const measure::MetricComparison& metric : run.after) {
        const bool measured = metric.a && metric.b && *metric.a > 0 && *metric.b > 0;
        if (metric.name == kRate && measured) roi.rate = &metric;
    }
    if (roi.rate == nullptr) return roi;
    if (economy.tokens_per_month) {
        const auto hours = [&](double tokens_per_s) {
            return *economy.tokens_per_month / (tokens_per_s * 3600);
        };
        roi.hours = Sides{hours(*roi.rate->a), hours(*roi.rate->b)};
    }
    if (!economy.price_per_hour) return roi;
    const double price = *economy.price_per_hour;
    roi.per_1k = Sides{*cost_per_1k(price, roi.rate->a), *cost_per_1k(price, roi.rate->b)};
    if (roi.hours) roi.per_month = Sides{price * roi.hours->a, price * roi.hours->b};
    return roi;
}

double change_percent(const Sides& sides) {
    return 100 * (sides.b / sides.a - 1);
}

}  // namespace

std::vector<diagnose::Note> roi_notes(const ledger::Run& run, const Economy& economy,
                                      const Style& style) {
    if (!economy.price_per_hour) return {note("roi_no_price")};
    if (run.after.empty()) return {note("roi_nothing_kept")};
    const Roi roi = roi_of(run, economy);
    if (!roi.per_1k) return {note("roi_no_rate")};
    const std::string verdict =
        say(style, std::string("compare_") + measure::verdict_name(roi.rate->verdict));
    std::vector<diagnose::Note> out = {note("roi_per_1k")
                                           .with("a", roi.per_1k->a)
                                           .with("b", roi.per_1k->b)
                                           .with("change_percent", change_percent(*roi.per_1k))
                                           .with("price", *economy.price_per_hour)
                                           .with("verdict", verdict)};
    if (!roi.per_month) return out;
    out.push_back(note("roi_per_month")
                      .with("tokens", base::format_count(*economy.tokens_per_month))
                      .with("hours_a", roi.hours->a)
                      .with("hours_b", roi.hours->b)
                      .with("a", roi.per_month->a)
                      .with("b", roi.per_month->b)
                      .with("saving", roi.per_month->a - roi.per_month->b));
    return out;
}

Json roi_json(const ledger::Run& run, const Economy& economy, const Style& style) {
    const Roi roi = roi_of(run, economy);
    Json json = {{"price_per_hour", json_optional(economy.price_per_hour)},
                 {"tokens_per_month", json_optional(economy.tokens_per_month)},
                 {"verdict", roi.rate ? Json(measure::verdict_name(roi.rate->verdict)) : Json()},
                 {"cost_per_1k_output_tokens", sides_json(roi.per_1k)},
                 {"hours_per_month", sides_json(roi.hours)},
                 {"cost_per_month", sides_json(roi.per_month)},
                 {"saving_per_month", nullptr},
                 {"lines", Json::array()}};
    if (roi.per_1k) {
        json["cost_per_1k_output_tokens"]["change_percent"] =
            machine::json_number(change_percent(*roi.per_1k));
    }
    if (roi.per_month) {
        json["saving_per_month"] = machine::json_number(roi.per_month->a - roi.per_month->b);
    }
    for (const diagnose::Note& line : roi_notes(run, economy, style)) {
        json["lines"].push_back(note_json(style, line));
    }
    return json;
}

}  // namespace hone::report
