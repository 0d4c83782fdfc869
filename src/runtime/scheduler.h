// The scheduler: a pure function from what sequences lack to the next step's slices.
//
// Every sequence has a gap, total - computed; a step has a budget of tokens. First every sequence
// whose gap is one token gets it (they are the ones somebody watches stream), then the oldest other
// sequence gets what is left, then the next oldest. Because the budget is at least the number of
// sequences, a step that has a longer gap in it always has a token left for the oldest of them: no
// sequence starves, and how long a token can be delayed is bounded by the budget. What is left then
// goes to drafts of the sequences whose gap is one, the oldest first: guesses come after work that
// must be done. Not here: pages (an admitted sequence has them reserved), priorities, admission.
// Pure; any thread.
#pragma once

#include <cstdint>
#include <span>

#include "runtime/step_plan.h"

namespace hone::runtime {

// What the scheduler may know of a sequence.
struct SequenceView {
    SequenceId id = 0;
    uint32_t slot = 0;
    uint32_t computed = 0;                 // positions in the cache
    uint32_t total = 0;                    // tokens known, > computed
    uint32_t positions_reserved = 0;       // >= total: no slice runs beyond it
    std::span<const int32_t> drafts = {};  // what may follow the last token; used at a gap of one
};

// Fills `plan` (cleared first; no allocation once its capacity is there) from sequences ordered
// oldest first. Requires tokens_max >= sequences.size().
void schedule(std::span<const SequenceView> sequences, uint32_t tokens_max, StepPlan& plan);

}  // namespace hone::runtime
