// ftz: the same steps with denormals flushed to zero and without, on every thread of the team.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "probe/experiment_bench.h"

namespace hone::probe {
namespace {

constexpr int kDecodeSteps = 4;
constexpr int kPromptTokensMax = 32;

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

struct Tokens {
    std::vector<int32_t> prompt;
    std::vector<int32_t> steps;
};

int prompt_tokens(const ExperimentBench& bench) {
    return std::min(bench.options.depth, kPromptTokensMax);
}

// The logits of every step of the sample, row after row.
std::vector<float> logits_of(Stepper& stepper, const Tokens& tokens) {
    std::vector<float> rows;
    const auto keep = [&](std::span<const float> logits) {
        rows.insert(rows.end(), logits.begin(), logits.end());
    };
    stepper.clear();
    stepper.prefill(0, tokens.prompt);
    keep(stepper.executor().run(stepper.last_input()));
    for (size_t i = 0; i < tokens.steps.size(); ++i) {
        stepper.decode(std::span(tokens.steps).subspan(i, 1));
        keep(stepper.executor().run(stepper.last_input()));
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

void measure_into(const ExperimentBench& bench, Stepper& stepper, const Tokens& tokens,
                  cost::SweepPoint& point) {
    stepper.clear();
    const double prefill_ns = bench.time_ns([&] { stepper.prefill(0, tokens.prompt); });
    const double decode_ns = bench.time_ns([&] {
        for (size_t i = 0; i < tokens.steps.size(); ++i) {
            stepper.decode(std::span(tokens.steps).subspan(i, 1));
        }
    });
    if (prefill_ns <= 0 || decode_ns <= 0) return;
    point.prefill_ns.push_back(prefill_ns / static_cast<double>(tokens.prompt.size()));
    point.decode_ns.push_back(decode_ns / kDecodeSteps);
}

}  // namespace

ExperimentOutcome ftz(const ExperimentBench& bench, const ExperimentOrder&, const TimeBox& box) {
    graph::Executor& executor = bench.session.executor();
    machine::ThreadTeam& team = executor.team();
    const auto positions = static_cast<uint32_t>(prompt_tokens(bench) + kDecodeSteps);
    HONE_TRY(Stepper stepper, Stepper::create(bench.session.config(), executor, 1, positions));
    base::Random random(bench.options.seed);
    const Tokens tokens{
        random_tokens(random, executor.vocab(), static_cast<size_t>(prompt_tokens(bench))),
        random_tokens(random, executor.vocab(), kDecodeSteps)};
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
                measure_into(bench, stepper, tokens, on ? result.on : result.off);
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
    const double sample_ns =
        bench.costs.prefill_token_ns * prompt_tokens(bench) + bench.costs.decode_ns * kDecodeSteps;
    // Two comparisons run every step twice.
    return (4 + 2 * ExperimentBench::kRoundsWanted) * sample_ns * 1e-9;
}

}  // namespace hone::probe
