// What `hone quantize` prints: the outcome of one run as a table and as JSON.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "compress/allocate.h"
#include "compress/quantize_file.h"
#include "compress/recipe.h"
#include "compress/sensitivity.h"
#include "report/style.h"

namespace hone::cli {

struct CalibrationFacts {
    std::string text;  // a file's name, or "built-in"
    size_t tokens = 0;
    bool feedback = false;
};

struct TargetFacts {
    std::string target;  // as given
    compress::SensitivityTable sensitivity;
    std::vector<compress::FrontPoint> front;  // bytes of the chosen tensors only
    uint64_t fixed_bytes = 0;                 // of all others
    double expected_kl = 0;
};

struct QuantizeOutcome {
    std::string model;
    std::string output;
    compress::Recipe recipe;
    std::vector<compress::TensorResult> results;  // empty in a dry run
    std::optional<CalibrationFacts> calibration;
    std::optional<TargetFacts> target;
    double seconds = 0;
};

std::string quantize_text(const QuantizeOutcome& outcome, const report::Style& style);
base::Json quantize_json(const QuantizeOutcome& outcome);

}  // namespace hone::cli
