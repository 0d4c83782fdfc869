#include "cost/simulate_run.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace hone::cost {
namespace {

using measure::RunRecord;

// A long generation is timed at so many of its positions; between them a step grows evenly.
constexpr uint64_t kPositionsMax = 24;
constexpr double kNormal95 = 1.959964;

struct RequestShape {
    uint64_t prompt = 0;
    uint64_t output = 0;
    auto operator<=>(const RequestShape&) const = default;
};

// Equal requests are simulated once.
std::map<RequestShape, double> requests_of(const RunRecord& record) {
    std::map<RequestShape, double> out;
    for (const measure::RequestSample& request : record.requests) {
        if (request.prompt_tokens <= 0) continue;
        out[{static_cast<uint64_t>(request.prompt_tokens),
             static_cast<uint64_t>(std::max(0, request.output_tokens))}] += 1;
    }
    if (!out.empty()) return out;
    const measure::RunContext& context = record.context;
    if (context.prompt_tokens > 0 || context.output_tokens > 0) {
        out[{static_cast<uint64_t>(std::max(0, context.prompt_tokens)),
             static_cast<uint64_t>(std::max(0, context.output_tokens))}] = 1;
    }
    return out;
}

// How many tokens of a prompt the run put into one step.
uint64_t step_tokens_of(const RunRecord& record) {
    double most = 1;
    for (const measure::OperatorSample& sample : record.operators) {
        if (sample.slice != "prefill" || sample.calls == 0) continue;
        most =
            std::max(most, static_cast<double>(sample.tokens) / static_cast<double>(sample.calls));
    }
    return static_cast<uint64_t>(std::ceil(most));
}

class RunSimulator {
  public:
    RunSimulator(const RunRecord& record, const StepModel& model) : record_(record), model_(model) {
        step_tokens_ = step_tokens_of(record);
    }

    // The prompts of all requests.
    std::optional<StepTime> prefill(const std::map<RequestShape, double>& requests,
                                    const RunPlan& plan) const {
        StepTime sum;
        for (const auto& [request, count] : requests) {
            const auto needed = static_cast<uint64_t>(
                std::llround(static_cast<double>(request.prompt) * (1 - plan.padding_share)));
            const uint64_t end = std::max<uint64_t>(1, needed);
            // The last token is always computed: its logits are wanted.
            const uint64_t begin = std::min(plan.reused_tokens, end - 1);
            const auto time = prompt(begin, end, plan);
            if (!time) return std::nullopt;
            sum += time->times(count);
        }
        return sum;
    }

    // The output tokens of all requests but the first of each, which is the prompt's.
    std::optional<StepTime> decode(const std::map<RequestShape, double>& requests,
                                   const RunPlan& plan) const {
        StepTime sum;
        for (const auto& [request, count] : requests) {
            if (request.output < 2) continue;
            // Without requests a test of the engine begins with an empty cache.
            const uint64_t own = record_.requests.empty() ? 0 : request.prompt;
            const auto time = tokens(plan.depth.value_or(own), request.output - 1, plan);
            if (!time) return std::nullopt;
            sum += time->times(count);
        }
        return sum;
    }

  private:
    std::optional<StepTime> prompt(uint64_t begin, uint64_t end, const RunPlan& plan) const {
        const uint64_t piece = plan.step_tokens > 0 ? plan.step_tokens : step_tokens_;
        // As many equal pieces as it takes.
        const uint64_t pieces = (end - begin + piece - 1) / piece;
        StepTime sum;
        for (uint64_t i = 0; i < pieces; ++i) {
            const uint64_t from = begin + (end - begin) * i / pieces;
            const uint64_t to = begin + (end - begin) * (i + 1) / pieces;
            StepShape shape;
            shape.add_slice(from, to - from);
            shape.outputs = i + 1 == pieces ? 1 : 0;
            const auto time = model_.step(shape, plan.change);
            if (!time) return std::nullopt;
            sum += *time;
        }
        return sum;
    }

