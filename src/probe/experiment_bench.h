// What the experiments of this room share: the session they work on, their time box, their rounds.
//
// Internal to the room; probe/experiments.h is the way in. Each function below is one experiment:
// it returns its results or why there are none (which the dispatcher turns into an invalid result,
// except `cancelled`).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "measure/record.h"
#include "probe/conduct.h"
#include "probe/experiments.h"
#include "probe/stepper.h"
#include "runtime/session.h"

namespace hone::probe {

// An experiment's share of the budget.
class TimeBox {
  public:
    TimeBox(const base::Clock& clock, double seconds)
        : clock_(clock),
          seconds_(seconds),
          end_ns_(clock.now_ns() + static_cast<int64_t>(seconds * 1e9)) {}
    bool open() const { return left_s() > 0; }
    // Less than its own length over its end: what the experiments that follow can still give.
    bool stretchable() const { return left_s() > -seconds_; }
    // Below 0 after the end.
    double left_s() const { return static_cast<double>(end_ns_ - clock_.now_ns()) * 1e-9; }

  private:
    const base::Clock& clock_;
    double seconds_;
    int64_t end_ns_;
};

struct ExperimentBench {
    runtime::Session& session;
    const ExperimentOptions& options;
    const base::Clock& clock;
    const Conduct& conduct;

    // Fewer than three rounds have no median worth the name; six are the fewest that give it an
    // interval; with more than 24 the interval no longer shrinks by anything that matters.
    static constexpr int kRoundsMin = 3;
    static constexpr int kRoundsWanted = 6;
    static constexpr int kRoundsMax = 24;

    // Calls round() while the box is open, for the wanted rounds also a little longer, and
    // kRoundsMin times in any case. cancelled, or its error.
    template <class Round>
    base::Status rounds(const TimeBox& box, Round&& round) const {
        for (int i = 0; i < kRoundsMax; ++i) {
            const bool needed = i < kRoundsMin || (i < kRoundsWanted && box.stretchable());
            if (!needed && !box.open()) break;
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

using ExperimentResults = std::vector<measure::ExperimentResult>;
using ExperimentOutcome = base::Result<ExperimentResults>;

// hot_copy.cc
ExperimentOutcome hot_copy(const ExperimentBench& bench, const ExperimentOrder& order,
                           const TimeBox& box);
// executor_sweep.cc
ExperimentOutcome thread_sweep(const ExperimentBench& bench, const ExperimentOrder& order,
                               const TimeBox& box);
ExperimentOutcome isa_sweep(const ExperimentBench& bench, const ExperimentOrder& order,
                            const TimeBox& box);
ExperimentOutcome pass_ablation(const ExperimentBench& bench, const ExperimentOrder& order,
                                const TimeBox& box);
// batch_sweep.cc
ExperimentOutcome batch_sweep(const ExperimentBench& bench, const ExperimentOrder& order,
                              const TimeBox& box);
// null_graph.cc
ExperimentOutcome null_graph(const ExperimentBench& bench, const ExperimentOrder& order,
                             const TimeBox& box);
ExperimentOutcome control(const ExperimentBench& bench, const ExperimentOrder& order,
                          const TimeBox& box);
// cold_warm.cc
ExperimentOutcome cold_warm(const ExperimentBench& bench, const ExperimentOrder& order,
                            const TimeBox& box);

}  // namespace hone::probe
