// ftz: the same steps with denormals flushed to zero and without, on every thread of the team.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "probe/experiment_bench.h"

namespace hone::probe {
namespace {

// Gives the team its own mode back, however the experiment ends.
class ModeGuard {
  public:
    explicit ModeGuard(machine::ThreadTeam& team) : team_(team), before_(team.flush_denormals()) {}
    ModeGuard(const ModeGuard&) = delete;
    ModeGuard& operator=(const ModeGuard&) = delete;
    ~ModeGuard() { team_.set_flush_denormals(before_); }
    bool before() const { return before_; }

  private:
    machine::ThreadTeam& team_;
    bool before_;
};

// The logits of every step of the sample, row after row.
std::vector<float> logits_of(Stepper& stepper, const SampleTokens& tokens) {
    std::vector<float> rows;
    const auto keep = [&](std::span<const float> logits) {
        rows.insert(rows.end(), logits.begin(), logits.end());
    };
    stepper.clear();
    stepper.prefill(0, tokens.prompt);
    keep(stepper.last_logits());
    for (size_t i = 0; i < tokens.steps.size(); ++i) {
        stepper.decode(std::span(tokens.steps).subspan(i, 1));
        keep(stepper.last_logits());
    }
    return rows;
}

void compare(const std::vector<float>& off, const std::vector<float>& on, size_t vocab,
             cost::FlushDenormals& result) {
    for (size_t at = 0; at + vocab <= std::min(off.size(), on.size()); at += vocab) {
        const auto a = std::span(off).subspan(at, vocab);
        const auto b = std::span(on).subspan(at, vocab);
        ++result.rows;
        if (std::memcmp(a.data(), b.data(), vocab * sizeof(float)) == 0) continue;
        ++result.rows_differing;
        for (size_t i = 0; i < vocab; ++i) {
            const double difference = std::fabs(static_cast<double>(a[i]) - b[i]);
            // A logit that is no number on one side has no distance; it counts as differing only.
            if (difference > result.logit_difference_max) result.logit_difference_max = difference;
        }
        const auto best_a = std::max_element(a.begin(), a.end()) - a.begin();
        const auto best_b = std::max_element(b.begin(), b.end()) - b.begin();
        if (best_a != best_b) ++result.top_differing;
    }
}

}  // namespace

ExperimentOutcome ftz(const ExperimentBench& bench, const ExperimentOrder&, const TimeBox& box) {
    graph::Executor& executor = bench.session.executor();
    machine::ThreadTeam& team = executor.team();
    const auto positions = static_cast<uint32_t>(sample_size(bench).positions());
    HONE_TRY(Stepper stepper, Stepper::create(bench.session.config(), executor, 1, positions));
    stepper.want_all_logits();
    base::Random random(bench.options.seed);
    const SampleTokens tokens = draw_sample(bench, random, executor.vocab());
    const ModeGuard guard(team);
    cost::FlushDenormals result;
    result.baseline = guard.before() ? "on" : "off";
    result.off.setting = "off";
    result.on.setting = "on";
    team.set_flush_denormals(false);
    const std::vector<float> kept = logits_of(stepper, tokens);
    team.set_flush_denormals(true);
    compare(kept, logits_of(stepper, tokens), executor.vocab(), result);
    bool on_first = false;
    HONE_TRY_STATUS(bench.rounds(
        box,
        [&]() -> base::Status {
            for (const bool on : {on_first, !on_first}) {
                team.set_flush_denormals(on);
                measure_sample(bench, stepper, tokens, on ? result.on : result.off);
            }
            on_first = !on_first;
            return {};
        },
        [&] {
            return settled(result.on.decode_ns, result.off.decode_ns) &&
                   settled(result.on.prefill_ns, result.off.prefill_ns);
        }));
    return ExperimentResults{cost::to_experiment(result)};
}

double ftz_s(const ExperimentBench& bench, const ExperimentOrder&) {
    // Two comparisons run every step twice.
    return (4 + 2 * ExperimentBench::kRoundsWanted) * sample_s(bench);
}

}  // namespace hone::probe
