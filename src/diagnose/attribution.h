// Layer "attribution": which class of bottleneck each part of the wall belongs to, and why.
//
// Rules of evidence compare the measured time of an operator kind with its two roofs and with the
// cost of a barrier and a dispatch; experiments in the record raise or lower the confidence. The
// time shares of all attributions add up to 1 of the wall. What no rule fits is `unexplained`.
// Pure.
#pragma once

#include <string>
#include <vector>

#include "cost/note.h"
#include "diagnose/breakdown.h"
#include "diagnose/grade.h"
#include "measure/record.h"

namespace hone::diagnose {

enum class Bottleneck : uint8_t {
    compute_bound,
    memory_bandwidth,
    io,
    startup_overhead,  // load, first run, dispatch and barriers
    structural_redundancy,
    kernel_inefficiency,
    interference,
    unexplained,
};
inline constexpr int kBottleneckCount = 8;
const char* bottleneck_name(Bottleneck bottleneck);

struct Attribution {
    std::string subject;  // "decode/linear", "load", "sampling", "machine", "unattributed", ...
    std::string kind;     // operator kind, "" for stages
    std::string slice;
    Bottleneck bottleneck = Bottleneck::unexplained;
    double confidence = 0;  // 0..1
    double time_share = 0;  // of wall
    std::vector<cost::Note> evidence;
};

// Largest time share first.
std::vector<Attribution> attribute(const measure::RunRecord& record, const Breakdown& breakdown,
                                   const MeasurementGrade& grade);

// Wall share by class, in enum order; sums to 1.
std::vector<double> shares_by_class(const std::vector<Attribution>& attributions);

}  // namespace hone::diagnose
