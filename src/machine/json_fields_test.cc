#include "machine/json_fields.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/json.h"

namespace hone::machine {
namespace {

using base::Json;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

template <class T>
std::optional<T> read_as(const Json& json) {
    T value{};
    if (read_json(json, value) != nullptr) return std::nullopt;
    return value;
}

TEST(JsonFields, DoublesSurviveWhatJsonLacks) {
    for (const double value : {0.0, -1.5, 1e300, kInfinity, -kInfinity}) {
        EXPECT_EQ(read_as<double>(json_number(value)), value);
    }
    EXPECT_EQ(json_number(kInfinity), "+inf");
    EXPECT_TRUE(json_number(std::nan("")).is_null());
    EXPECT_TRUE(std::isnan(*read_as<double>(Json(nullptr))));
    EXPECT_EQ(read_as<double>(Json(-3)), -3.0);
    EXPECT_FALSE(read_as<double>(Json("inf")).has_value());
    EXPECT_FALSE(read_as<double>(Json(true)).has_value());
    EXPECT_EQ(json_numbers({1, kInfinity}), Json({1.0, "+inf"}));
}

TEST(JsonFields, WholeNumbersAreChecked) {
    EXPECT_EQ(read_as<uint64_t>(Json(18446744073709551615ull)), 18446744073709551615ull);
    EXPECT_EQ(read_as<uint64_t>(Json(3.0)), 3u);
    for (const Json& json : {Json(-1), Json(3.5), Json(1e30), Json("3"), Json(nullptr)}) {
        EXPECT_FALSE(read_as<uint64_t>(json).has_value()) << json;
    }
    EXPECT_EQ(read_as<uint32_t>(Json(4294967295u)), 4294967295u);
    EXPECT_FALSE(read_as<uint32_t>(Json(4294967296ull)).has_value());
    EXPECT_EQ(read_as<int>(Json(-2147483648ll)), std::numeric_limits<int>::min());
    EXPECT_FALSE(read_as<int>(Json(-2147483649ll)).has_value());
    EXPECT_FALSE(read_as<int>(Json(2147483648ull)).has_value());
    EXPECT_EQ(read_as<int>(Json(7.0)), 7);
}

TEST(JsonFields, ContainersAndOptionals) {
    EXPECT_EQ(read_as<std::vector<int>>(Json({1, 2})), (std::vector<int>{1, 2}));
    EXPECT_FALSE(read_as<std::vector<int>>(Json({1, "2"})).has_value());
    using Map = std::map<std::string, double>;
    EXPECT_EQ(read_as<Map>(Json{{"a", 1}, {"b", "+inf"}}), (Map{{"a", 1}, {"b", kInfinity}}));
    std::optional<double> kept = 4;
    EXPECT_EQ(read_json(Json(nullptr), kept), nullptr);
    EXPECT_FALSE(kept.has_value());
    EXPECT_TRUE(json_optional(kept).is_null());
    EXPECT_EQ(json_optional(std::optional<double>(kInfinity)), "+inf");
    EXPECT_EQ(json_optional(std::optional<uint64_t>(7)), 7);
}

TEST(JsonFields, FirstErrorWinsAndStopsReading) {
    const Json json = {{"a", 1}, {"b", "text"}, {"rows", {{{"x", 1}}, {{"x", "bad"}}}}};
    base::Status status;
    JsonFields fields(json, "$", status);
    int a = 0;
    int b = 5;
    std::vector<int> rows;
    fields.required("a", a);
    fields.optional("missing", b);
    EXPECT_TRUE(fields.ok());
    fields.rows("rows", rows, [](JsonFields& row, int& x) { row.required("x", x); });
    fields.required("b", b);
    fields.reject("a", "never seen");
    EXPECT_EQ(a, 1);
    EXPECT_EQ(b, 5);
    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().message,
              "$.rows[1].x: expected a whole number of 32 bits, got string");
}

}  // namespace
}  // namespace hone::machine
