// Can this measurement be trusted? The question before all others.
//
// Each check gives a line with its own grade; the worst is the grade of the run. A bad grade lowers
// the confidence of everything below it. Thresholds are in grade.cc with their reasons. Pure.
#pragma once

#include <string>
#include <vector>

#include "cost/note.h"
#include "diagnose/breakdown.h"
#include "diagnose/metrics.h"
#include "measure/record.h"

namespace hone::diagnose {

struct GradeReason {
    char grade = 'A';
    cost::Note note;
};

struct MeasurementGrade {
    char grade = 'A';                  // A (trust it) .. D (measure again)
    std::vector<GradeReason> reasons;  // every check, worst first

    bool is_trusted() const { return grade < 'D'; }
    // What confidences are multiplied by.
    double confidence_factor() const;
};

MeasurementGrade grade_measurement(const measure::RunRecord& record, const Breakdown& breakdown,
                                   const std::vector<MetricSummary>& metrics);

}  // namespace hone::diagnose
