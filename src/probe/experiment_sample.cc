#include <algorithm>

#include "probe/experiment_bench.h"

namespace hone::probe {
namespace {

// A few tiles of every linear, and steps enough for the caches to be in their usual state.
constexpr int kPromptTokensMin = 32;
constexpr int kDecodeStepsMin = 4;
constexpr int kDecodeStepsMax = 32;
// Long against the clock, short enough for many pairs of a small model. A prompt may take longer:
// what a pass saves can depend on its length.
constexpr double kPromptNs = 20e6;
constexpr double kDecodeNs = 3e6;

int tokens_in(double ns, double token_ns, int most) {
    if (!(token_ns > 0)) return most;
    return static_cast<int>(std::min(ns / token_ns, static_cast<double>(most)));
}

}  // namespace

SampleSize sample_size(const ExperimentBench& bench) {
    SampleSize size;
    const int own = bench.options.depth;
    size.prompt_tokens = std::min(
        own, std::max(kPromptTokensMin, tokens_in(kPromptNs, bench.costs.prefill_token_ns, own)));
    const int room = static_cast<int>(bench.session.options().limits.context) - size.prompt_tokens;
    const int steps = tokens_in(kDecodeNs, bench.costs.decode_ns, kDecodeStepsMax);
    size.decode_steps = std::max(kDecodeStepsMin, std::min(steps, room));
    return size;
}

double sample_s(const ExperimentBench& bench) {
    const SampleSize size = sample_size(bench);
    return (bench.costs.prefill_token_ns * size.prompt_tokens +
            bench.costs.decode_ns * (size.decode_steps + 1)) *
           1e-9;
}

SampleTokens draw_sample(const ExperimentBench& bench, base::Random& random, uint32_t vocab) {
    const SampleSize size = sample_size(bench);
    SampleTokens tokens;
    tokens.prompt = random_tokens(random, vocab, static_cast<size_t>(size.prompt_tokens));
    tokens.steps = random_tokens(random, vocab, static_cast<size_t>(size.decode_steps));
    return tokens;
}

void measure_sample(const ExperimentBench& bench, Stepper& stepper, const SampleTokens& tokens,
                    cost::SweepPoint& point) {
    // In a run the caches hold what the step before left; here another setting's weights may be
    // there.
    stepper.clear();
    stepper.decode(std::span(tokens.steps).first(1));
    stepper.clear();
    const double prefill_ns = bench.time_ns([&] { stepper.prefill(0, tokens.prompt); });
    const double decode_ns = bench.time_ns([&] {
        for (size_t i = 0; i < tokens.steps.size(); ++i) {
            stepper.decode(std::span(tokens.steps).subspan(i, 1));
        }
    });
    if (prefill_ns <= 0 || decode_ns <= 0) return;
    point.prefill_ns.push_back(prefill_ns / static_cast<double>(tokens.prompt.size()));
    point.decode_ns.push_back(decode_ns / static_cast<double>(tokens.steps.size()));
}

}  // namespace hone::probe
