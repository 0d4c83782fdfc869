// A screened head before it exists: whether the head of a run would gain by one, and the run with
// it. How such a head works: graph/screen.h, which takes its limits from here. Pure.
#pragma once

#include <optional>
#include <span>

#include "cost/predict.h"
#include "measure/record.h"

namespace hone::cost {

// Packed, of the copy that makes the scores: 5 bits.
inline constexpr const char* kScreenFormat = "u5";
// A copy that is larger than this share of the head saves too little.
inline constexpr double kScreenShareMax = 0.75;

// What a screened head reads of its bytes, scores and the rows that can win: absent where that is
// no saving, or no head of its own is the last node.
std::optional<double> screened_head_share(const measure::RunRecord& record);

// The run with such a head. nothing_to_change where the share is absent; other reasons as of
// simulate.
SimulationResult simulate_screened_head(const measure::RunRecord& record,
                                        std::span<const measure::RunRecord> others);

}  // namespace hone::cost
