// What a change does to the model's answers: next-token probabilities of two sessions on the same
// text, position by position.
//
// The text is read in windows of the smaller context of the two, each from an empty cache. Its
// first tokens go in as a prompt, with the logits of the last; then every position counts. The
// first ones are read one by one (the path of decode), the others in steps of as many rows as both
// sides allow (EngineLimits::logit_rows). KL(A, B) = sum_v p_A ln(p_A / p_B) in nats; passes and
// kernels that are exact give 0, not nearly 0. Not a benchmark: one short text says whether a
// change moved the numbers, not how good a model is. Thread rule: one thread.
#pragma once

#include "base/result.h"
#include "measure/comparison.h"
#include "probe/conduct.h"
#include "runtime/session.h"

namespace hone::probe {

// Some pages of plain English, numbers and code, about 2,500 tokens; changes only with a note in
// the changelog. Nothing else in the program is made from it: no weights were calibrated on it.
const char* quality_text();

// Tokens of a window's prompt.
inline constexpr int kQualityPromptTokens = 48;
// Positions that are read one by one, before all others.
inline constexpr size_t kQualityDecodePositions = 64;

// At most `positions` positions of `text`, fewer when the text ends or `seconds` are over.
// unsupported: the sides do not share a vocabulary; invalid_argument: a text of fewer than two
// tokens; exhausted; cancelled.
base::Result<measure::QualityComparison> compare_logits(runtime::Session& a, runtime::Session& b,
                                                        const std::string& text, int positions,
                                                        double seconds, const base::Clock& clock,
                                                        const Conduct& conduct);

}  // namespace hone::probe
