// Parts of a run record as JSON, as docs/run-record.md has them, for those who show a part of it.
// Whole records are in measure/record.h. Pure.
#pragma once

#include <optional>

#include "base/json_fwd.h"
#include "measure/record.h"
#include "measure/statistics.h"

namespace hone::measure {

base::Json model_json(const ModelFacts& model);
base::Json experiment_json(const ExperimentResult& experiment);
// [low, high], or null.
base::Json interval_json(const std::optional<Interval>& interval);

}  // namespace hone::measure
