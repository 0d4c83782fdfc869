#include "probe/experiments.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/json.h"
#include "probe/experiment_bench.h"

namespace hone::probe {
namespace {

// Decode steps that experiments take beyond the depth, at most.
constexpr int kPositionsBesideDepth = 8;
// Of a prompt, to know what a token costs.
constexpr int kCostTokensMax = 64;

struct Experiment {
    const char* name;
    ExperimentRun run;
    ExperimentCost cost_s;
};

#define HONE_EXPERIMENT(name) \
    Experiment {              \
#name, name, name##_s \
    }

constexpr Experiment kExperiments[] = {
    HONE_EXPERIMENT(control),
    HONE_EXPERIMENT(weight_scan),
    HONE_EXPERIMENT(hot_copy),
    HONE_EXPERIMENT(compute_substitution),
    HONE_EXPERIMENT(delay_injection),
    HONE_EXPERIMENT(thread_sweep),
    HONE_EXPERIMENT(batch_sweep),
    HONE_EXPERIMENT(length_sweep),
    HONE_EXPERIMENT(ftz),
    HONE_EXPERIMENT(null_graph),
    HONE_EXPERIMENT(cold_warm),
    HONE_EXPERIMENT(isa_sweep),
    HONE_EXPERIMENT(variant_sweep),
    HONE_EXPERIMENT(pass_ablation),
    HONE_EXPERIMENT(layer_influence),
};

#undef HONE_EXPERIMENT

const Experiment* find_experiment(const std::string& name) {
    const auto* at = std::find_if(std::begin(kExperiments), std::end(kExperiments),
                                  [&](const Experiment& e) { return name == e.name; });
    return at == std::end(kExperiments) ? nullptr : at;
}

measure::ExperimentResult invalid_result(const ExperimentOrder& order, std::string note) {
    measure::ExperimentResult result;
    result.name = order.name;
    result.subject = order.subject;
    result.parameters = base::Json::object();
    result.values = base::Json::object();
    result.valid = false;
    result.note = std::move(note);
    return result;
}

// Nothing costs nothing: reading clocks and opening files is paid for by everyone.
constexpr double kCostMinS = 0.01;

double cost_s(const ExperimentBench& bench, const ExperimentOrder& order) {
    const Experiment* experiment = find_experiment(order.name);
    return experiment == nullptr ? 0 : std::max(kCostMinS, experiment->cost_s(bench, order));
}

// Once warm, once timed: a prompt and a few tokens after it.
base::Result<StepCosts> measure_costs(const ExperimentBench& bench) {
    constexpr int kSteps = 4;
    StepCosts costs;
    for (const auto& [stage, ms] : bench.session.load_stage_ms()) {
        if (stage == "graph" || stage == "plan" || stage == "threads" || stage == "pack" ||
            stage == "map") {
            costs.open_s += ms * 1e-3;
        }
    }
    const int tokens = std::min(bench.options.depth, kCostTokensMax);
    HONE_TRY(Stepper stepper, Stepper::create(bench.session.config(), bench.session.executor(), 1,
                                              static_cast<uint32_t>(tokens + kSteps)));
    base::Random random(bench.options.seed);
    const uint32_t vocab = stepper.executor().vocab();
    const auto prompt = random_tokens(random, vocab, static_cast<size_t>(tokens));
    const auto steps = random_tokens(random, vocab, kSteps);
    for (int pass = 0; pass < 2; ++pass) {
        HONE_TRY_STATUS(bench.conduct.check());
        stepper.clear();
        const double prefill_ns = bench.time_ns([&] { stepper.prefill(0, prompt); });
        const double decode_ns = bench.time_ns([&] {
            for (size_t i = 0; i < steps.size(); ++i) {
                stepper.decode(std::span(steps).subspan(i, 1));
            }
        });
        costs.prefill_token_ns = prefill_ns / tokens;
        costs.decode_ns = decode_ns / kSteps;
    }
    return costs;
}

}  // namespace

std::vector<std::string> experiment_names() {
    std::vector<std::string> names;
    for (const Experiment& experiment : kExperiments) names.emplace_back(experiment.name);
    return names;
}

base::Result<std::vector<measure::ExperimentResult>> run_experiments(
    runtime::Session& session, const std::vector<ExperimentOrder>& orders,
    const ExperimentOptions& options, const base::Clock& clock, const Conduct& conduct) {
    const auto context = static_cast<int>(session.options().limits.context);
    ExperimentOptions fitting = options;
    fitting.depth = std::clamp(options.depth, 1, std::max(1, context - kPositionsBesideDepth));
    ExperimentBench bench{session, fitting, clock, conduct, {}};
    const TimeBox whole(clock, options.budget_s, options.budget_s);
    if (whole.open()) {
        HONE_TRY(bench.costs, measure_costs(bench));
    }
    double needed_s = 0;
    for (const ExperimentOrder& order : orders) needed_s += cost_s(bench, order);
    std::vector<measure::ExperimentResult> results;
    for (size_t i = 0; i < orders.size(); ++i) {
        const ExperimentOrder& order = orders[i];
        HONE_TRY_STATUS(conduct.check());
        conduct.report(order.name, static_cast<double>(i) / static_cast<double>(orders.size()));
        const Experiment* experiment = find_experiment(order.name);
        if (experiment == nullptr) {
            results.push_back(invalid_result(order, "no experiment of that name"));
            continue;
        }
        // A share of what is left, by what it takes: what earlier ones did not need, and what is
        // over when all have their wanted rounds, goes to those that are not sure yet.
        const double own_s = cost_s(bench, order);
        const double left_s = whole.left_s();
        const TimeBox box(clock, std::max(0.0, left_s) * own_s / needed_s, left_s);
        needed_s -= own_s;
        if (left_s <= 0) {
            results.push_back(invalid_result(order, "no time left in the budget"));
            continue;
        }
        ExperimentOutcome outcome = experiment->run(bench, order, box);
        if (outcome) {
            std::move(outcome->begin(), outcome->end(), std::back_inserter(results));
        } else if (outcome.error().code == base::ErrorCode::cancelled) {
            return tl::unexpected<base::Error>(std::move(outcome).error());
        } else {
            results.push_back(invalid_result(order, outcome.error().message));
        }
    }
    conduct.report("experiments", 1);
    return results;
}

}  // namespace hone::probe
