// Which type each tensor gets under a limit: a knapsack with one choice per tensor. What is limited
// is the sum of prices, bytes of a file or picoseconds of a decode step.
//
// Costs add up, so the best choices for any value of a unit of price are found tensor by tensor, on
// the lower convex hull of its (price, cost) points. Walking down that value visits all such
// mixtures, from the cheapest to the best: that walk is the front. What the last step leaves of a
// budget is filled with the steps that still fit. Lagrangian relaxation (Everett 1963); with
// hundreds of tensors what it misses of the true optimum is less than one tensor's step. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "tensor/dtype.h"

namespace hone::compress {

struct TypeOption {
    tensor::DType type = tensor::DType::f32;
    uint64_t price = 0;
    double cost = 0;  // e.g. expected KL
};

struct AllocationItem {
    std::string name;
    std::vector<TypeOption> options;  // at least one
};

struct Allocation {
    std::vector<size_t> choice;  // per item, index into its options
    uint64_t price = 0;
    double cost = 0;
};

// exhausted: not even the cheapest options fit.
base::Result<Allocation> allocate(const std::vector<AllocationItem>& items, uint64_t price_max);

// The cheapest allocation on the front whose cost is at most `cost_max`; exhausted: none is.
base::Result<Allocation> allocate_for_cost(const std::vector<AllocationItem>& items,
                                           double cost_max);

struct FrontPoint {
    uint64_t price = 0;
    double cost = 0;
};
// All mixtures of the walk, from cheap to dear; costs fall.
std::vector<FrontPoint> pareto_front(const std::vector<AllocationItem>& items);

}  // namespace hone::compress
