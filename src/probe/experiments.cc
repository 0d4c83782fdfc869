#include "probe/experiments.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "probe/experiment_bench.h"

namespace hone::probe {
namespace {

// Decode steps that experiments take beyond the depth, at most.
constexpr int kPositionsBesideDepth = 8;

struct Experiment {
    const char* name;
    double weight;  // of the budget, relative to the others: what it usually takes
    ExperimentOutcome (*run)(const ExperimentBench&, const ExperimentOrder&, const TimeBox&);
};

constexpr Experiment kExperiments[] = {
    {"hot_copy", 1.0, hot_copy},           {"thread_sweep", 3.0, thread_sweep},
    {"batch_sweep", 1.5, batch_sweep},     {"null_graph", 0.1, null_graph},
    {"cold_warm", 0.5, cold_warm},         {"isa_sweep", 2.0, isa_sweep},
    {"pass_ablation", 1.5, pass_ablation}, {"control", 0.5, control},
};

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

double weight_of(const ExperimentOrder& order) {
    const Experiment* experiment = find_experiment(order.name);
    return experiment == nullptr ? 0 : experiment->weight;
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
    const ExperimentBench bench{session, fitting, clock, conduct};
    const TimeBox whole(clock, options.budget_s);
    double weight_left = 0;
    for (const ExperimentOrder& order : orders) weight_left += weight_of(order);
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
        // What earlier ones left over goes to the later ones.
        const double left_s = whole.left_s();
        const TimeBox box(clock, std::max(0.0, left_s) * experiment->weight / weight_left);
        weight_left -= experiment->weight;
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
