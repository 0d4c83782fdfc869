#include "measure/operator_table.h"

#include <algorithm>
#include <tuple>

namespace hone::measure {

std::vector<OperatorSample>& OperatorTable::rows_for(std::string_view slice, uint32_t bucket) {
    for (auto& group : groups_) {
        if (group.empty()) continue;
        if (group[0].position_bucket == bucket && group[0].slice == slice) return group;
    }
    std::vector<OperatorSample>& group = groups_.emplace_back(nodes_);
    for (size_t node = 0; node < nodes_; ++node) {
        group[node].node = static_cast<uint32_t>(node);
        group[node].slice = slice;
        group[node].position_bucket = bucket;
    }
    return group;
}

void OperatorTable::add_step(double wall_ns, double unattributed_ns) {
    ++steps_;
    wall_ns_ += wall_ns;
    unattributed_ns_ += unattributed_ns;
}

std::vector<OperatorSample> OperatorTable::samples() const {
    std::vector<OperatorSample> out;
    for (const auto& group : groups_) {
        for (OperatorSample row : group) {
            if (row.calls == 0) continue;
            // Counters of different cores may differ by some ticks; over a whole run a part of
            // nearly nothing can then sum up to just below it.
            row.barrier_ns = std::max(0.0, row.barrier_ns);
            row.dispatch_ns = std::max(0.0, row.dispatch_ns);
            row.compute_ns = std::max(0.0, row.compute_ns);
            row.compute_mean_ns = std::max(0.0, row.compute_mean_ns);
            out.push_back(std::move(row));
        }
    }
    std::sort(out.begin(), out.end(), [](const OperatorSample& a, const OperatorSample& b) {
        return std::tie(a.slice, a.position_bucket, a.node) <
               std::tie(b.slice, b.position_bucket, b.node);
    });
    return out;
}

}  // namespace hone::measure