    std::optional<StepTime> tokens(uint64_t first, uint64_t count, const RunPlan& plan) const {
        const int batch = plan.batch > 0 ? plan.batch : std::max(1, record_.context.batch);
        const uint64_t stops = std::min(count, kPositionsMax);
        StepTime sum;
        for (uint64_t i = 0; i < stops; ++i) {
            StepShape shape;
            for (int s = 0; s < batch; ++s)
                shape.add_slice(first + (2 * i + 1) * count / (2 * stops), 1);
            shape.outputs = static_cast<uint64_t>(batch);
            const auto time = model_.step(shape, plan.change);
            if (!time) return std::nullopt;
            sum += time->times(static_cast<double>(count) / static_cast<double>(stops));
        }
        return sum;
    }

    const RunRecord& record_;
    const StepModel& model_;
    uint64_t step_tokens_ = 1;
};

// What is estimated alike on both sides cancels; the rest, and what the control shows, do not.
std::optional<Ratio> ratio_of_steps(const StepTime& before, const StepTime& after, double noise) {
    if (!(before.ns > 0) || !(after.ns > 0)) return std::nullopt;
    Ratio ratio;
    ratio.value = after.ns / before.ns;
    double squares = 0;
    for (size_t kind = 0; kind < after.spread_ns.size(); ++kind) {
        squares +=
            std::pow(after.spread_ns[kind] / after.ns - before.spread_ns[kind] / before.ns, 2);
    }
    const double relative = std::hypot(kNormal95 * std::sqrt(squares), noise);
    // In log space, so that no time is negative.
    ratio.low = ratio.value * std::exp(-relative);
    ratio.high = ratio.value * std::exp(relative);
    ratio.has_interval = relative > 0;
    return ratio;
}

double prefill_share(const RunRecord& record) {
    double prefill = 0;
    double all = 0;
    for (const measure::OperatorSample& sample : record.operators) {
        const double wall = sample_wall_ns(sample);
        all += wall;
        if (sample.slice == "prefill") prefill += wall;
    }
    return all > 0 ? prefill / all : 0;
}

}  // namespace

SimulationResult simulate_run(const RunRecord& record, const RunPlan& plan,
                              std::span<const RunRecord> others) {
    Note reason;
    const auto model = StepModel::of(record, others, reason);
    if (!model) return {std::nullopt, reason};
    const auto requests = requests_of(record);
    if (requests.empty()) return {std::nullopt, note("no_request_stages")};
    const RunSimulator simulator(record, *model);
    // The way the run went has samples, so an absent side is the changed one's.
    const auto prefill_before = simulator.prefill(requests, {});
    const auto decode_before = simulator.decode(requests, {});
    const auto prefill_after = simulator.prefill(requests, plan);
    const auto decode_after = simulator.decode(requests, plan);
    if (!prefill_before || !decode_before || !prefill_after || !decode_after) {
        return {std::nullopt, note("no_samples_of_change")};
    }
    const double noise = control_noise(record).value_or(0);
    Simulation simulation;
    const bool decode_only = plan.depth.has_value() || plan.batch > 0;
    if (!decode_only) {
        simulation.prefill = ratio_of_steps(*prefill_before, *prefill_after, noise);
    }
    simulation.decode = ratio_of_steps(*decode_before, *decode_after, noise);
    if (!simulation.prefill && !simulation.decode) return {std::nullopt, note("no_request_stages")};
    const bool same = simulation.prefill.value_or(Ratio{}).value == 1 &&
                      simulation.decode.value_or(Ratio{}).value == 1;
    if (same) return {std::nullopt, note("nothing_to_change").with("setting", "")};
    simulation.tier =
        decode_only ? decode_after->tier : std::min(prefill_after->tier, decode_after->tier);
    simulation.batch = plan.batch > 0 ? plan.batch : std::max(1, record.context.batch);
    double all = 0;
    for (const measure::OperatorSample& sample : record.operators) all += sample_wall_ns(sample);
    const double prefill_ns = all * prefill_share(record);
    simulation.before_ns = all;
    simulation.after_ns = prefill_ns * simulation.prefill.value_or(Ratio{}).value +
                          (all - prefill_ns) * simulation.decode.value_or(Ratio{}).value;
    return {simulation, {}};
}

}  // namespace hone::cost
