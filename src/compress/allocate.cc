#include "compress/allocate.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"

namespace hone::compress {
namespace {

using base::ErrorCode;
using base::fail;

// One step of an item to the next point of its hull.
struct Step {
    size_t item = 0;
    size_t to = 0;  // index into the item's options
    uint64_t price = 0;
    double gain = 0;
    double gain_per_unit() const { return gain / static_cast<double>(price); }
};

double slope(const TypeOption& a, const TypeOption& b) {
    return (a.cost - b.cost) / static_cast<double>(b.price - a.price);
}

// Indices of the options on the lower convex hull, from the cheapest on.
std::vector<size_t> hull_of(const std::vector<TypeOption>& options) {
    std::vector<size_t> order(options.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
        return std::pair(options[a].price, options[a].cost) <
               std::pair(options[b].price, options[b].cost);
    });
    std::vector<size_t> hull;
    for (const size_t i : order) {
        if (!hull.empty() && options[i].cost >= options[hull.back()].cost) continue;
        if (!hull.empty() && options[i].price == options[hull.back()].price) continue;
        while (hull.size() > 1 && slope(options[hull[hull.size() - 2]], options[hull.back()]) <=
                                      slope(options[hull.back()], options[i])) {
            hull.pop_back();
        }
        hull.push_back(i);
    }
    return hull;
}

struct Walk {
    Allocation start;         // the cheapest options
    std::vector<Step> steps;  // most gain first; an item's steps in their order
};

Walk walk_of(const std::vector<AllocationItem>& items) {
    Walk walk;
    for (size_t i = 0; i < items.size(); ++i) {
        const auto& options = items[i].options;
        HONE_CHECK(!options.empty());
        const std::vector<size_t> hull = hull_of(options);
        walk.start.choice.push_back(hull.front());
        walk.start.price += options[hull.front()].price;
        walk.start.cost += options[hull.front()].cost;
        for (size_t k = 1; k < hull.size(); ++k) {
            const TypeOption& from = options[hull[k - 1]];
            const TypeOption& to = options[hull[k]];
            walk.steps.push_back({i, hull[k], to.price - from.price, from.cost - to.cost});
        }
    }
    std::stable_sort(walk.steps.begin(), walk.steps.end(), [](const Step& a, const Step& b) {
        return a.gain_per_unit() > b.gain_per_unit();
    });
    return walk;
}

void take(const Step& step, Allocation& allocation) {
    allocation.choice[step.item] = step.to;
    allocation.price += step.price;
    allocation.cost -= step.gain;
}

}  // namespace

base::Result<Allocation> allocate(const std::vector<AllocationItem>& items, uint64_t price_max) {
    const Walk walk = walk_of(items);
    Allocation allocation = walk.start;
    if (allocation.price > price_max) {
        return fail(ErrorCode::exhausted, "the cheapest types need {} of {}", allocation.price,
                    price_max);
    }
    // An item whose step did not fit takes no later one: that would be from another point.
    std::vector<bool> stopped(items.size());
    for (const Step& step : walk.steps) {
        if (stopped[step.item]) continue;
        if (allocation.price + step.price <= price_max) {
            take(step, allocation);
        } else {
            stopped[step.item] = true;
        }
    }
    return allocation;
}

base::Result<Allocation> allocate_for_cost(const std::vector<AllocationItem>& items,
                                           double cost_max) {
    const Walk walk = walk_of(items);
    Allocation allocation = walk.start;
    for (const Step& step : walk.steps) {
        if (allocation.cost <= cost_max) break;
        take(step, allocation);
    }
    if (allocation.cost > cost_max) {
        return fail(ErrorCode::exhausted, "the best types have a cost of {:.3g}, above {:.3g}",
                    allocation.cost, cost_max);
    }
    return allocation;
}

std::vector<FrontPoint> pareto_front(const std::vector<AllocationItem>& items) {
    const Walk walk = walk_of(items);
    Allocation allocation = walk.start;
    std::vector<FrontPoint> front{{allocation.price, allocation.cost}};
    for (const Step& step : walk.steps) {
        take(step, allocation);
        front.push_back({allocation.price, allocation.cost});
    }
    return front;
}

}  // namespace hone::compress
