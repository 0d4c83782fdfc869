// What a change does to the model's answers: next-token probabilities of two sessions on the same
// text, position by position.
//
// The first tokens go in as a prompt (the path of long steps), the following ones one by one (the
// path of decode), with logits of each position on both sides. KL(A, B) = sum_v p_A ln(p_A / p_B)
// in nats; passes and kernels that are exact give 0, not nearly 0. Not a benchmark: one short text
// says whether a change moved the numbers, not how good a model is. Thread rule: one thread.
#pragma once

#include "base/result.h"
#include "measure/comparison.h"
#include "probe/conduct.h"
#include "runtime/session.h"

namespace hone::probe {

// A few paragraphs of plain English, numbers and code; changes only with a note in the changelog.
const char* quality_text();

// Tokens of the prompt part.
inline constexpr int kQualityPromptTokens = 48;

// At most `positions` positions of `text`, fewer when the text ends or `seconds` are over.
// unsupported: the sides do not share a vocabulary; invalid_argument: a text of fewer than two
// tokens; exhausted; cancelled.
base::Result<measure::QualityComparison> compare_logits(runtime::Session& a, runtime::Session& b,
                                                        const std::string& text, int positions,
                                                        double seconds, const base::Clock& clock,
                                                        const Conduct& conduct);

}  // namespace hone::probe
