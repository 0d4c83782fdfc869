// What the experiments of this room share: the session they work on, their time box, their rounds.
//
// Internal to the room; probe/experiments.h is the way in. Each function below is one experiment:
// it returns its results or why there are none (which the dispatcher turns into an invalid result,
// except `cancelled`).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cost/experiments.h"
#include "measure/record.h"
#include "probe/conduct.h"
#include "probe/experiments.h"
#include "probe/stepper.h"
#include "runtime/session.h"

namespace hone::probe {

// An experiment's share of the budget, and the end of the whole budget, which nothing passes.
class TimeBox {
  public:
    TimeBox(const base::Clock& clock, double seconds, double seconds_to_the_end)
        : clock_(clock),
          seconds_(seconds),
          begin_ns_(clock.now_ns()),
          last_s_(std::max(seconds, seconds_to_the_end)) {}
    bool open() const { return left_s() > 0; }
    // Less than its own length over its end: what the experiments that follow can still give.
    bool stretchable() const { return left_s() > -seconds_ && !over(); }
    // Nothing of the whole budget is left.
    bool over() const { return to_the_end_s() <= 0; }
    // Below 0 after the end.
    double left_s() const { return seconds_ - passed_s(); }
    double to_the_end_s() const { return last_s_ - passed_s(); }
    // An equal part of what is left, for one of `parts` pieces.
    TimeBox part(size_t parts) const {
        return {clock_, left_s() / static_cast<double>(parts), to_the_end_s()};
    }

  private:
    double passed_s() const { return static_cast<double>(clock_.now_ns() - begin_ns_) * 1e-9; }

    const base::Clock& clock_;
    double seconds_;
    int64_t begin_ns_;
    double last_s_;
};

// What steps of this session cost, measured before the first experiment: every experiment's own
// cost is estimated from these.
struct StepCosts {
    double prefill_token_ns = 0;
    double decode_ns = 0;  // of one sequence
    double open_s = 0;     // a second executor
};

// Whether more rounds would change nothing that matters: the interval of the paired ratio is within
// 2 % of it, or within a tenth of its distance from 1.
inline bool settled(const std::vector<double>& after, const std::vector<double>& before) {
    const auto ratio = cost::ratio_of(after, before);
    if (!ratio || !ratio->has_interval) return false;
    const double half_width = (ratio->high - ratio->low) / 2;
    return half_width <= std::max(0.02 * ratio->value, 0.1 * std::fabs(ratio->value - 1));
}

struct ExperimentBench {
    runtime::Session& session;
    const ExperimentOptions& options;
    const base::Clock& clock;
    const Conduct& conduct;
    StepCosts costs = {};

    // Fewer than three rounds have no median worth the name; six are the fewest that give it an
    // interval. Rounds of a small model take a millisecond, and on a busy machine it takes hundreds
    // of pairs before a change by a few percent shows; the record bounds them.
    static constexpr int kRoundsMin = 3;
    static constexpr int kRoundsWanted = 6;
    static constexpr int kRoundsMax = 240;

    // Calls round() while the box is open, for the wanted rounds also a little longer, and
    // kRoundsMin times in any case, unless the whole budget is over; ends early when, after the
    // wanted rounds, clear() says so. cancelled, deadline (too few rounds), or round's error.
    template <class Round, class Clear>
    base::Status rounds(const TimeBox& box, Round&& round, Clear&& clear) const {
        for (int i = 0; i < kRoundsMax; ++i) {
            const bool needed = i < kRoundsMin || (i < kRoundsWanted && box.stretchable());
            if (!needed && !box.open()) break;
            if (i >= kRoundsWanted && clear()) break;
            if (i < kRoundsMin && box.over()) {
                return base::fail(base::ErrorCode::deadline, "the budget ended after {} rounds", i);
            }
            HONE_TRY_STATUS(conduct.check());
            HONE_TRY_STATUS(round());
        }
        return {};
    }

