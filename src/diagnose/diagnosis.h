// Diagnosis: a record read through the five layers. The whole room in one call.
//
// A pure function of the record: the same file gives the same diagnosis anywhere. JSON is the
// stable interface of `hone explain --json`; sentences are report's. Not a prediction service: see
// cost/predict.h for what-ifs.
#pragma once

#include <string>
#include <vector>

#include "base/json_fwd.h"
#include "diagnose/attribution.h"
#include "diagnose/breakdown.h"
#include "diagnose/decision.h"
#include "diagnose/experiment_plan.h"
#include "diagnose/grade.h"
#include "diagnose/metrics.h"
#include "diagnose/scenario.h"
#include "diagnose/slo.h"
#include "measure/record.h"

namespace hone::diagnose {

struct Diagnosis {
    MeasurementGrade measurement;
    std::vector<MetricSummary> metrics;
    std::vector<SloVerdict> slo;
    cost::Note slo_error;  // the record carries an SLO that does not parse
    Breakdown breakdown;
    std::vector<Attribution> attribution;
    std::vector<Decision> decisions;
    Outcome outcome;
    ExperimentPlan experiments;
};

Diagnosis diagnose(const measure::RunRecord& record);

// {context, metrics, decomposition, attribution, decisions, outcome, measurement}
base::Json to_json(const Diagnosis& diagnosis, const measure::RunRecord& record);

}  // namespace hone::diagnose
