// The report of `hone bench`: one table per model, and the JSON that scripts read.
#pragma once

#include <optional>
#include <string>

#include "base/json_fwd.h"
#include "measure/record.h"
#include "report/style.h"

namespace hone::report {

std::string render_bench(const measure::RunRecord& record, const Style& style);
// {schema, machine, model, signature, metrics: [{name, unit, median, ci95, n, samples}], cost}
base::Json bench_json(const measure::RunRecord& record);

// EUR per 1000 tokens at a price per hour; absent without a price or a rate above 0.
std::optional<double> cost_per_1k(const std::optional<double>& price_per_hour,
                                  const std::optional<double>& tokens_per_s);

// The same of a run, prompt and output apart.
struct TokenCost {
    std::optional<double> prompt_per_1k;
    std::optional<double> output_per_1k;
    std::optional<double> mixed_per_1k;  // at the run's own proportion of prompt and output
};
TokenCost token_cost(const measure::RunRecord& record);

}  // namespace hone::report
