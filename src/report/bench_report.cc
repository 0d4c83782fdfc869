#include "report/bench_report.h"

#include <cmath>

#include "base/json.h"
#include "diagnose/metrics.h"
#include "machine/json_fields.h"
#include "measure/record_json.h"
#include "report/explain_sections.h"

namespace hone::report {
namespace {

using base::Json;
using diagnose::note;
using machine::json_optional;
using measure::RunRecord;

// Only what the record lists: request metrics of a bench are among its metrics already.
std::vector<diagnose::MetricSummary> bench_metrics(const RunRecord& record) {
    std::vector<diagnose::MetricSummary> out;
    for (const measure::MetricSamples& metric : record.metrics) {
        out.push_back(diagnose::summarize(metric.name, metric.unit, metric.samples));
    }
    return out;
}

Json metrics_json(const RunRecord& record) {
    Json out = Json::array();
    for (const diagnose::MetricSummary& metric : bench_metrics(record)) {
        out.push_back({{"name", metric.name},
                       {"unit", metric.unit},
                       {"median", json_optional(metric.median)},
                       {"ci95", measure::interval_json(metric.ci95)},
                       {"n", metric.n},
                       {"samples", machine::json_numbers(metric.samples)}});
    }
    return out;
}

std::optional<double> median_of(const RunRecord& record, std::string_view name) {
    const auto* metric = record.metric(name);
    return metric == nullptr ? std::nullopt : measure::median(metric->samples);
}

std::string euro(const std::optional<double>& value) {
    return value ? fmt::format("{:.3g}", *value) : "n/a";
}

}  // namespace

std::optional<double> cost_per_1k(const std::optional<double>& price_per_hour,
                                  const std::optional<double>& tokens_per_s) {
    if (!price_per_hour || !tokens_per_s || !(*tokens_per_s > 0)) return std::nullopt;
    return 1000 * *price_per_hour / 3600 / *tokens_per_s;
}

TokenCost token_cost(const RunRecord& record) {
    TokenCost cost;
    const auto& price = record.context.price_per_hour;
    cost.prompt_per_1k = cost_per_1k(price, median_of(record, "prefill_tokens_per_s"));
    cost.output_per_1k = cost_per_1k(price, median_of(record, "decode_tokens_per_s"));
    const double prompt = record.context.prompt_tokens;
    const double output = record.context.output_tokens;
    if (cost.prompt_per_1k && cost.output_per_1k && prompt + output > 0) {
        cost.mixed_per_1k =
            (*cost.prompt_per_1k * prompt + *cost.output_per_1k * output) / (prompt + output);
    }
    return cost;
}

std::string render_bench(const RunRecord& record, const Style& style) {
    Page page(style);
    page.line(paint(page.style(), Ink::bold,
                    say(style, note("bench_title")
                                   .with("file", record.model.file)
                                   .with("name", record.model.name)
                                   .with("prompt", record.context.prompt_tokens)
                                   .with("output", record.context.output_tokens)
                                   .with("threads", record.context.threads)
                                   .with("isa", record.isa))));
    add_metric_table(page, bench_metrics(record));
    const TokenCost cost = token_cost(record);
    if (!record.context.price_per_hour) {
        page.note(note("bench_no_price"));
    } else if (!cost.prompt_per_1k && !cost.output_per_1k) {
        page.note(note("bench_no_rate"));
    } else {
        page.note(note("bench_cost")
                      .with("prompt", euro(cost.prompt_per_1k))
                      .with("output", euro(cost.output_per_1k))
                      .with("price", *record.context.price_per_hour));
    }
    return page.take();
}

Json bench_json(const RunRecord& record) {
    const auto& context = record.context;
    const auto& facts = record.machine.facts;
    const TokenCost cost = token_cost(record);
    Json dtypes = Json::object();
    for (const auto& [dtype, bytes] : record.model.bytes_by_dtype) dtypes[dtype] = bytes;
    const Json price = context.price_per_hour ? Json(*context.price_per_hour) : Json(nullptr);
    return {{"schema", record.schema},
            {"machine",
             {{"fingerprint", record.machine.fingerprint},
              {"cpu_model", facts.cpu_model},
              {"cpus", facts.cpus_allowed},
              {"memory_bytes", facts.memory_bytes},
              {"os", facts.os},
              {"hypervisor", facts.hypervisor},
              {"isa", facts.isa}}},
            {"model",
             {{"file", record.model.file},
              {"name", record.model.name},
              {"architecture", record.model.architecture},
              {"file_bytes", record.model.file_bytes},
              {"parameters", record.model.parameters},
              {"bytes_by_dtype", dtypes}}},
            {"signature",
             {{"build", record.build},
              {"command", context.command},
              {"isa", record.isa},
              {"threads", context.threads},
              {"prompt_tokens", context.prompt_tokens},
              {"output_tokens", context.output_tokens},
              {"batch", context.batch},
              {"repeat", context.repeats},
              {"seed", context.seed},
              {"warm", context.warm},
              {"clock", "monotonic"},
              {"interval", "95 %, order statistics"}}},
            {"metrics", metrics_json(record)},
            {"cost",
             {{"price_per_hour", price},
              {"currency", "EUR"},
              {"cost_per_1k_prompt_tokens", json_optional(cost.prompt_per_1k)},
              {"cost_per_1k_output_tokens", json_optional(cost.output_per_1k)},
              {"cost_per_1k_tokens", json_optional(cost.mixed_per_1k)}}}};
}

}  // namespace hone::report
