// StepPlan: which tokens of which sequences the next step computes. Plain data; printable; nothing
// has happened yet. Made by schedule() (runtime/scheduler.h), carried out by Engine::run and apply.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hone::runtime {

using SequenceId = uint64_t;

// One slice of a step: `n_tokens` tokens of a sequence from `first_position`.
struct PlannedSlice {
    SequenceId sequence = 0;
    uint32_t slot = 0;
    uint32_t first_position = 0;
    uint32_t n_tokens = 0;
    bool wants_logits = false;  // the slice closes the gap: sample after it
    bool operator==(const PlannedSlice&) const = default;
};

struct StepPlan {
    std::vector<PlannedSlice> slices;
    uint32_t tokens = 0;  // sum over slices
    bool empty() const { return slices.empty(); }
    // "decode": every slice samples from a single token; "prefill": none does; else "mixed". An
    // empty plan is "empty".
    const char* kind() const;
};

// "mixed, 65 tokens: #3@17+1* #4@0+64", a star where logits are wanted.
std::string to_string(const StepPlan& plan);

}  // namespace hone::runtime
