// batch_sweep and length_sweep: the slope is the work of one more sequence or token, the intercept
// is what a step costs anyway.
#include <algorithm>
#include <charconv>
#include <set>

#include "base/json.h"
#include "measure/statistics.h"
#include "probe/experiment_bench.h"

namespace hone::probe {
namespace {

using base::ErrorCode;
using base::fail;

constexpr int kStepsPerSample = 4;
constexpr int kBatchMax = 64;
// Tokens of each sequence's prompt in a batch.
constexpr int kPromptTokensMax = 32;
constexpr size_t kSizesMax = 16;

base::Result<std::vector<int>> sizes_of(const ExperimentOrder& order, std::set<int> fallback,
                                        int most) {
    std::set<int> sizes;
    for (const std::string& setting : order.settings) {
        int value = 0;
        const char* end = setting.data() + setting.size();
        const auto parsed = std::from_chars(setting.data(), end, value);
        if (parsed.ec != std::errc() || parsed.ptr != end || value < 1 || value > most) {
            return fail(ErrorCode::invalid_argument, "'{}' is no size from 1 to {}", setting, most);
        }
        sizes.insert(value);
    }
    if (sizes.empty()) sizes = std::move(fallback);
    if (sizes.size() > kSizesMax) {
        return fail(ErrorCode::invalid_argument, "more than {} settings", kSizesMax);
    }
    return std::vector<int>(sizes.begin(), sizes.end());
}

base::Result<std::vector<int>> batches_of(const ExperimentBench& bench,
                                          const ExperimentOrder& order) {
    HONE_TRY(std::vector<int> batches, sizes_of(order, {1, 2, 4, 8, 16}, kBatchMax));
    const int own = std::clamp(bench.options.batch, 1, kBatchMax);
    const auto at = std::lower_bound(batches.begin(), batches.end(), own);
    if (at == batches.end() || *at != own) batches.insert(at, own);
    return batches;
}

base::Result<std::vector<int>> lengths_of(const ExperimentBench& bench,
                                          const ExperimentOrder& order) {
    const int own = bench.options.depth;
    const int most = static_cast<int>(bench.session.options().limits.context);
    HONE_TRY(std::vector<int> lengths,
             sizes_of(order, {std::max(1, own / 4), std::max(1, own / 2), own}, most));
    const auto at = std::lower_bound(lengths.begin(), lengths.end(), own);
    if (at == lengths.end() || *at != own) lengths.insert(at, own);
    return lengths;
}

int batch_prompt_tokens(const ExperimentBench& bench) {
    return std::min(bench.options.depth, kPromptTokensMax);
}

// One sample of a batch: its prompts together, then steps of one token each.
void measure_batch(const ExperimentBench& bench, Stepper& stepper, base::Random& random, int batch,
                   cost::SweepPoint& point) {
    const uint32_t vocab = stepper.executor().vocab();
    const int length = batch_prompt_tokens(bench);
    const auto prompts = random_tokens(random, vocab, static_cast<size_t>(batch * length));
    const auto steps = random_tokens(random, vocab, static_cast<size_t>(batch * kStepsPerSample));
    stepper.clear();
    const double prefill_ns =
        bench.time_ns([&] { stepper.prefill_together(prompts, static_cast<uint32_t>(batch)); });
    const double decode_ns = bench.time_ns([&] {
        for (int i = 0; i < kStepsPerSample; ++i) {
            stepper.decode(std::span(steps).subspan(static_cast<size_t>(i * batch),
                                                    static_cast<size_t>(batch)));
        }
    });
    if (prefill_ns <= 0 || decode_ns <= 0) return;
    point.prefill_ns.push_back(prefill_ns);
    point.decode_ns.push_back(decode_ns / kStepsPerSample);
}

std::vector<double> medians(const std::vector<cost::SweepPoint>& points,
                            std::vector<double> cost::SweepPoint::*times) {
    std::vector<double> y;
    for (const cost::SweepPoint& point : points) {
        y.push_back(measure::median(point.*times).value_or(0));
    }
    return y;
}

void store_line(const std::vector<int>& sizes, const std::vector<double>& times_ns,
                measure::ExperimentResult& result) {
    const std::vector<double> x(sizes.begin(), sizes.end());
    if (const auto line = measure::fit_line(x, times_ns)) {
        result.values["intercept_ns"] = line->intercept;
        result.values["slope_ns"] = line->slope;
    }
}

// Every point against the one before it: neighbours are what a slope is made of.
bool all_settled(const std::vector<cost::SweepPoint>& points,
                 std::vector<double> cost::SweepPoint::*times) {
    for (size_t i = 1; i < points.size(); ++i) {
        if (!settled(points[i].*times, points[i - 1].*times)) return false;
    }
    return true;
}

base::Result<std::optional<runtime::ExecutorParts>> wider_executor(const ExperimentBench& bench,
                                                                   int batch) {
    const graph::Executor& executor = bench.session.executor();
    const auto together = std::min(executor.outputs_max(), executor.tokens_max());
    if (static_cast<uint32_t>(batch) <= together) return std::optional<runtime::ExecutorParts>();
    runtime::LoadOptions options = bench.session.options();
    options.limits.sequences_max = static_cast<uint32_t>(batch);
    options.limits.step_tokens_max =
        std::max(options.limits.step_tokens_max, options.limits.sequences_max);
    HONE_TRY_STATUS(check_memory(bench, 1));
    HONE_TRY(auto parts, bench.session.make_executor(options));
    return std::optional<runtime::ExecutorParts>(std::move(parts));
}

}  // namespace

ExperimentOutcome batch_sweep(const ExperimentBench& bench, const ExperimentOrder& order,
                              const TimeBox& box) {
    HONE_TRY(const std::vector<int> batches, batches_of(bench, order));
    // A session for one user has room for one row of logits: the sweep opens a wider executor.
    HONE_TRY(const auto wider, wider_executor(bench, batches.back()));
    graph::Executor& executor = wider ? *wider->executor : bench.session.executor();
    HONE_TRY(
        Stepper stepper,
        Stepper::create(bench.session.config(), executor, static_cast<uint32_t>(batches.back()),
                        static_cast<uint32_t>(batch_prompt_tokens(bench) + kStepsPerSample)));
    const int own = std::clamp(bench.options.batch, 1, kBatchMax);
    cost::Sweep sweep{"batch_sweep", order.subject, std::to_string(own), {}};
    for (const int batch : batches) sweep.points.push_back({std::to_string(batch), {}, {}});
    base::Random random(bench.options.seed);
    cost::SweepPoint warm_up;
    measure_batch(bench, stepper, random, batches.back(), warm_up);
    HONE_TRY_STATUS(bench.rounds(
        box,
        [&]() -> base::Status {
            for (size_t i = 0; i < batches.size(); ++i) {
                HONE_TRY_STATUS(bench.conduct.check());
                measure_batch(bench, stepper, random, batches[i], sweep.points[i]);
            }
            return {};
        },
        [&] { return all_settled(sweep.points, &cost::SweepPoint::decode_ns); }));
    measure::ExperimentResult result = cost::to_experiment(sweep);
    result.parameters["prompt_tokens"] = batch_prompt_tokens(bench);
    const auto step_ns = medians(sweep.points, &cost::SweepPoint::decode_ns);
    for (size_t i = 0; i < batches.size(); ++i) {
        result.values["points"][i]["batch"] = batches[i];
        result.values["points"][i]["step_ns"] = step_ns[i];
    }
    store_line(batches, step_ns, result);
    return ExperimentResults{std::move(result)};
}

double batch_sweep_s(const ExperimentBench& bench, const ExperimentOrder& order) {
    const auto batches = batches_of(bench, order);
    if (!batches) return 0;
    double round_ns = 0;
    for (const int batch : *batches) {
        round_ns += bench.costs.prefill_token_ns * batch * batch_prompt_tokens(bench);
        // Sequences of a step share the weights: far less than a step for each.
        round_ns += bench.costs.decode_ns * kStepsPerSample * (1 + 0.3 * (batch - 1));
    }
    const auto together = static_cast<int>(bench.session.executor().outputs_max());
    const double open_s = batches->back() > together ? bench.costs.open_s : 0;
    return open_s + ExperimentBench::kRoundsWanted * round_ns * 1e-9;
}

ExperimentOutcome length_sweep(const ExperimentBench& bench, const ExperimentOrder& order,
                               const TimeBox& box) {
    HONE_TRY(const std::vector<int> lengths, lengths_of(bench, order));
    HONE_TRY(Stepper stepper, Stepper::create(bench.session.config(), bench.session.executor(), 1,
                                              static_cast<uint32_t>(lengths.back())));
    cost::Sweep sweep{"length_sweep", order.subject, std::to_string(bench.options.depth), {}};
    for (const int length : lengths) sweep.points.push_back({std::to_string(length), {}, {}});
    base::Random random(bench.options.seed);
    HONE_TRY_STATUS(bench.rounds(
        box,
        [&]() -> base::Status {
            for (size_t i = 0; i < lengths.size(); ++i) {
                HONE_TRY_STATUS(bench.conduct.check());
                const auto prompt = random_tokens(random, stepper.executor().vocab(),
                                                  static_cast<size_t>(lengths[i]));
                stepper.clear();
                const double ns = bench.time_ns([&] { stepper.prefill(0, prompt); });
                if (ns > 0) sweep.points[i].prefill_ns.push_back(ns);
            }
            return {};
        },
        [&] { return all_settled(sweep.points, &cost::SweepPoint::prefill_ns); }));
    measure::ExperimentResult result = cost::to_experiment(sweep);
    store_line(lengths, medians(sweep.points, &cost::SweepPoint::prefill_ns), result);
    return ExperimentResults{std::move(result)};
}

double length_sweep_s(const ExperimentBench& bench, const ExperimentOrder& order) {
    const auto lengths = lengths_of(bench, order);
    if (!lengths) return 0;
    double tokens = 0;
    for (const int length : *lengths) tokens += length;
    return ExperimentBench::kRoundsWanted * tokens * bench.costs.prefill_token_ns * 1e-9;
}

}  // namespace hone::probe
