// The report of `hone ab` and `hone compare`: what changed, how sure that is, and what it costs in
// quality and money.
#pragma once

#include <string>

#include "base/json_fwd.h"
#include "measure/comparison.h"
#include "report/style.h"

namespace hone::report {

std::string render_comparison(const measure::Comparison& comparison, const Style& style);

// {schema, method, ended, wall_s, floor_percent, metrics: [{name, unit, a, b, change_percent, ci95,
// better, good, verdict, n, p, predicted}], quality, cost, signature: {a, b}, warnings}
base::Json comparison_json(const measure::Comparison& comparison);

// "decode_tokens_per_s -3.1 %, ttft_ms +4.0 %": what regressed, for one line of an error.
std::string regressions_text(const measure::Comparison& comparison);

}  // namespace hone::report
