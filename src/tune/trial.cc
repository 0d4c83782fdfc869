#include "tune/trial.h"

#include <algorithm>
#include <cmath>

#include "ledger/accuracy.h"
#include "probe/ab_quality.h"

namespace hone::tune {
namespace {

using diagnose::note;
using ledger::Trial;
using ledger::TrialStatus;
using measure::Verdict;

// For quality: of a trial's time, or of all that is left where that is more. A gate that is not
// decided is a wasted trial too.
constexpr double kQualityShare = 0.4;
constexpr double kQualityShareOfRest = 0.1;

void set(Trial& trial, TrialStatus status, diagnose::Note reason) {
    trial.status = status;
    trial.reason = std::move(reason);
}

// False when the change is decided by its quality alone.
base::Result<bool> passes_gate(const Side& start, const Side& best, const Side& candidate,
                               const TrialSetting& setting, Trial& trial) {
    const double seconds =
        std::max(setting.time.budget_s * kQualityShare,
                 (setting.time.budget_s + setting.time.grace_s) * kQualityShareOfRest);
    if (trial.risk == "exact") {
        // The same as the best so far, whose own quality was judged.
        HONE_TRY(trial.quality, compare_quality(best.session, candidate.session, false,
                                                kExactPositions, seconds, setting));
        if (trial.quality->kl_max == 0) return true;
    }
    HONE_TRY(trial.quality, compare_quality(start.session, candidate.session, false, kGatePositions,
                                            seconds, setting));
    GateVerdict verdict = judge(setting.gate, *trial.quality, setting.work.vocabulary());
    // A model computes less without layers, whatever they were worth: only a gate can tell.
    const bool needs_proof = ledger::kind_of(trial.action) == "without_layers";
    if (verdict.outcome == GateOutcome::broken || verdict.outcome == GateOutcome::unproved ||
        (needs_proof && verdict.outcome == GateOutcome::meaningless)) {
        set(trial, TrialStatus::rolled_back, std::move(verdict.note));
        return false;
    }
    trial.evidence.push_back(std::move(verdict.note));
    return true;
}

}  // namespace

probe::AbSide ab_side(const Side& side, const Workload& work) {
    return {.session = side.session,
            .batch = work.batch(side.settings),
            .depth = 0,
            .delay_share = 0,
            .trim_padding = side.settings.trim_padding};
}

base::Result<measure::QualityComparison> compare_quality(runtime::Session& start,
                                                         runtime::Session& candidate, bool held_out,
                                                         int positions, double seconds,
                                                         const TrialSetting& setting) {
    HONE_TRY(auto quality,
             probe::compare_logits(start, candidate, setting.work.quality_text(held_out), positions,
                                   seconds, setting.clock, setting.conduct));
    quality.text = setting.work.text_name();
    return quality;
}

void decide(const std::vector<measure::MetricComparison>& measured, bool saves_memory,
            Trial& trial) {
    const measure::MetricComparison& primary = measured.front();
    const double change = primary.change_percent.value_or(0);
    const auto with_change = [&](const char* id) {
        return note(id).with("metric", primary.name).with("change_percent", change);
    };
    if (primary.verdict == Verdict::not_enough_data) {
        return set(trial, TrialStatus::rolled_back, note("rolled_unproved").with("n", primary.n));
    }
    if (primary.verdict == Verdict::regressed) {
        return set(trial, TrialStatus::rolled_back, with_change("rolled_worse"));
    }
    for (const measure::MetricComparison& beside : measured) {
        if (beside.verdict != Verdict::regressed) continue;
        return set(trial, TrialStatus::rolled_back,
                   note("rolled_beside")
                       .with("metric", beside.name)
                       .with("change_percent", beside.change_percent.value_or(0)));
    }
    if (primary.verdict == Verdict::improved) {
        return set(trial, TrialStatus::kept, with_change("kept_better"));
    }
    if (saves_memory) return set(trial, TrialStatus::kept, with_change("kept_memory"));
    // The pairs ran out before the sequential test could say what their interval hints at.
    const auto& ci95 = primary.ci95;
    const bool hints = ci95 && (ci95->low > 0 || ci95->high < 0);
    if (hints && std::abs(change) > measure::kEffectFloorPercent) {
        return set(trial, TrialStatus::rolled_back,
                   with_change("rolled_undecided").with("n", primary.n));
    }
    set(trial, TrialStatus::rolled_back, with_change("rolled_noise"));
}

base::Status test_change(const Side& start, const Side& best, const Side& candidate,
                         bool saves_memory, const TrialSetting& setting, Trial& trial) {
    const int64_t begin_ns = setting.clock.now_ns();
    HONE_TRY(const bool passes, passes_gate(start, best, candidate, setting, trial));
    if (!passes) return {};
    // What quality did not need, speed can use.
    const double quality_s = static_cast<double>(setting.clock.now_ns() - begin_ns) * 1e-9;
    const double speed_s =
        std::max(setting.time.budget_s * (1 - kQualityShare), setting.time.budget_s - quality_s);
    const probe::AbOptions options = setting.work.trial_options(
        setting.number, {speed_s, setting.time.grace_s}, setting.floor_percent);
    HONE_TRY(auto comparison,
             probe::run_ab(ab_side(best, setting.work), ab_side(candidate, setting.work), options,
                           setting.clock, setting.conduct));
    // A comparison cut short decides nothing.
    HONE_TRY_STATUS(setting.conduct.check());
    trial.measured = std::move(comparison.metrics);
    decide(trial.measured, saves_memory, trial);
    return {};
}

}  // namespace hone::tune
