// DraftMeter: whether drafting pays, by measurement.
//
// A step with drafts takes longer and may give several tokens; which of the two wins depends on the
// text, the model, the depth and the machine, and all of them change while a text grows. So steps
// with and without drafts are taken in turn until there are a few of each, and their times per
// token decide:
//
//   trial   in turn, kWindow steps of each             -> on or paused
//   on      drafts; each kWindow steps are compared with the last steps without, which wait for a
//           new trial after kTrialEvery steps          -> trial
//   paused  no drafts for kPauseMin steps, twice as many after each trial that is lost in a row,
//           up to kPauseMax                            -> trial
//
// A window's time is its median step, so that one interruption does not decide; its tokens are
// counted. Where one step in three gains a token, eight of them show none in one case of 25 (six:
// in 11), and a trial that finds out costs few steps. Steps for which the lookup found no draft are
// steps without. Steps with longer gaps (prompts) are not compared. Not a clock: it is told what
// the steps took. The engine does not know it. Thread rule: one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "runtime/step_plan.h"

namespace hone::runtime {

// What drafting did, in steps that decode.
struct DraftCounts {
    uint64_t steps = 0;
    uint64_t drafted_steps = 0;  // of them, with drafts
    uint64_t tokens = 0;         // produced
    uint64_t drafted = 0;        // draft tokens computed
    uint64_t accepted = 0;       // tokens that needed no step of their own

    double accepted_share() const;   // of the drafted; 0 without any
    double tokens_per_step() const;  // 0 without any step
    bool operator==(const DraftCounts&) const = default;
};

class DraftMeter {
  public:
    static constexpr uint32_t kWindow = 8;
    static constexpr uint32_t kTrialEvery = 96;
    static constexpr uint32_t kPauseMin = 64;
    static constexpr uint32_t kPauseMax = 1024;

    // Whether the next step should be planned with drafts.
    bool wants_drafts() const;
    // A step that was planned so: what it computed, the tokens it gave, and from before its
    // scheduling to after its sampling.
    void add(const StepPlan& plan, size_t tokens, double ns);

    bool paused() const { return phase_ == Phase::paused; }
    const DraftCounts& counts() const { return counts_; }

  private:
    enum class Phase { trial, on, paused };
    // The last kWindow steps of a kind.
    struct Window {
        std::array<double, kWindow> ns = {};
        std::array<uint64_t, kWindow> tokens = {};
        uint64_t steps = 0;

        void add(double step_ns, uint64_t step_tokens);
        double ns_per_token() const;  // of a full window
    };

    void begin_trial();
    void compare();

    Phase phase_ = Phase::trial;
    Window plain_;
    Window drafted_;
    uint32_t steps_in_phase_ = 0;
    uint32_t pause_steps_ = kPauseMin;
    DraftCounts counts_;
};

}  // namespace hone::runtime
