// What a decode step would take with each tensor in each type on this machine: the table of prices
// that a mixture for a speed is chosen by.
//
// Room cost predicts every linear of the plan in the packed format of a type (cost/step_model.h),
// from the steps of a record of this very model; a tensor's share of its node is that of its
// weights. What is in no linear of the plan (an embedding that is only looked up) costs no time.
// Not a second predictor and no measurement: what is written is checked by probe/rate_check.h.
// Pure.
#pragma once

#include <vector>

#include "base/result.h"
#include "compress/allocate.h"
#include "compress/sensitivity.h"
#include "cost/node_desc.h"
#include "graph/plan.h"
#include "measure/record.h"

namespace hone::compress {

// Of prices.
inline constexpr double kPicosecondsPerNs = 1000;

struct DecodeCost {
    double step_ns = 0;   // the model as it is
    double fixed_ns = 0;  // of it, what no tensor of the table decides
    // Prices in picoseconds, costs as in the table. Types of more bytes than the tensor has now are
    // left out, and those whose time is unknown.
    std::vector<AllocationItem> items;
};

// `record` has steps of `plan`. unsupported: the record tells nothing of a step's time, with the
// reason, or of none of a tensor's types.
base::Result<DecodeCost> decode_cost(const graph::Plan& plan, const measure::RunRecord& record,
                                     const SensitivityTable& table, const cost::StepShape& step);

}  // namespace hone::compress
