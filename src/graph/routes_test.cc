#include "graph/routes.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace hone::graph {
namespace {

TEST(Routes, RowsOfAnExpertAreNeighboursAndWeightsAreASoftmax) {
    const std::vector<float> scores = {0.0f, 2.0f, 1.0f,  -1.0f,  // experts 1 and 2
                                       3.0f, 0.5f, 3.0f,  0.0f,   // 0 and 2: equals, in order
                                       0.0f, 1.0f, -5.0f, 4.0f};  // 3 and 1
    std::vector<std::byte> memory(routes_bytes(3, 4, 2));
    const Routes routes = routes_at(memory.data(), 3, 4, 2);
    route_rows(scores.data(), 4, 3, routes);
    EXPECT_EQ(std::vector<uint32_t>(routes.first_slot, routes.first_slot + 5),
              (std::vector<uint32_t>{0, 1, 3, 5, 6}));
    EXPECT_EQ(std::vector<uint32_t>(routes.row_of, routes.row_of + 6),
              (std::vector<uint32_t>{1, 0, 2, 0, 1, 2}));
    EXPECT_EQ(std::vector<uint32_t>(routes.slot_of, routes.slot_of + 6),
              (std::vector<uint32_t>{1, 3, 0, 4, 5, 2}));
    EXPECT_NEAR(routes.weight[0], 1 / (1 + std::exp(-1.0)), 1e-6);
    EXPECT_FLOAT_EQ(routes.weight[2], 0.5f);
    EXPECT_NEAR(routes.weight[4] + routes.weight[5], 1.0, 1e-6);
    EXPECT_EQ(routes.slots(), 6u);
}

TEST(Routes, AllExpertsAndNoRowsWork) {
    const std::vector<float> scores = {1.0f, 1.0f};
    std::vector<std::byte> memory(routes_bytes(1, 2, 2));
    const Routes routes = routes_at(memory.data(), 1, 2, 2);
    route_rows(scores.data(), 2, 1, routes);
    EXPECT_EQ(routes.slots(), 2u);
    EXPECT_FLOAT_EQ(routes.weight[0], 0.5f);
    route_rows(scores.data(), 2, 0, routes);
    EXPECT_EQ(routes.slots(), 0u);
}

}  // namespace
}  // namespace hone::graph
