// Which type each tensor gets under a limit of bytes: a knapsack with one choice per tensor.
//
// Costs add up, so the best choices for any price per byte are found tensor by tensor, on the lower
// convex hull of its (bytes, cost) points. Walking down the price visits all such mixtures, from
// the smallest to the best: that walk is the front. What the last step leaves of a budget is filled
// with the steps that still fit. Lagrangian relaxation (Everett 1963); with hundreds of tensors
// what it misses of the true optimum is less than one tensor's step. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "tensor/dtype.h"

namespace hone::compress {

struct TypeOption {
    tensor::DType type = tensor::DType::f32;
    uint64_t bytes = 0;
    double cost = 0;  // e.g. expected KL
};

struct AllocationItem {
    std::string name;
    std::vector<TypeOption> options;  // at least one
};

struct Allocation {
    std::vector<size_t> choice;  // per item, index into its options
    uint64_t bytes = 0;
    double cost = 0;
};

// exhausted: not even the smallest options fit.
base::Result<Allocation> allocate(const std::vector<AllocationItem>& items, uint64_t bytes_max);

// The smallest allocation on the front whose cost is at most `cost_max`; exhausted: none is.
base::Result<Allocation> allocate_for_cost(const std::vector<AllocationItem>& items,
                                           double cost_max);

struct FrontPoint {
    uint64_t bytes = 0;
    double cost = 0;
};
// All mixtures of the walk, from small to large; costs fall.
std::vector<FrontPoint> pareto_front(const std::vector<AllocationItem>& items);

}  // namespace hone::compress
