// What calibration knows about the inputs of each tensor, in the form that encoding uses, and the
// encoding of a range of a tensor's rows with it.
//
// Const once made; encode_range is pure and safe from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compress/encode.h"
#include "compress/feedback.h"
#include "compress/input_statistics.h"
#include "machine/thread_team.h"
#include "tensor/view.h"

namespace hone::compress {

// What each element is multiplied by before it is encoded (compress/channel_scales.h); empty: 1.
struct TensorScaling {
    std::vector<float> rows;
    std::vector<float> columns;

    float at(uint64_t row, size_t column) const;
    void apply(uint64_t row, std::span<float> values) const;
    void undo(uint64_t row, std::span<float> values) const;
};

// Of one tensor; without importance and factor, all columns are alike.
struct TensorGuidance {
    std::span<const float> importance;       // mean squared activation per column
    const FeedbackFactor* factor = nullptr;  // goes before the importance
    const TensorScaling* scaling = nullptr;  // what the other two already reckon with
    // Columns that it is about; 0 when it knows nothing.
    size_t width() const { return factor != nullptr ? factor->width : importance.size(); }
};

// By the tensor's name. With scaling, importance and factors are those of the scaled columns.
struct Guidance {
    std::map<std::string, std::vector<float>, std::less<>> importance;
    std::map<std::string, std::shared_ptr<const FeedbackFactor>, std::less<>> factors;
    std::map<std::string, TensorScaling, std::less<>> scaling;

    // For encoding the tensor in that type: only types with a grid take feedback.
    TensorGuidance of(std::string_view name, tensor::DType type) const;
};

// Statistics become guidance; moments become factors, each thread taking some.
Guidance make_guidance(StatisticsByTensor statistics, machine::ThreadTeam& team);

struct BadWeight {
    uint64_t row = 0;
    BadElement element;
};

struct RangeResult {
    EncodeError error;
    std::optional<BadWeight> bad;  // the range was not finished
};

// Rows of a tensor as blocks of `to`; ranges should be multiples of kFeedbackRows long.
RangeResult encode_range(const tensor::TensorView& source, tensor::DType to,
                         const TensorGuidance& guidance, uint64_t first_row, uint64_t rows,
                         std::byte* out);
// The same, shared among the team: one result of each thread, in their order.
std::vector<RangeResult> encode_with_team(const tensor::TensorView& source, tensor::DType to,
                                          const TensorGuidance& guidance, uint64_t first_row,
                                          uint64_t rows, std::byte* out, machine::ThreadTeam& team);

}  // namespace hone::compress
