// What `hone quality` prints: scores, differences and the gate's verdict, as tables or as JSON.
// Values in, text out. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json_fwd.h"
#include "quality/gate.h"
#include "quality/score.h"
#include "report/style.h"

namespace hone::cli {

struct QualityReport {
    std::string model;
    std::vector<quality::Score> scores;
    bool compared = false;  // with a base
    std::vector<quality::Difference> differences;
    std::optional<quality::Gate> gate;
    quality::GateVerdict verdict;  // of the gate, where there is one
    base::JsonBox signature = base::JsonBox::object();
};

base::Json quality_json(const QualityReport& report);
std::string quality_text(const QualityReport& report, const report::Style& style);

}  // namespace hone::cli