    // Wall ns of what `work` does.
    template <class Work>
    double time_ns(Work&& work) const {
        const int64_t begin_ns = clock.now_ns();
        work();
        return static_cast<double>(clock.now_ns() - begin_ns);
    }
};

// One sample of both rates: a prompt, and the decode steps that continue it.
struct SampleTokens {
    std::vector<int32_t> prompt;
    std::vector<int32_t> steps;
};
struct SampleSize {
    int prompt_tokens = 0;
    int decode_steps = 0;
    int positions() const { return prompt_tokens + decode_steps; }
};

// experiment_sample.cc
// As long a prompt as the run's own where that takes no time, and steps enough for a few
// milliseconds, so that neither the clock nor one preemption makes a sample.
SampleSize sample_size(const ExperimentBench& bench);
double sample_s(const ExperimentBench& bench);
SampleTokens draw_sample(const ExperimentBench& bench, base::Random& random, uint32_t vocab);
// Adds the times per token to the point, unless the clock did not move.
void measure_sample(const ExperimentBench& bench, Stepper& stepper, const SampleTokens& tokens,
                    cost::SweepPoint& point);

// exhausted when as many more executors of this model would take over half of the free memory.
base::Status check_memory(const ExperimentBench& bench, size_t executors);
// The same, or deadline: opening them would take longer than the whole budget lasts.
base::Status check_affordable(const ExperimentBench& bench, size_t executors, const TimeBox& box);

using ExperimentResults = std::vector<measure::ExperimentResult>;
using ExperimentOutcome = base::Result<ExperimentResults>;

// One experiment: how long its wanted rounds take, in seconds, and the run itself.
using ExperimentCost = double (*)(const ExperimentBench&, const ExperimentOrder&);
using ExperimentRun = ExperimentOutcome (*)(const ExperimentBench&, const ExperimentOrder&,
                                            const TimeBox&);

// operator_swaps.cc
ExperimentOutcome hot_copy(const ExperimentBench& bench, const ExperimentOrder& order,
                           const TimeBox& box);
double hot_copy_s(const ExperimentBench& bench, const ExperimentOrder& order);
ExperimentOutcome compute_substitution(const ExperimentBench& bench, const ExperimentOrder& order,
                                       const TimeBox& box);
double compute_substitution_s(const ExperimentBench& bench, const ExperimentOrder& order);
// delay_injection.cc
ExperimentOutcome delay_injection(const ExperimentBench& bench, const ExperimentOrder& order,
                                  const TimeBox& box);
double delay_injection_s(const ExperimentBench& bench, const ExperimentOrder& order);
// executor_sweep.cc
ExperimentOutcome thread_sweep(const ExperimentBench& bench, const ExperimentOrder& order,
                               const TimeBox& box);
double thread_sweep_s(const ExperimentBench& bench, const ExperimentOrder& order);
ExperimentOutcome isa_sweep(const ExperimentBench& bench, const ExperimentOrder& order,
                            const TimeBox& box);
double isa_sweep_s(const ExperimentBench& bench, const ExperimentOrder& order);
ExperimentOutcome variant_sweep(const ExperimentBench& bench, const ExperimentOrder& order,
                                const TimeBox& box);
double variant_sweep_s(const ExperimentBench& bench, const ExperimentOrder& order);
ExperimentOutcome pass_ablation(const ExperimentBench& bench, const ExperimentOrder& order,
                                const TimeBox& box);
double pass_ablation_s(const ExperimentBench& bench, const ExperimentOrder& order);
// size_sweeps.cc
ExperimentOutcome batch_sweep(const ExperimentBench& bench, const ExperimentOrder& order,
                              const TimeBox& box);
double batch_sweep_s(const ExperimentBench& bench, const ExperimentOrder& order);
ExperimentOutcome length_sweep(const ExperimentBench& bench, const ExperimentOrder& order,
                               const TimeBox& box);
double length_sweep_s(const ExperimentBench& bench, const ExperimentOrder& order);
// flush_denormals.cc
ExperimentOutcome ftz(const ExperimentBench& bench, const ExperimentOrder& order,
                      const TimeBox& box);
double ftz_s(const ExperimentBench& bench, const ExperimentOrder& order);
// null_graph.cc
ExperimentOutcome null_graph(const ExperimentBench& bench, const ExperimentOrder& order,
                             const TimeBox& box);
double null_graph_s(const ExperimentBench& bench, const ExperimentOrder& order);
ExperimentOutcome control(const ExperimentBench& bench, const ExperimentOrder& order,
                          const TimeBox& box);
double control_s(const ExperimentBench& bench, const ExperimentOrder& order);
// cold_warm.cc
ExperimentOutcome cold_warm(const ExperimentBench& bench, const ExperimentOrder& order,
                            const TimeBox& box);
double cold_warm_s(const ExperimentBench& bench, const ExperimentOrder& order);
// layer_influence.cc
ExperimentOutcome layer_influence(const ExperimentBench& bench, const ExperimentOrder& order,
                                  const TimeBox& box);
double layer_influence_s(const ExperimentBench& bench, const ExperimentOrder& order);
// weight_scan.cc
ExperimentOutcome weight_scan(const ExperimentBench& bench, const ExperimentOrder& order,
                              const TimeBox& box);
double weight_scan_s(const ExperimentBench& bench, const ExperimentOrder& order);

}  // namespace hone::probe
