#include "compress/allocate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/random.h"

namespace hone::compress {
namespace {

using tensor::DType;

std::vector<AllocationItem> random_items(uint64_t seed, size_t n_items, size_t n_options) {
    base::Random random(seed);
    std::vector<AllocationItem> items(n_items);
    for (AllocationItem& item : items) {
        const uint64_t elements = 10 + random.next_below(100);
        const double sensitivity = std::exp(2 * random.next_normal());
        for (size_t k = 0; k < n_options; ++k) {
            const double noise = 0.7 + 0.6 * random.next_double();
            item.options.push_back({DType::q4_0, elements * (4 + k),
                                    sensitivity * noise * std::pow(0.3, static_cast<double>(k))});
        }
    }
    return items;
}

// All combinations, for few items.
double best_cost(const std::vector<AllocationItem>& items, uint64_t bytes_max) {
    double best = std::numeric_limits<double>::infinity();
    size_t combinations = 1;
    for (const auto& item : items) combinations *= item.options.size();
    for (size_t code = 0; code < combinations; ++code) {
        size_t rest = code;
        uint64_t bytes = 0;
        double cost = 0;
        for (const auto& item : items) {
            const TypeOption& option = item.options[rest % item.options.size()];
            rest /= item.options.size();
            bytes += option.price;
            cost += option.cost;
        }
        if (bytes <= bytes_max) best = std::min(best, cost);
    }
    return best;
}

void expect_consistent(const std::vector<AllocationItem>& items, const Allocation& allocation) {
    uint64_t bytes = 0;
    double cost = 0;
    for (size_t i = 0; i < items.size(); ++i) {
        bytes += items[i].options[allocation.choice[i]].price;
        cost += items[i].options[allocation.choice[i]].cost;
    }
    EXPECT_EQ(bytes, allocation.price);
    EXPECT_NEAR(cost, allocation.cost, 1e-9 * (1 + cost));
}

TEST(Allocate, WithinTheBudgetAndCloseToTheBest) {
    for (uint64_t seed = 1; seed <= 20; ++seed) {
        const auto items = random_items(seed, 7, 4);
        uint64_t smallest = 0, largest = 0;
        for (const auto& item : items) {
            smallest += item.options.front().price;
            largest += item.options.back().price;
        }
        for (const double share : {0.0, 0.3, 0.6, 1.0}) {
            const auto budget =
                smallest + static_cast<uint64_t>(share * static_cast<double>(largest - smallest));
            const auto allocation = allocate(items, budget);
            ASSERT_TRUE(allocation);
            EXPECT_LE(allocation->price, budget);
            expect_consistent(items, *allocation);
            // Seven items make coarse steps; hundreds come closer.
            EXPECT_LE(allocation->cost, 2.0 * best_cost(items, budget) + 1e-12) << seed;
        }
        EXPECT_FALSE(allocate(items, smallest - 1));
    }
}

TEST(Allocate, FrontFallsAndEveryPointIsABestMixture) {
    const auto items = random_items(5, 6, 4);
    const auto front = pareto_front(items);
    ASSERT_GT(front.size(), 6u);
    for (size_t i = 0; i < front.size(); ++i) {
        if (i > 0) {
            EXPECT_GT(front[i].price, front[i - 1].price);
            EXPECT_LT(front[i].cost, front[i - 1].cost);
        }
        EXPECT_NEAR(front[i].cost, best_cost(items, front[i].price), 1e-9);
    }
}

TEST(Allocate, ForACost) {
    const auto items = random_items(9, 6, 4);
    const auto front = pareto_front(items);
    const double wanted = front[front.size() / 2].cost;
    const auto allocation = allocate_for_cost(items, wanted * 1.0001);
    ASSERT_TRUE(allocation);
    EXPECT_EQ(allocation->price, front[front.size() / 2].price);
    expect_consistent(items, *allocation);
    EXPECT_FALSE(allocate_for_cost(items, 0.5 * front.back().cost));
}

// A larger type that is no better, and one above the line between its neighbours, are never taken.
TEST(Allocate, PointsAboveTheHullAreNotTaken) {
    const std::vector<AllocationItem> items{{"a",
                                             {{DType::q4_0, 100, 1.0},
                                              {DType::q4_1, 110, 1.2},
                                              {DType::q5_0, 120, 0.9},
                                              {DType::q8_0, 140, 0.1}}}};
    for (uint64_t budget = 100; budget <= 150; ++budget) {
        const auto allocation = allocate(items, budget);
        ASSERT_TRUE(allocation);
        EXPECT_EQ(allocation->choice[0], budget < 140 ? 0u : 3u) << budget;
    }
}

}  // namespace
}  // namespace hone::compress
