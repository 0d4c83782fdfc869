// The class of one operator kind within one slice kind, from its times, roofs and experiments.
//
// The rules of attribution.h for operators; stages and the machine are not operators. Pure.
#pragma once

#include <vector>

#include "cost/note.h"
#include "diagnose/attribution.h"
#include "diagnose/breakdown.h"
#include "measure/record.h"

namespace hone::diagnose {

struct OperatorClass {
    Bottleneck bottleneck = Bottleneck::unexplained;
    double confidence = 0;  // before the measurement's grade
    std::vector<cost::Note> evidence;
};

OperatorClass classify_operator(const measure::RunRecord& record, const OperatorRow& row);

}  // namespace hone::diagnose
