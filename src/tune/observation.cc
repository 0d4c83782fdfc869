#include "tune/observation.h"

#include <algorithm>

#include "diagnose/experiment_plan.h"
#include "probe/experiments.h"

namespace hone::tune {

base::Result<measure::RunRecord> observe(runtime::Session& session,
                                         const probe::ScenarioOptions& run,
                                         const ObservationBudget& budget,
                                         const probe::RunSetting& setting,
                                         const probe::Conduct& conduct) {
    const int64_t begin_ns = setting.clock.now_ns();
    HONE_TRY(auto record, probe::run_scenario(session, run, setting, conduct));
    std::vector<probe::ExperimentOrder> orders;
    for (const auto& request : diagnose::plan_experiments(record).requests) {
        orders.push_back({request.name, request.subject, request.slice, request.settings});
    }
    const double spent_s = static_cast<double>(setting.clock.now_ns() - begin_ns) * 1e-9;
    probe::ExperimentOptions experiments;
    experiments.budget_s = std::max(budget.experiments_least_s, budget.all_s - spent_s);
    experiments.depth = record.context.prompt_tokens;
    experiments.batch = run.batch;
    HONE_TRY(auto results,
             probe::run_experiments(session, orders, experiments, setting.clock, conduct));
    for (auto& result : results) record.experiments.push_back(std::move(result));
    return record;
}

}  // namespace hone::tune
