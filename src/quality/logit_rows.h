// One row of predictions, rounded to 16 bits a token: what of a base's run is kept and compared
// with.
//
//   f64 nll          -ln p(true token), not rounded
//   f32 top_log_p    ln p of the likeliest token
//   f32 step         nats of one code
//   u32 top, u32 0   the likeliest token, the first of equal ones
//   u16 code[vocab]  ln p(v) = top_log_p - step * code[v]; filled up with zeros to 8 bytes
//
// The step is the range of the row's log-probabilities, at most kRowRangeNats, over 65535, so
// a ln p is off by at most 0.00046, and less in most rows; what lies below the range has p < 1e-26.
// The candidate's row is rounded in the same way before it is compared: equal predictions have KL
// 0. That of others is off by less than 2e-4 of it and 1e-6 (the test holds it to that), with
// either sign, so that the mean over a text is nearer still. Numbers are little endian. A row may
// come from a file: check_row() trusts no byte. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "runtime/log_softmax.h"

namespace hone::quality {

inline constexpr double kRowRangeNats = 60;

size_t row_bytes(size_t vocab);
// `out` has row_bytes(); log_sum and the nll of `next` are finite (quality/window_reader.h).
void write_row(const runtime::LogSoftmax& logits, int32_t next, std::span<std::byte> out);
// corrupt: no write_row() wrote this. `row` has row_bytes(vocab).
base::Status check_row(std::span<const std::byte> row, size_t vocab);

struct RowFacts {
    double nll = 0;
    uint32_t top = 0;
};
RowFacts row_facts(std::span<const std::byte> row);

// KL(base || model) of two rows of one vocabulary, in nats; 0 where they are the same row.
class RowDivergence {
  public:
    explicit RowDivergence(size_t vocab) : base_(vocab), model_(vocab) {}
    double operator()(std::span<const std::byte> base, std::span<const std::byte> model);

  private:
    std::vector<float> base_;
    std::vector<float> model_;
};

}  // namespace hone::quality
