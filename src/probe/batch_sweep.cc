#include <algorithm>
#include <charconv>
#include <set>

#include "cost/experiments.h"
#include "measure/statistics.h"
#include "probe/experiment_bench.h"

namespace hone::probe {
namespace {

using base::ErrorCode;
using base::fail;

constexpr int kStepsPerSample = 4;
constexpr int kBatchMax = 64;

base::Result<std::vector<int>> batches_of(const ExperimentOrder& order) {
    if (order.settings.empty()) return std::vector<int>{1, 2, 4, 8, 16};
    std::set<int> batches;
    for (const std::string& setting : order.settings) {
        int value = 0;
        const char* end = setting.data() + setting.size();
        const auto parsed = std::from_chars(setting.data(), end, value);
        if (parsed.ec != std::errc() || parsed.ptr != end || value < 1 || value > kBatchMax) {
            return fail(ErrorCode::invalid_argument, "'{}' is no batch size up to {}", setting,
                        kBatchMax);
        }
        batches.insert(value);
    }
    return std::vector<int>(batches.begin(), batches.end());
}

double step_ns(const ExperimentBench& bench, Stepper& stepper, base::Random& random, int batch) {
    const auto tokens = random_tokens(random, stepper.executor().vocab(),
                                      static_cast<size_t>(batch * kStepsPerSample));
    stepper.clear();
    const double total_ns = bench.time_ns([&] {
        for (int i = 0; i < kStepsPerSample; ++i) {
            stepper.decode(std::span(tokens).subspan(static_cast<size_t>(i * batch),
                                                     static_cast<size_t>(batch)));
        }
    });
    return total_ns / kStepsPerSample;
}

measure::ExperimentResult result_of(const cost::Sweep& sweep, const std::vector<int>& batches) {
    measure::ExperimentResult result = cost::to_experiment(sweep);
    std::vector<double> x;
    std::vector<double> y;
    for (size_t i = 0; i < batches.size(); ++i) {
        x.push_back(batches[i]);
        y.push_back(measure::median(sweep.points[i].decode_ns).value_or(0));
        result.values["points"][i]["batch"] = batches[i];
        result.values["points"][i]["step_ns"] = y.back();
    }
    if (const auto line = measure::fit_line(x, y)) {
        result.values["intercept_ns"] = line->intercept;
        result.values["slope_ns"] = line->slope;
    }
    return result;
}

}  // namespace

ExperimentOutcome batch_sweep(const ExperimentBench& bench, const ExperimentOrder& order,
                              const TimeBox& box) {
    HONE_TRY(std::vector<int> batches, batches_of(order));
    const int own = std::clamp(bench.options.batch, 1, kBatchMax);
    const auto at = std::lower_bound(batches.begin(), batches.end(), own);
    if (at == batches.end() || *at != own) batches.insert(at, own);
    graph::Executor* executor = &bench.session.executor();
    const auto together =
        static_cast<int>(std::min(executor->outputs_max(), executor->tokens_max()));
    // A session for one user has room for one row of logits: the sweep opens a wider executor.
    std::optional<runtime::ExecutorParts> wider;
    if (batches.back() > together) {
        runtime::LoadOptions options = bench.session.options();
        options.limits.sequences_max = static_cast<uint32_t>(batches.back());
        options.limits.step_tokens_max =
            std::max(options.limits.step_tokens_max, options.limits.sequences_max);
        HONE_TRY(wider, bench.session.make_executor(options));
        executor = wider->executor.get();
    }
    HONE_TRY(Stepper stepper,
             Stepper::create(bench.session.config(), *executor,
                             static_cast<uint32_t>(batches.back()), kStepsPerSample));
    cost::Sweep sweep{"batch_sweep", order.subject, std::to_string(own), {}};
    for (const int batch : batches) sweep.points.push_back({std::to_string(batch), {}, {}});
    base::Random random(bench.options.seed);
    (void)step_ns(bench, stepper, random, batches.back());
    HONE_TRY_STATUS(bench.rounds(box, [&]() -> base::Status {
        for (size_t i = 0; i < batches.size(); ++i) {
            HONE_TRY_STATUS(bench.conduct.check());
            sweep.points[i].decode_ns.push_back(step_ns(bench, stepper, random, batches[i]));
        }
        return {};
    }));
    return ExperimentResults{result_of(sweep, batches)};
}

}  // namespace hone::probe
