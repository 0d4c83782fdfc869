// What `hone quantize` prints: the outcome of one run as a table and as JSON.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "compress/allocate.h"
#include "compress/channel_scales.h"
#include "compress/quantize_file.h"
#include "compress/recipe.h"
#include "compress/sensitivity.h"
#include "probe/rate_check.h"
#include "report/style.h"

namespace hone::cli {

struct CalibrationFacts {
    std::string text;  // a file's name, or "built-in"
    size_t tokens = 0;
    bool feedback = false;
};

// Of a target for the rate of decoding.
struct DecodeFacts {
    double wanted_ratio = 0;  // to the input's rate
    double predicted_ratio = 0;
    std::optional<probe::RateCheck> check;  // none in a dry run
    int files = 0;                          // written until one was as fast as asked
};

struct TargetFacts {
    std::string target;  // as given
    compress::SensitivityTable sensitivity;
    std::vector<compress::FrontPoint> front;  // bytes of the chosen tensors only
    uint64_t fixed_bytes = 0;                 // of all others
    double expected_kl = 0;
    std::optional<DecodeFacts> decode;
};

struct QuantizeOutcome {
    std::string model;
    std::string output;
    compress::Recipe recipe;
    std::vector<compress::TensorResult> results;  // empty in a dry run
    std::optional<CalibrationFacts> calibration;
    std::optional<compress::ChannelScaling> scaling;
    std::optional<TargetFacts> target;
    double seconds = 0;
};

std::string quantize_text(const QuantizeOutcome& outcome, const report::Style& style);
base::Json quantize_json(const QuantizeOutcome& outcome);

}  // namespace hone::cli
