// StepPlan: which tokens of which sequences the next step computes. Plain data; printable; nothing
// has happened yet. Made by schedule() (runtime/scheduler.h), carried out by Engine::run and apply.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hone::runtime {

using SequenceId = uint64_t;

// One slice of a step: `n_tokens` tokens of a sequence from `first_position`, the last `n_drafts`
// of them guesses (runtime/draft_lookup.h) behind the sequence's last token.
struct PlannedSlice {
    SequenceId sequence = 0;
    uint32_t slot = 0;
    uint32_t first_position = 0;
    uint32_t n_tokens = 0;
    uint32_t n_drafts = 0;      // only where logits are wanted
    bool wants_logits = false;  // the slice closes the gap: sample after it, and after each draft
    // Rows of logits: one behind the last known token and one behind each draft.
    uint32_t outputs() const { return wants_logits ? 1 + n_drafts : 0; }
    // Computes one known token and samples.
    bool is_decode() const { return wants_logits && n_tokens == 1 + n_drafts; }
    bool operator==(const PlannedSlice&) const = default;
};

struct StepPlan {
    std::vector<PlannedSlice> slices;
    uint32_t tokens = 0;          // sum over slices
    std::vector<int32_t> drafts;  // of all slices, in their order
    bool empty() const { return slices.empty(); }
    // "decode": every slice samples from a single token; "prefill": none does; else "mixed", also
    // where drafts are verified, which reads the weights once for several tokens. An empty plan is
    // "empty".
    const char* kind() const;
};

// "mixed, 65 tokens: #3@17+1* #4@0+64", a star where logits are wanted. A slice of one known token
// and three drafts is "#3@17+1*~3".
std::string to_string(const StepPlan& plan);

}  // namespace hone::runtime
