#include "text/chat_template_operators.h"

#include <gtest/gtest.h>

#include "text/chat_template_calls.h"

namespace hone::text {
namespace {

std::string binary(std::string_view op, const Value& a, const Value& b) {
    TemplateContext context({}, std::nullopt);
    const auto out = apply_binary(context, op, a, b);
    return out ? out->to_repr() : "error";
}

TEST(TemplateOperators, IntegersFloorAndDoNotOverflow) {
    const auto i = [](int64_t value) { return Value::integer(value); };
    EXPECT_EQ(binary("//", i(-7), i(2)), "-4");
    EXPECT_EQ(binary("%", i(-7), i(3)), "2");
    EXPECT_EQ(binary("%", i(7), i(-3)), "-2");
    EXPECT_EQ(binary("//", i(INT64_MIN), i(-1)), "error");
    EXPECT_EQ(binary("%", i(INT64_MIN), i(-1)), "0");
    EXPECT_EQ(binary("+", i(INT64_MAX), i(1)), "error");
    EXPECT_EQ(binary("-", i(INT64_MIN), i(1)), "error");
    EXPECT_EQ(binary("*", i(INT64_MAX), i(2)), "error");
    EXPECT_EQ(binary("**", i(2), i(62)), "4611686018427387904");
    EXPECT_EQ(binary("**", i(2), i(63)), "error");
    EXPECT_EQ(binary("**", i(-1), i(INT64_MAX)), "-1");
    EXPECT_EQ(binary("**", i(0), i(0)), "1");
    EXPECT_EQ(binary("/", i(1), i(0)), "error");
    EXPECT_EQ(binary("%", Value::real(5.5), i(2)), "1.5");
}

TEST(TemplateOperators, SlicesAreClamped) {
    TemplateContext context({}, std::nullopt);
    const Value list = Value::list({Value::integer(0), Value::integer(1), Value::integer(2)});
    const auto slice = [&](const Value& a, const Value& b, const Value& c) {
        const auto out = get_slice(context, list, a, b, c);
        return out ? out->to_repr() : "error";
    };
    const Value low = Value::integer(INT64_MIN);
    const Value high = Value::integer(INT64_MAX);
    EXPECT_EQ(slice(low, high, Value()), "[0, 1, 2]");
    EXPECT_EQ(slice(high, low, Value::integer(-1)), "[2, 1, 0]");
    EXPECT_EQ(slice(Value(), Value(), high), "[0]");
    EXPECT_EQ(slice(Value(), Value(), low), "[2]");
    EXPECT_EQ(slice(Value(), Value(), Value::integer(0)), "error");
    EXPECT_EQ(slice(Value::string("x"), Value(), Value()), "error");
}

TEST(TemplateOperators, NothingOfTheHostCanBeReached) {
    TemplateContext context({}, std::nullopt);
    for (const char* name : {"__class__", "__init__", "__globals__", "mro", "__dict__"}) {
        EXPECT_TRUE(get_attribute(context, Value::string("x"), name)->is(Value::Kind::undefined));
        EXPECT_FALSE(call_method(context, Value::string("x"), name, {}).has_value());
        EXPECT_FALSE(call_method(context, Value::list({}), name, {}).has_value());
        EXPECT_FALSE(call_method(context, Value::dict({}), name, {}).has_value());
    }
}

TEST(TemplateContext, BudgetIsSpentBeforeTheWork) {
    TemplateContext context({.steps_max = 10}, std::nullopt);
    EXPECT_TRUE(context.spend(10).has_value());
    EXPECT_FALSE(context.spend(1).has_value());
    EXPECT_FALSE(context.list(ValueList(5)).has_value());
}

TEST(TemplateFilters, WorkAlone) {
    TemplateContext context({}, std::nullopt);
    const auto filter = [&](std::string_view name, const Value& value, ValueList arguments = {}) {
        const auto out = apply_filter(context, name, value, {std::move(arguments), {}});
        return out ? out->to_repr() : "error";
    };
    EXPECT_EQ(filter("int", Value::real(1e300), {Value::integer(7)}), "7");
    EXPECT_EQ(filter("int", Value::string(" 42 ")), "42");
    EXPECT_EQ(filter("min", Value::list({Value::integer(2), Value::integer(1)})), "1");
    EXPECT_EQ(filter("max", Value::list({})), "<undefined>");
    EXPECT_EQ(filter("sort", Value::list({Value::integer(2), Value::string("a")})), "error");
    EXPECT_EQ(filter("select", Value::none()), "[]");
    EXPECT_EQ(filter("nonsense", Value::none()), "error");
}

TEST(TemplateMethods, FormatKnowsItsFields) {
    TemplateContext context({}, std::nullopt);
    const auto format = [&](const char* text) {
        const auto out =
            call_method(context, Value::string(text), "format",
                        {{Value::integer(1), Value::string("x")}, {{"k", Value::integer(9)}}});
        return out ? out->to_text() : "error";
    };
    EXPECT_EQ(format("{}-{}"), "1-x");
    EXPECT_EQ(format("{1}{0}{k}{{}}"), "x19{}");
    for (const char* bad : {"{", "}", "{2}", "{z}", "{99999}", "{}{}{}"}) {
        EXPECT_EQ(format(bad), "error") << bad;
    }
}

}  // namespace
}  // namespace hone::text
