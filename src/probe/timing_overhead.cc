#include "probe/timing_overhead.h"

#include <vector>

#include "measure/statistics.h"
#include "probe/step_recorder.h"

namespace hone::probe {

base::Result<std::optional<double>> timing_overhead_share(Stepper& stepper,
                                                          const base::Clock& clock, int depth,
                                                          int pairs, const Conduct& conduct) {
    const graph::Plan& plan = stepper.executor().plan();
    StepRecorder recorder(plan, plan.options.threads, clock);
    base::Random random(1);
    stepper.clear();
    stepper.prefill(0, random_tokens(random, plan.vocab, static_cast<size_t>(depth)));
    const auto tokens = random_tokens(random, plan.vocab, static_cast<size_t>(2 * pairs));
    std::vector<double> timed;
    std::vector<double> untimed;
    for (int i = 0; i < 2 * pairs; ++i) {
        HONE_TRY_STATUS(conduct.check());
        const bool with_timer = i % 4 == 0 || i % 4 == 3;
        const int64_t begin_ns = clock.now_ns();
        stepper.decode(std::span(tokens).subspan(static_cast<size_t>(i), 1),
                       with_timer ? recorder.timer() : nullptr);
        if (with_timer) {
            recorder.record("decode", stepper.position(0) - 1, stepper.last_shape());
        }
        const double ns = static_cast<double>(clock.now_ns() - begin_ns);
        (with_timer ? timed : untimed).push_back(ns);
    }
    const auto with = measure::median(timed);
    const auto without = measure::median(untimed);
    if (!with || !without || *without <= 0) return std::optional<double>();
    return std::optional<double>(*with / *without - 1.0);
}

}  // namespace hone::probe
