#include <algorithm>
#include <array>

#include "text/chat_template_calls.h"
#include "text/chat_template_operators.h"
#include "text/chat_template_strings.h"

namespace hone::text {

namespace {

using Kind = Value::Kind;

// Tests that only look at the kind of the value.
struct KindTest {
    std::string_view name;
    bool (*holds)(const Value& value);
};

constexpr std::array<KindTest, 14> kKindTests = {{
    {"defined", [](const Value& v) { return !v.is(Kind::undefined); }},
    {"undefined", [](const Value& v) { return v.is(Kind::undefined); }},
    {"none", [](const Value& v) { return v.is(Kind::none); }},
    {"string", [](const Value& v) { return v.is(Kind::string); }},
    {"mapping", [](const Value& v) { return v.is(Kind::dict); }},
    {"number", [](const Value& v) { return v.is_number(); }},
    {"integer", [](const Value& v) { return v.is(Kind::integer); }},
    {"float", [](const Value& v) { return v.is(Kind::real); }},
    {"boolean", [](const Value& v) { return v.is(Kind::boolean); }},
    {"true", [](const Value& v) { return v.is(Kind::boolean) && v.truthy(); }},
    {"false", [](const Value& v) { return v.is(Kind::boolean) && !v.truthy(); }},
    {"callable", [](const Value& v) { return v.is(Kind::macro) || v.is(Kind::function); }},
    {"iterable",
     [](const Value& v) {
         return v.is(Kind::undefined) || v.is(Kind::string) || v.is(Kind::list) || v.is(Kind::dict);
     }},
    {"sequence",
     [](const Value& v) {
         return v.is(Kind::undefined) || v.is(Kind::string) || v.is(Kind::list) || v.is(Kind::dict);
     }},
}};

// Tests that are an operator with one argument.
struct OperatorTest {
    std::string_view name;
    std::string_view op;
};

constexpr std::array<OperatorTest, 16> kOperatorTests = {{
    {"equalto", "=="},
    {"eq", "=="},
    {"sameas", "=="},
    {"ne", "!="},
    {"lt", "<"},
    {"lessthan", "<"},
    {"le", "<="},
    {"gt", ">"},
    {"greaterthan", ">"},
    {"ge", ">="},
    {"in", "in"},
    {"==", "=="},
    {"!=", "!="},
    {"<", "<"},
    {">", ">"},
    {">=", ">="},
}};

base::Result<bool> divisible(TemplateContext& context, const Value& value, const Value& divisor,
                             int64_t remainder) {
    HONE_TRY(const Value rest, apply_binary(context, "%", value, divisor));
    return rest == Value::integer(remainder);
}

}  // namespace

base::Result<bool> apply_test(TemplateContext& context, std::string_view name, const Value& value,
                              const TemplateArguments& arguments) {
    HONE_TRY_STATUS(context.spend(1));
    for (const KindTest& test : kKindTests) {
        if (test.name == name) return test.holds(value);
    }
    if (name == "odd") return divisible(context, value, Value::integer(2), 1);
    if (name == "even") return divisible(context, value, Value::integer(2), 0);
    if (name == "lower" || name == "upper") {
        HONE_TRY(const std::string text, context.text_of(value));
        const std::string mapped = name == "lower" ? to_lower(text) : to_upper(text);
        return text == mapped && to_lower(text) != to_upper(text);
    }
    const Value* argument = arguments.find(0, "other");
    const auto* test = std::find_if(kOperatorTests.begin(), kOperatorTests.end(),
                                    [&](const OperatorTest& t) { return t.name == name; });
    const bool known = test != kOperatorTests.end() || name == "divisibleby";
    if (!known) return context.error(fmt::format("unknown test '{}'", name));
    if (argument == nullptr) return context.error(fmt::format("test '{}' needs a value", name));
    if (name == "divisibleby") return divisible(context, value, *argument, 0);
    return apply_comparison(context, test->op, value, *argument);
}

}  // namespace hone::text
