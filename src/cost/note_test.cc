#include "cost/note.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/json.h"

namespace hone::cost {
namespace {

TEST(Note, KeepsOrderAndKindsOfValues) {
    const Note value = note("roofs").with("time_ns", 1.5).with("n", size_t{3}).with("kind", "add");
    EXPECT_EQ(base::dump_json(to_json(value), -1),
              R"({"id":"roofs","parameters":{"time_ns":1.5,"n":3,"kind":"add"}})");
    EXPECT_FALSE(value.empty());
    EXPECT_TRUE(Note{}.empty());
}

TEST(Note, NotFiniteIsNull) {
    const Note value = note("x").with("a_ns", std::numeric_limits<double>::infinity());
    EXPECT_TRUE(to_json(value)["parameters"]["a_ns"].is_null());
}

}  // namespace
}  // namespace hone::cost
