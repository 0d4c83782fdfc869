#include "probe/timing_overhead.h"

#include <vector>

#include "cost/experiments.h"
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
    for (int pair = 0; pair < pairs; ++pair) {
        for (const bool with_timer : {pair % 2 == 0, pair % 2 != 0}) {
            HONE_TRY_STATUS(conduct.check());
            const auto at = stepper.position(0) - static_cast<uint32_t>(depth);
            const int64_t begin_ns = clock.now_ns();
            stepper.decode(std::span(tokens).subspan(at, 1),
                           with_timer ? recorder.timer() : nullptr);
            if (with_timer) {
                recorder.record("decode", stepper.position(0) - 1, stepper.last_shape());
            }
            const auto ns = static_cast<double>(clock.now_ns() - begin_ns);
            (with_timer ? timed : untimed).push_back(ns);
        }
    }
    const auto ratio = cost::ratio_of(timed, untimed);
    if (!ratio) return std::optional<double>();
    return std::optional<double>(ratio->value - 1);
}

}  // namespace hone::probe
