#include "text/chat_template_lexer.h"

#include <gtest/gtest.h>

namespace hone::text {
namespace {

// The tokens in short: data in quotes, tags as they look, the rest by its text.
std::string lex(std::string_view source) {
    const auto tokens = lex_template(source);
    if (!tokens) return "error: " + tokens.error().message;
    std::string out;
    for (const TemplateToken& token : *tokens) {
        switch (token.kind) {
            case TemplateTokenKind::data:
                out += "'" + token.text + "'";
                break;
            case TemplateTokenKind::block_begin:
                out += "{%";
                break;
            case TemplateTokenKind::block_end:
                out += " %}";
                break;
            case TemplateTokenKind::variable_begin:
                out += "{{";
                break;
            case TemplateTokenKind::variable_end:
                out += " }}";
                break;
            case TemplateTokenKind::end:
                break;
            default:
                out += " " + token.text;
        }
    }
    return out;
}

TEST(TemplateLexer, WhiteSpaceControl) {
    EXPECT_EQ(lex("a\n  {% x %}\nb"), "'a\n'{% x %}'b'");
    EXPECT_EQ(lex("a  {%- x -%}  \n b"), "'a'{% x %}'b'");
    EXPECT_EQ(lex("a\n  {%+ x +%}\nb"), "'a\n  '{% x %}'\nb'");
    EXPECT_EQ(lex("a\n  {{ x }}\nb\n"), "'a\n  '{{ x }}'\nb'");
    EXPECT_EQ(lex("  {# c #}\nb"), "'b'");
    EXPECT_EQ(lex("a{#- c -#}  b"), "'a''b'");
    EXPECT_EQ(lex("  {% x %}  {% y %}"), "{% x %}'  '{% y %}");
}

TEST(TemplateLexer, Expressions) {
    EXPECT_EQ(lex("{{ a.b[1:2]|f(x=1)//3 }}"), "{{ a . b [ 1 : 2 ] | f ( x = 1 ) // 3 }}");
    EXPECT_EQ(lex("{{ {'a': {'b': 1}}}}"), "{{ { a : { b : 1 } } }}");
    EXPECT_EQ(lex("{{ 1_000 2.50 1e5 1.5e-3 7.x }}"), "{{ 1000 2.50 1e5 1.5e-3 7 . x }}");
    EXPECT_EQ(lex(R"({{ "\x41\u00e9\n\q" }})"), "{{ A\u00E9\n\\q }}");
    EXPECT_EQ(lex("{% raw %}{{ x }}{% endraw %}"), "'{{ x }}'");
}

TEST(TemplateLexer, ErrorsNameTheLine) {
    EXPECT_NE(lex("a\n{{ x").find("line 2"), std::string::npos);
    EXPECT_NE(lex("{{ 'x }}").find("string"), std::string::npos);
    EXPECT_NE(lex("{# x").find("comment"), std::string::npos);
    EXPECT_NE(lex("{% raw %}x").find("raw"), std::string::npos);
    EXPECT_NE(lex("{{ (1] }}").find("']'"), std::string::npos);
    EXPECT_NE(lex("{{ \xFF }}").find("\\xff"), std::string::npos) << lex("{{ \xFF }}");
    EXPECT_NE(lex("{{ ! }}").find("'!'"), std::string::npos);
}

}  // namespace
}  // namespace hone::text
