#include "cost/utilization.h"

#include <algorithm>
#include <cmath>

#include "cost/speed_of_light.h"

namespace hone::cost {
namespace {

// Sizes nearer than this (in log2) count as the same size: 1 %.
constexpr double kSameSize = 0.0144;

}  // namespace

const char* provenance_name(Provenance tier) {
    switch (tier) {
        case Provenance::none:
            return "none";
        case Provenance::interpolated:
            return "interpolated";
        case Provenance::measured:
            return "measured";
    }
    return "none";
}

UtilizationModel UtilizationModel::learn(const measure::RunRecord& record) {
    UtilizationModel model;
    for (const measure::OperatorSample& sample : record.operators) {
        const measure::PlanNodeFacts* node = node_of(record, sample.node);
        const double wall = sample_wall_ns(sample);
        if (node == nullptr || sample.calls == 0 || sample.tokens == 0 || wall <= 0) continue;
        const auto bound = sample_light(record, sample).bound_ns();
        if (!bound || *bound <= 0) continue;
        const double tokens =
            static_cast<double>(sample.tokens) / static_cast<double>(sample.calls);
        auto& curve = model.curves_[{node->kind, parse_variant(node->variant).format}];
        const double x = std::log2(tokens);
        const double y = std::log2(*bound / wall);
        const auto same = std::find_if(curve.begin(), curve.end(), [&](const Point& point) {
            return std::fabs(point.log_tokens - x) < kSameSize;
        });
        if (same == curve.end()) {
            curve.push_back({x, y, wall});
            continue;
        }
        // Nodes of one size: the mean in log space, weighted by time.
        const double weight = same->weight_ns + wall;
        same->log_utilization = (same->log_utilization * same->weight_ns + y * wall) / weight;
        same->weight_ns = weight;
    }
    for (auto& [key, curve] : model.curves_) {
        std::sort(curve.begin(), curve.end(),
                  [](const Point& a, const Point& b) { return a.log_tokens < b.log_tokens; });
    }
    return model;
}

std::optional<Utilization> UtilizationModel::at(const std::string& kind, const std::string& format,
                                                double tokens_per_call) const {
    const auto found = curves_.find({kind, format});
    if (found == curves_.end() || !(tokens_per_call > 0)) return std::nullopt;
    const std::vector<Point>& curve = found->second;
    const double x = std::log2(tokens_per_call);
    double low = curve.front().log_utilization;
    double high = low;
    for (const Point& point : curve) {
        low = std::min(low, point.log_utilization);
        high = std::max(high, point.log_utilization);
    }
    Utilization out{0, Provenance::interpolated, std::exp2(low), std::exp2(high)};
    const auto after =
        std::lower_bound(curve.begin(), curve.end(), x,
                         [](const Point& point, double value) { return point.log_tokens < value; });
    const Point& right = after == curve.end() ? curve.back() : *after;
    const Point& left = after == curve.begin() ? curve.front() : *(after - 1);
    for (const Point* point : {&left, &right}) {
        if (std::fabs(point->log_tokens - x) >= kSameSize) continue;
        out.value = std::exp2(point->log_utilization);
        out.tier = Provenance::measured;
        return out;
    }
    double y = right.log_utilization;
    if (after == curve.end()) {
        y = curve.back().log_utilization;
    } else if (after != curve.begin()) {
        const double t = (x - left.log_tokens) / (right.log_tokens - left.log_tokens);
        y = left.log_utilization + t * (right.log_utilization - left.log_utilization);
    }
    out.value = std::exp2(std::clamp(y, low, high));
    return out;
}

}  // namespace hone::cost
