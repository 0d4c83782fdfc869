// The layers of the explain report, one function each; explain_report.cc puts them in order.
#pragma once

#include <vector>

#include "diagnose/diagnosis.h"
#include "report/page.h"

namespace hone::report {

void add_metric_table(Page& page, const std::vector<diagnose::MetricSummary>& metrics);
void add_decomposition(Page& page, const diagnose::Breakdown& breakdown);
void add_attribution(Page& page, const std::vector<diagnose::Attribution>& attributions);
void add_decisions(Page& page, const diagnose::Diagnosis& diagnosis);
void add_experiments(Page& page, const diagnose::ExperimentPlan& plan);

// A sample of a metric as its unit wants it: bytes scaled, shares as percent, else four digits.
std::string metric_value(std::string_view unit, double value);

}  // namespace hone::report
