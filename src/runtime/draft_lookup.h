// Draft by lookup: guesses a text's next tokens from the text itself.
//
// If the last few tokens occurred before, what followed them then may follow now: in code, in
// quotes, in lists, in answers about a text that the prompt contains (prompt lookup decoding,
// Saxena 2023; the idea of LZ77). A guess costs a scan of the text and no model. It is never part
// of the output by itself: the engine computes it and keeps what the sampler would have chosen
// anyway. Not here: whether drafting pays (runtime/draft_meter.h). Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace hone::runtime {

// Drafts of one sequence in one step. Beyond it a step is no longer bound by reading the weights.
inline constexpr uint32_t kDraftTokensMax = 16;
// Tokens that the scan goes back at most: 20 us in vain (one CPU, -O2).
inline constexpr size_t kDraftLookupTokensMax = 16384;
// Tokens that must have occurred before, first the longer run, then the shorter.
inline constexpr size_t kDraftNgramLong = 3;
inline constexpr size_t kDraftNgramShort = 2;

// Appends up to `drafts_max` tokens to `drafts`: those that followed the most recent earlier
// occurrence of the last three tokens of `tokens` (oldest first), or else of the last two; none if
// neither occurred. Where they reach the end of the text, the drafts themselves go on with it, so a
// repetition of any length is continued.
void draft_by_lookup(std::span<const int32_t> tokens, uint32_t drafts_max,
                     std::vector<int32_t>& drafts);

}  // namespace hone::runtime
