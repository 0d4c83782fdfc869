// Quantizing with error feedback: what one column's rounding does to the product is made up for by
// the columns after it.
//
// With H = E[x x^T] of the inputs, the error e = w - w' of one row of weights costs e^T H e. Factor
// H + damping = (A + I)^T D (A + I), A strictly lower triangular, D diagonal (from the last row to
// the first). Then columns are taken in order, each rounded at
//     u[k] = w[k] + sum over i < k of e[i] A[k][i],
// and the cost is exactly sum of D[k] (u[k] - w'[k])^2: only the rounding itself remains. This is
// the form of Chee et al. 2023 (LDLQ in QuIP), equal to GPTQ (Frantar et al. 2022), and it needs no
// inverse. Block scales are chosen when a block begins, from u as it is then, weighted by D.
//
// Memory: the factor takes the place of the moments. Const after make_factor and safe from any
// thread.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "compress/encode.h"
#include "compress/input_statistics.h"
#include "tensor/dtype.h"

namespace hone::compress {

struct FeedbackFactor {
    size_t width = 0;
    std::vector<float> lower;     // [width][width]; row k holds A[k][i], i < k
    std::vector<float> diagonal;  // D / scale, of mean 1
    float scale = 1;
};

// Share of the mean of H's diagonal that is added to it: moments of few tokens are not of full
// rank.
inline constexpr float kFeedbackDamping = 0.01f;

// Takes the moments of the statistics, which keep their squares.
FeedbackFactor make_factor(InputStatistics& statistics, float damping = kFeedbackDamping);

// Rows that share one pass over the factor.
inline constexpr size_t kFeedbackRows = 8;

// `rows`: at most kFeedbackRows rows of `factor.width` values, one after the other; `out` takes
// their blocks. Types with a grid only.
EncodeError encode_rows_with_feedback(tensor::DType dtype, std::span<const float> rows,
                                      const FeedbackFactor& factor, std::byte* out);

}  // namespace hone::compress
