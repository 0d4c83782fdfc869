// Parts of a run record as JSON, as docs/run-record.md has them, for those who show a part of it.
// Whole records are in measure/record.h. Pure.
#pragma once

#include "base/json_fwd.h"
#include "measure/record.h"

namespace hone::measure {

base::Json model_json(const ModelFacts& model);
base::Json experiment_json(const ExperimentResult& experiment);

}  // namespace hone::measure
