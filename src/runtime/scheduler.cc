#include "runtime/scheduler.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace hone::runtime {

namespace {

void append(const SequenceView& sequence, uint32_t n_tokens, StepPlan& plan) {
    plan.slices.push_back({.sequence = sequence.id,
                           .slot = sequence.slot,
                           .first_position = sequence.computed,
                           .n_tokens = n_tokens,
                           .wants_logits = sequence.computed + n_tokens == sequence.total});
    plan.tokens += n_tokens;
}

// Lengthens the single tokens, which are the plan's first slices, by drafts.
void append_drafts(std::span<const SequenceView> sequences, uint32_t tokens_max, StepPlan& plan) {
    size_t slice = 0;
    for (const SequenceView& sequence : sequences) {
        if (sequence.total - sequence.computed != 1) continue;
        PlannedSlice& planned = plan.slices[slice++];
        const uint32_t room =
            std::min(tokens_max - plan.tokens, sequence.positions_reserved - sequence.total);
        const auto drafts = sequence.drafts.first(std::min<size_t>(sequence.drafts.size(), room));
        plan.drafts.insert(plan.drafts.end(), drafts.begin(), drafts.end());
        planned.n_drafts = static_cast<uint32_t>(drafts.size());
        planned.n_tokens += planned.n_drafts;
        plan.tokens += planned.n_drafts;
    }
}

}  // namespace

void schedule(std::span<const SequenceView> sequences, uint32_t tokens_max, StepPlan& plan) {
    HONE_CHECK_LE(sequences.size(), tokens_max);
    plan.slices.clear();
    plan.drafts.clear();
    plan.tokens = 0;
    for (const SequenceView& sequence : sequences) {
        HONE_CHECK_LT(sequence.computed, sequence.total);
        HONE_CHECK_LE(sequence.total, sequence.positions_reserved);
        if (sequence.total - sequence.computed == 1) append(sequence, 1, plan);
    }
    for (const SequenceView& sequence : sequences) {
        const uint32_t gap = sequence.total - sequence.computed;
        const uint32_t left = tokens_max - plan.tokens;
        if (left == 0) break;
        if (gap > 1) append(sequence, std::min(gap, left), plan);
    }
    append_drafts(sequences, tokens_max, plan);
}

const char* StepPlan::kind() const {
    if (slices.empty()) return "empty";
    const auto decodes = std::count_if(slices.begin(), slices.end(),
                                       [](const PlannedSlice& s) { return s.is_decode(); });
    if (decodes == 0) return "prefill";
    const bool all = static_cast<size_t>(decodes) == slices.size();
    return all && drafts.empty() ? "decode" : "mixed";
}

std::string to_string(const StepPlan& plan) {
    std::string text = fmt::format("{}, {} tokens:", plan.kind(), plan.tokens);
    for (const PlannedSlice& slice : plan.slices) {
        text += fmt::format(" #{}@{}+{}{}", slice.sequence, slice.first_position,
                            slice.n_tokens - slice.n_drafts, slice.wants_logits ? "*" : "");
        if (slice.n_drafts > 0) text += fmt::format("~{}", slice.n_drafts);
    }
    return text;
}

}  // namespace hone::runtime
