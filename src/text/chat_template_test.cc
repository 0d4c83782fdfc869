#include "text/chat_template.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "base/text.h"

namespace hone::text {
namespace {

using base::ErrorCode;
using base::Json;

base::Result<std::string> render(std::string_view source, const ChatInput& input = {}) {
    auto parsed = ChatTemplate::parse(source);
    if (!parsed) return tl::unexpected<base::Error>(parsed.error());
    return parsed->render(input);
}

ChatInput input_of(const Json& json) {
    ChatInput input;
    for (const Json& message : json.at("messages")) {
        ChatMessage out;
        out.role = message.at("role").get<std::string>();
        out.content = message.at("content").get<std::string>();
        out.fields = message;
        input.messages.push_back(std::move(out));
    }
    input.add_generation_prompt = json.at("add_generation_prompt").get<bool>();
    input.bos_token = json.at("bos_token").get<std::string>();
    input.eos_token = json.at("eos_token").get<std::string>();
    input.extra = json.at("extra");
    std::tm now{};  // Sunday, 26 July 2026, 14:05:00: the time of the goldens
    now.tm_year = 126;
    now.tm_mon = 6;
    now.tm_mday = 26;
    now.tm_hour = 14;
    now.tm_min = 5;
    now.tm_yday = 206;
    input.now = now;
    return input;
}

TEST(ChatTemplate, EqualsJinja2OnTheGoldens) {
    const auto text = base::read_file(HONE_SOURCE_DIR "/tests/golden/chat_templates.json", 1 << 24);
    ASSERT_TRUE(text.has_value());
    const auto cases = base::parse_json(*text);
    ASSERT_TRUE(cases.has_value());
    ASSERT_GE(cases->size(), 50u);
    for (const Json& golden : *cases) {
        SCOPED_TRACE(golden.at("name").get<std::string>());
        const auto got =
            render(golden.at("template").get<std::string>(), input_of(golden.at("input")));
        if (golden.contains("error")) {
            EXPECT_FALSE(got.has_value()) << *got;
        } else if (got.has_value()) {
            EXPECT_EQ(*got, golden.at("expected").get<std::string>());
        } else {
            ADD_FAILURE() << got.error().message;
        }
    }
}

TEST(ChatTemplate, ErrorsNameTheLine) {
    const auto parse_error = ChatTemplate::parse("a\nb {% if %}");
    ASSERT_FALSE(parse_error.has_value());
    EXPECT_EQ(parse_error.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(parse_error.error().message.find("line 2"), std::string::npos);
    const auto run_error = render("a\n\n{{ raise_exception('no system role') }}");
    ASSERT_FALSE(run_error.has_value());
    EXPECT_EQ(run_error.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(run_error.error().message.find("line 3"), std::string::npos);
    EXPECT_NE(run_error.error().message.find("no system role"), std::string::npos);
}

// Templates that would run for ever, eat memory or recurse without end.
constexpr const char* kHostile[] = {
    "{% for i in range(10**9) %}x{% endfor %}",
    "{% for i in range(90000) %}{% for j in range(90000) %}{% endfor %}{% endfor %}",
    "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor "
    "%}",
    "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x * 1000 %}{% endfor "
    "%}",
    "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor "
    "%}",
    "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor "
    "%}"
    "{{ ns.x }}",
    "{% set ns = namespace(x=[1]) %}{% for i in range(99999) %}{% set ns.x = [ns.x] %}{% endfor %}",
    "{% set ns = namespace(x={}) %}{% for i in range(60) %}"
    "{% set ns.x = {'a': ns.x, 'b': ns.x} %}{% endfor %}{{ ns.x == ns.x }}{{ ns.x | tojson }}",
    "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
    "{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}",
    "{{ 'a' * 1000000000000 }}",
    "{{ [0] * 1000000000 }}",
    "{% set a = 'a' * 1000000 %}{{ a.replace('a', a) }}",
    "{% set a = 'a' * 1000000 %}{{ ([a] * 100000) | join(a) }}",
    "{% set a = 'a' * 1000000 %}{{ [a] * 100000 }}",
    "{% set a = 'a' * 500000 %}{% for i in range(90000) %}{% if a ~ 'b' in a ~ a %}{% endif %}"
    "{% endfor %}",
    "{% set a = '\\n' * 1000000 %}{{ a | indent(1000, true, true) }}",
    "{% set a = range(90000) | list %}{% for i in a %}{{ a | unique | length }}{% endfor %}",
    "{% for i in range(99999) %}aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa{% endfor %}",
    "{{ 2 ** 2 ** 2 ** 2 ** 2 ** 2 }}{{ 9999999999 * 9999999999 }}",
    "{{ 'a' | map('map', 'map', 'map', 'list') | list }}{{ 'x' | nothing }}",
};

TEST(ChatTemplate, HostileTemplatesFailSoon) {
    for (const char* source : kHostile) {
        SCOPED_TRACE(source);
        const auto got = render(source);
        ASSERT_FALSE(got.has_value());
        EXPECT_LT(got.error().message.size(), 500u);
    }
}

TEST(ChatTemplate, DeepSourcesFailToParse) {
    for (const char* unit : {"(", "[", "{'a':", "-", "not ", "x[", "x(", "1+", "x if x else "}) {
        std::string source = "{{ ";
        for (int i = 0; i < 100000; ++i) source += unit;
        SCOPED_TRACE(unit);
        EXPECT_FALSE(ChatTemplate::parse(source + "1 }}").has_value());
    }
    std::string blocks;
    for (int i = 0; i < 50000; ++i) blocks += "{% if x %}";
    EXPECT_FALSE(ChatTemplate::parse(blocks).has_value());
    std::string filters = "{{ x";
    for (int i = 0; i < 50000; ++i) filters += "|trim";
    EXPECT_FALSE(ChatTemplate::parse(filters + " }}").has_value());
    EXPECT_EQ(ChatTemplate::parse(std::string((1 << 20) + 1, 'x')).error().code,
              ErrorCode::exhausted);
}

TEST(ChatTemplate, LimitsAreTheCallers) {
    const auto parsed = ChatTemplate::parse("{% for i in range(50) %}0123456789{% endfor %}");
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(parsed->render({})->size(), 500u);
    EXPECT_EQ(parsed->render({}, {.output_bytes_max = 499}).error().code, ErrorCode::exhausted);
    EXPECT_EQ(parsed->render({}, {.steps_max = 100}).error().code, ErrorCode::exhausted);
    EXPECT_TRUE(parsed->render({}, {.output_bytes_max = 500}).has_value());
}

TEST(ChatTemplate, ExtraVariablesCannotReplaceOurs) {
    ChatInput input;
    input.extra = base::Json{{"depth", 3}, {"deep", {{"list", {1, 2.5, nullptr, true, "x"}}}}};
    EXPECT_EQ(*render("{{ depth }} {{ deep.list }}", input), "3 [1, 2.5, None, True, 'x']");
    for (const char* name : {"messages", "add_generation_prompt", "bos_token", "eos_token"}) {
        input.extra = base::Json{{name, 1}};
        EXPECT_EQ(render("x", input).error().code, ErrorCode::invalid_argument) << name;
    }
    input.extra = Json::array();
    EXPECT_FALSE(render("x", input).has_value());
    Json deep = 1;
    for (int i = 0; i < 200; ++i) deep = Json::array({deep});
    input.extra = base::Json{{"deep", deep}};
    EXPECT_EQ(render("x", input).error().code, ErrorCode::exhausted);
}

TEST(ChatTemplate, TheTimeIsDefinedOnlyWhenGiven) {
    constexpr const char* kSource = "{{ strftime_now is defined }}";
    EXPECT_EQ(*render(kSource), "False");
    ChatInput input;
    input.now = std::tm{};
    EXPECT_EQ(*render(kSource, input), "True");
    EXPECT_FALSE(render("{{ strftime_now('%Q') }}", input).has_value());
}

TEST(ChatTemplate, RendersTheSameTwiceAndFromCopies) {
    const auto parsed = ChatTemplate::parse(
        "{% set ns = namespace(n=1) %}{% set ns.n = ns.n + 1 %}"
        "{{ ns.n }}");
    const ChatTemplate copy = *parsed;
    EXPECT_EQ(*parsed->render({}), "2");
    EXPECT_EQ(*copy.render({}), "2");
}

TEST(ChatTemplate, BadUtf8PassesThrough) {
    ChatInput input;
    input.messages = {{"user", "a\xFF\xE2\x82", {}}};
    EXPECT_EQ(*render("{{ messages[0].content | trim }}", input), "a\xFF\xE2\x82");
    EXPECT_EQ(*render("{{ messages[0].content | length }}", input), "4");
}

}  // namespace
}  // namespace hone::text
