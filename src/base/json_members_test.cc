#include "base/json_members.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace hone::base {
namespace {

TEST(JsonMembers, AreHandedOnAndNotKept) {
    constexpr std::string_view kPath[] = {"model", "vocab"};
    std::string seen;
    const auto take = [&](std::string_view key, const Json& value) {
        seen += fmt::format("{}={} ", key, value.dump());
    };
    const std::string text = R"({"vocab":{"no":1},"model":{"vocab":{"a":1,"b":-2,"c":[{"d":3}],
        "a":null},"x":[{"vocab":{"y":2}}]},"other":{"model":{"vocab":{"z":1}}}})";
    const auto json = parse_json_members(text, {1000, 8, 4}, kPath, take);
    ASSERT_TRUE(json) << json.error().message;
    EXPECT_EQ(seen, "a=1 b=-2 a=null ");
    EXPECT_EQ(json->dump(), R"({"vocab":{"no":1},"model":{"vocab":{},"x":[{"vocab":{"y":2}}]},)"
                            R"("other":{"model":{"vocab":{"z":1}}}})");
    const auto code_of = [&](std::string_view bad, const JsonLimits& limits) {
        const auto answer = parse_json_members(bad, limits, kPath, take);
        return answer ? ErrorCode::internal : answer.error().code;
    };
    EXPECT_EQ(code_of(text, {10, 8, 4}), ErrorCode::exhausted);
    EXPECT_EQ(code_of(text, {1000, 3, 4}), ErrorCode::exhausted);
    EXPECT_EQ(code_of(text, {1000, 8, 2}), ErrorCode::exhausted);
    EXPECT_EQ(code_of(text.substr(1), {1000, 8, 4}), ErrorCode::corrupt);
    EXPECT_EQ(code_of("", {1000, 8, 4}), ErrorCode::corrupt);
    EXPECT_EQ(code_of(std::string(100000, '['), {1u << 20, 64, 4}), ErrorCode::exhausted);
}

}  // namespace
}  // namespace hone::base
