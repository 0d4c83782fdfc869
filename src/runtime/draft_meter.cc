#include "runtime/draft_meter.h"

#include <algorithm>
#include <numeric>

#include "measure/statistics.h"

namespace hone::runtime {

double DraftCounts::accepted_share() const {
    return drafted == 0 ? 0 : static_cast<double>(accepted) / static_cast<double>(drafted);
}

double DraftCounts::tokens_per_step() const {
    return steps == 0 ? 0 : static_cast<double>(tokens) / static_cast<double>(steps);
}

void DraftMeter::Window::add(double step_ns, uint64_t step_tokens) {
    const size_t at = steps++ % kWindow;
    ns[at] = step_ns;
    tokens[at] = step_tokens;
}

double DraftMeter::Window::ns_per_token() const {
    const uint64_t sum = std::accumulate(tokens.begin(), tokens.end(), uint64_t{0});
    return *measure::median(ns) * kWindow / static_cast<double>(sum);
}

bool DraftMeter::wants_drafts() const {
    if (phase_ != Phase::trial) return phase_ == Phase::on;
    return drafted_.steps < kWindow && drafted_.steps <= plain_.steps;
}

void DraftMeter::begin_trial() {
    phase_ = Phase::trial;
    plain_.steps = 0;
    drafted_.steps = 0;
    steps_in_phase_ = 0;
}

// Both windows are full.
void DraftMeter::compare() {
    const bool pays = drafted_.ns_per_token() < plain_.ns_per_token();
    drafted_.steps = 0;
    if (phase_ == Phase::on) {
        if (!pays || steps_in_phase_ >= kTrialEvery) begin_trial();
        return;
    }
    phase_ = pays ? Phase::on : Phase::paused;
    // A pause whose length is used up makes the next one longer, a trial that is won the shortest.
    if (pays) pause_steps_ = kPauseMin;
    steps_in_phase_ = 0;
}

void DraftMeter::add(const StepPlan& plan, size_t tokens, double ns) {
    const bool decodes = std::all_of(plan.slices.begin(), plan.slices.end(),
                                     [](const PlannedSlice& s) { return s.is_decode(); });
    if (!decodes || tokens == 0) return;
    const bool drafted = !plan.drafts.empty();
    counts_.steps += 1;
    counts_.drafted_steps += drafted ? 1 : 0;
    counts_.tokens += tokens;
    counts_.drafted += plan.drafts.size();
    counts_.accepted += tokens - std::min(tokens, plan.slices.size());
    if (phase_ == Phase::paused) {
        if (++steps_in_phase_ < pause_steps_) return;
        pause_steps_ = std::min(2 * pause_steps_, kPauseMax);
        begin_trial();
        return;
    }
    (drafted ? drafted_ : plain_).add(ns, tokens);
    steps_in_phase_ += drafted ? 1 : 0;
    if (drafted_.steps >= kWindow && plain_.steps >= kWindow) compare();
}

}  // namespace hone::runtime
