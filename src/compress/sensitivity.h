// How much each tensor's types would change a model's predictions: the table that mixed precision
// is chosen from.
//
// For each tensor and type: the bytes, the expected squared error of its product (by calibration,
// compress/feedback.h or importance), and the expected KL divergence from the unchanged model.
//
// KL is measured in groups: tensors of one kind ("ffn_down.weight") in neighbouring layers are
// rounded to a probe type together and the model reads a text; KL of small changes is quadratic in
// them, so one factor per group turns error into KL. The groups' sum is what a mixture is expected
// to cost. Measured in f32 activations, on tokens that calibration did not read: feedback fits the
// moments of its text, and on that text looks better than it is.
//
// Not the search for a mixture (compress/allocate.h). Memory: the session's, one group's probe
// weights and the logits of the text. Drives the session from one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "compress/allocate.h"
#include "compress/quantize_file.h"
#include "runtime/session.h"

namespace hone::compress {

struct TypeCost {
    tensor::DType type = tensor::DType::f32;
    uint64_t bytes = 0;
    double error = 0;  // expected squared error of the product, all rows
    double kl = 0;     // nats per token
};

struct TensorSensitivity {
    std::string name;
    std::string group;
    std::vector<TypeCost> types;
};

struct GroupProbe {
    std::string group;
    double error = 0;  // sum over the group's tensors in the probe type
    double kl = 0;     // measured
};

struct SensitivityTable {
    std::vector<TensorSensitivity> tensors;  // in the order of the file
    std::vector<GroupProbe> groups;
    tensor::DType probe_type = tensor::DType::q4_0;
    size_t tokens = 0;  // of the text whose predictions were compared
};

struct SensitivityOptions {
    std::vector<tensor::DType> types;  // candidates; those that do not divide a row are left out
    tensor::DType probe_type = tensor::DType::q4_0;
    uint32_t depth_groups = 4;  // parts that the layers are cut into
    uint32_t context = 256;     // tokens of a window of the text
    uint32_t windows = 4;       // at most, spread evenly over the text
    // Of the unchanged model's logits, which are kept; fewer windows where they are larger.
    uint64_t logits_bytes_max = uint64_t{256} << 20;
    size_t sampled_rows = 64;  // of each tensor, for its errors
    std::function<bool(double)> go_on = {};
};

// "ffn_down.weight/2" for a tensor of the third part of the layers; its own name without a layer.
std::string group_of(const std::string& tensor, uint32_t n_layers, uint32_t depth_groups);

// `session` was opened by calibration_load. Errors: invalid_argument (too short a text), exhausted,
// cancelled, those of the executor.
base::Result<SensitivityTable> measure_sensitivity(
    runtime::Session& session, const formats::GgufFile& file, const Guidance& guidance,
    std::span<const int32_t> tokens, const SensitivityOptions& options, const base::Clock& clock);

// The table as the allocation wants it.
std::vector<AllocationItem> allocation_items(const SensitivityTable& table);

}  // namespace hone::compress
