// Utilization (bound / time) learned from the operator samples of one record.
//
// Per operator kind and format, over tokens per call in log space: between the two nearest measured
// sizes it is interpolated, outside it is clamped to the measured range. Every answer says where it
// comes from; a kind and format never seen has none (no data, no number). Idea: NVIDIA
// AIConfigurator's hybrid model (latency = speed of light / learned utilization). A value; const
// after learn().
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "measure/record.h"

namespace hone::cost {

enum class Provenance : uint8_t { none, interpolated, measured };
const char* provenance_name(Provenance tier);

struct Utilization {
    double value = 0;  // 0..1, higher is nearer to the roof
    Provenance tier = Provenance::none;
    double low = 0;  // range measured for this kind and format
    double high = 0;
};

class UtilizationModel {
  public:
    static UtilizationModel learn(const measure::RunRecord& record);
    // nullopt (tier none) for an unknown kind and format.
    std::optional<Utilization> at(const std::string& kind, const std::string& format,
                                  double tokens_per_call) const;
    bool empty() const { return curves_.empty(); }

  private:
    struct Point {
        double log_tokens = 0;
        double log_utilization = 0;
        double weight_ns = 0;
    };
    std::map<std::pair<std::string, std::string>, std::vector<Point>> curves_;
};

}  // namespace hone::cost
