// Sums of operator times over many steps, by node, kind of slice and position bucket: what a
// RunRecord keeps instead of one row per call.
//
// Not a histogram: only sums, so that adding a step costs a few additions per node. Memory grows by
// one row per node for each new (slice, bucket), of which a run sees a handful. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "measure/record.h"

namespace hone::measure {

// The first position of the bucket that holds `position`: 0, 256, 512, 1024, 2048, 4096, ...
// Buckets double because attention's cost grows with the position and everything else does not.
constexpr uint32_t position_bucket(uint32_t position) {
    if (position < 256) return 0;
    uint32_t bucket = 256;
    while (bucket <= position / 2) bucket *= 2;
    return bucket;
}

class OperatorTable {
  public:
    explicit OperatorTable(size_t nodes) : nodes_(nodes) {}

    size_t nodes() const { return nodes_; }

    // The rows of all nodes for that slice kind and bucket, in node order. The reference holds
    // until the next call.
    std::vector<OperatorSample>& rows_for(std::string_view slice, uint32_t bucket);

    // Adds one step's wall time and the part of it that no node accounts for.
    void add_step(double wall_ns, double unattributed_ns);

    uint64_t steps() const { return steps_; }
    double wall_ns() const { return wall_ns_; }
    double unattributed_ns() const { return unattributed_ns_; }

    // The rows that were called, ordered by slice, bucket and node.
    std::vector<OperatorSample> samples() const;

  private:
    size_t nodes_;
    std::vector<std::vector<OperatorSample>> groups_;
    uint64_t steps_ = 0;
    double wall_ns_ = 0;
    double unattributed_ns_ = 0;
};

}  // namespace hone::measure
