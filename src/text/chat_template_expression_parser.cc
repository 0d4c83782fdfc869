#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "text/chat_template_parser.h"

namespace hone::text {

using base::ErrorCode;
using TokenKind = TemplateTokenKind;
using ExpressionKind = TemplateExpression::Kind;

TemplateExpressionPointer TemplateParser::make(ExpressionKind kind) const {
    auto node = std::make_unique<TemplateExpression>();
    node->kind = kind;
    node->line = peek().line;
    return node;
}

base::Result<TemplateExpressionPointer> TemplateParser::finish(
    TemplateExpressionPointer node) const {
    for (const auto& child : node->children) {
        if (child != nullptr) node->depth = std::max(node->depth, child->depth + 1);
    }
    if (node->depth > kTemplateDepthMax) return error("the expression is nested too deep");
    return node;
}

// expression: conditional (',' conditional)*; with a comma it is a tuple.
base::Result<TemplateExpressionPointer> TemplateParser::parse_expression() {
    HONE_TRY(auto first, parse_conditional());
    if (!at_operation(",")) return first;
    auto tuple = make(ExpressionKind::list);
    tuple->children.push_back(std::move(first));
    while (take_operation(",")) {
        const TokenKind kind = peek().kind;
        if (kind == TokenKind::block_end || kind == TokenKind::variable_end || at_operation(")")) {
            break;
        }
        HONE_TRY(auto item, parse_conditional());
        tuple->children.push_back(std::move(item));
    }
    return finish(std::move(tuple));
}

// conditional: or ('if' or ('else' conditional)?)*
base::Result<TemplateExpressionPointer> TemplateParser::parse_conditional() {
    if (depth_ >= kTemplateDepthMax) return error("nested too deep");
    ++depth_;
    HONE_TRY(auto node, parse_or());
    while (take_name("if")) {
        auto conditional = make(ExpressionKind::conditional);
        HONE_TRY(auto condition, parse_or());
        TemplateExpressionPointer otherwise;
        if (take_name("else")) {
            HONE_TRY(otherwise, parse_conditional());
        }
        conditional->children.push_back(std::move(condition));
        conditional->children.push_back(std::move(node));
        conditional->children.push_back(std::move(otherwise));
        HONE_TRY(node, finish(std::move(conditional)));
    }
    --depth_;
    return node;
}

base::Result<TemplateExpressionPointer> TemplateParser::parse_or() {
    HONE_TRY(auto first, parse_and());
    if (!at_name("or")) return first;
    auto node = make(ExpressionKind::logical_or);
    node->children.push_back(std::move(first));
    while (take_name("or")) {
        HONE_TRY(auto next, parse_and());
        node->children.push_back(std::move(next));
    }
    return finish(std::move(node));
}

base::Result<TemplateExpressionPointer> TemplateParser::parse_and() {
    HONE_TRY(auto first, parse_not());
    if (!at_name("and")) return first;
    auto node = make(ExpressionKind::logical_and);
    node->children.push_back(std::move(first));
    while (take_name("and")) {
        HONE_TRY(auto next, parse_not());
        node->children.push_back(std::move(next));
    }
    return finish(std::move(node));
}

base::Result<TemplateExpressionPointer> TemplateParser::parse_not() {
    size_t count = 0;
    while (take_name("not")) ++count;
    HONE_TRY(auto node, parse_compare());
    for (; count > 0; --count) {
        auto negation = make(ExpressionKind::logical_not);
        negation->children.push_back(std::move(node));
        HONE_TRY(node, finish(std::move(negation)));
    }
    return node;
}

// The next comparison operator, or an empty string.
base::Result<std::string> TemplateParser::take_comparison() {
    for (const std::string_view op : {"==", "!=", "<=", ">=", "<", ">"}) {
        if (take_operation(op)) return std::string(op);
    }
    if (take_name("in")) return std::string("in");
    if (at_name("not") && at_name("in", 1)) {
        take();
        take();
        return std::string("not in");
    }
    return std::string();
}

base::Result<TemplateExpressionPointer> TemplateParser::parse_compare() {
    HONE_TRY(auto first, parse_sum());
    HONE_TRY(auto op, take_comparison());
    if (op.empty()) return first;
    auto node = make(ExpressionKind::compare);
    node->children.push_back(std::move(first));
    while (!op.empty()) {
        node->names.push_back(std::move(op));
        HONE_TRY(auto next, parse_sum());
        node->children.push_back(std::move(next));
        HONE_TRY(op, take_comparison());
    }
    return finish(std::move(node));
}

base::Result<TemplateExpressionPointer> TemplateParser::parse_sum() {
    HONE_TRY(auto left, parse_concat());
    while (at_operation("+") || at_operation("-")) {
        auto node = make(ExpressionKind::binary);
        node->text = take().text;
        HONE_TRY(auto right, parse_concat());
        node->children.push_back(std::move(left));
        node->children.push_back(std::move(right));
        HONE_TRY(left, finish(std::move(node)));
    }
    return left;
}

base::Result<TemplateExpressionPointer> TemplateParser::parse_concat() {
    HONE_TRY(auto first, parse_product());
    if (!at_operation("~")) return first;
    auto node = make(ExpressionKind::concat);
    node->children.push_back(std::move(first));
    while (take_operation("~")) {
        HONE_TRY(auto next, parse_product());
        node->children.push_back(std::move(next));
    }
    return finish(std::move(node));
}

base::Result<TemplateExpressionPointer> TemplateParser::parse_product() {
    HONE_TRY(auto left, parse_power());
    while (at_operation("*") || at_operation("/") || at_operation("//") || at_operation("%")) {
        auto node = make(ExpressionKind::binary);
        node->text = take().text;
        HONE_TRY(auto right, parse_power());
        node->children.push_back(std::move(left));
        node->children.push_back(std::move(right));
        HONE_TRY(left, finish(std::move(node)));
    }
    return left;
}

base::Result<TemplateExpressionPointer> TemplateParser::parse_power() {
    HONE_TRY(auto left, parse_unary(true));
    while (at_operation("**")) {
        auto node = make(ExpressionKind::binary);
        node->text = take().text;
        HONE_TRY(auto right, parse_unary(true));
        node->children.push_back(std::move(left));
        node->children.push_back(std::move(right));
        HONE_TRY(left, finish(std::move(node)));
    }
    return left;
}

base::Result<TemplateExpressionPointer> TemplateParser::parse_unary(bool with_filters) {
    TemplateExpressionPointer node;
    if (at_operation("-") || at_operation("+")) {
        if (depth_ >= kTemplateDepthMax) return error("nested too deep");
        ++depth_;
        auto sign = make(at_operation("-") ? ExpressionKind::negate : ExpressionKind::positive);
        take();
        HONE_TRY(auto operand, parse_unary(false));
        --depth_;
        sign->children.push_back(std::move(operand));
        HONE_TRY(node, finish(std::move(sign)));
    } else {
        HONE_TRY(node, parse_primary());
    }
    HONE_TRY(node, parse_postfix(std::move(node)));
    if (!with_filters) return node;
    return parse_filters(std::move(node));
}

base::Result<TemplateExpressionPointer> TemplateParser::parse_primary() {
    switch (peek().kind) {
        case TokenKind::name:
            return parse_name();
        case TokenKind::integer:
        case TokenKind::real:
            return parse_number();
        case TokenKind::string: {
            auto node = make(ExpressionKind::literal);
            std::string text;
            while (peek().kind == TokenKind::string) text += take().text;
            node->value = Value::string(std::move(text));
            return node;
        }
        default:
            break;
    }
    if (take_operation("(")) return parse_parentheses();
    if (take_operation("[")) return parse_list();
    if (take_operation("{")) return parse_dict();
    return error("expected an expression");
}

base::Result<TemplateExpressionPointer> TemplateParser::parse_name() {
    auto node = make(ExpressionKind::literal);
    const std::string& name = peek().text;
    if (name == "true" || name == "True") {
        node->value = Value::boolean(true);
    } else if (name == "false" || name == "False") {
        node->value = Value::boolean(false);
    } else if (name == "none" || name == "None") {
        node->value = Value::none();
    } else {
        node->kind = ExpressionKind::name;
        node->text = name;
    }
    take();
    return node;
}

base::Result<TemplateExpressionPointer> TemplateParser::parse_number() {
    auto node = make(ExpressionKind::literal);
    const TemplateToken& token = peek();
    const char* begin = token.text.data();
    const char* end = begin + token.text.size();
    if (token.kind == TokenKind::real) {
        double value = 0;
        if (std::from_chars(begin, end, value).ec != std::errc()) return error("bad number");
        node->value = Value::real(value);
    } else {
        int64_t value = 0;
        if (std::from_chars(begin, end, value).ec != std::errc()) return error("bad number");
        node->value = Value::integer(value);
    }
    take();
    return node;
}

base::Result<TemplateExpressionPointer> TemplateParser::parse_parentheses() {
    if (take_operation(")")) return make(ExpressionKind::list);
    HONE_TRY(auto node, parse_expression());
    HONE_TRY_STATUS(expect_operation(")"));
    return node;
}

base::Result<TemplateExpressionPointer> TemplateParser::parse_list() {
    auto node = make(ExpressionKind::list);
    while (!take_operation("]")) {
        HONE_TRY(auto item, parse_conditional());
        node->children.push_back(std::move(item));
        if (!at_operation("]")) HONE_TRY_STATUS(expect_operation(","));
    }
    return finish(std::move(node));
}

base::Result<TemplateExpressionPointer> TemplateParser::parse_dict() {
    auto node = make(ExpressionKind::dict);
    while (!take_operation("}")) {
        HONE_TRY(auto key, parse_conditional());
        HONE_TRY_STATUS(expect_operation(":"));
        HONE_TRY(auto value, parse_conditional());
        node->children.push_back(std::move(key));
        node->children.push_back(std::move(value));
        if (!at_operation("}")) HONE_TRY_STATUS(expect_operation(","));
    }
    return finish(std::move(node));
}

base::Result<TemplateExpressionPointer> TemplateParser::parse_postfix(
    TemplateExpressionPointer node) {
    while (true) {
        if (take_operation(".")) {
            HONE_TRY(node, parse_member(std::move(node)));
        } else if (take_operation("[")) {
            HONE_TRY(node, parse_subscript(std::move(node)));
        } else if (take_operation("(")) {
            HONE_TRY(node, parse_call(std::move(node)));
        } else {
            return node;
        }
    }
}

base::Result<TemplateExpressionPointer> TemplateParser::parse_filters(
    TemplateExpressionPointer node) {
    while (true) {
        if (take_operation("|")) {
            HONE_TRY(node, parse_filter(std::move(node)));
        } else if (take_name("is")) {
            HONE_TRY(node, parse_test(std::move(node)));
        } else if (take_operation("(")) {
            HONE_TRY(node, parse_call(std::move(node)));
        } else {
            return node;
        }
    }
}

base::Result<TemplateExpressionPointer> TemplateParser::parse_filter(
    TemplateExpressionPointer input) {
    auto node = make(ExpressionKind::filter);
    HONE_TRY(node->text, expect_identifier());
    node->children.push_back(std::move(input));
    if (take_operation("(")) HONE_TRY_STATUS(parse_arguments(*node));
    return finish(std::move(node));
}

// 'is' 'not'? name, then arguments in parentheses or one bare argument.
base::Result<TemplateExpressionPointer> TemplateParser::parse_test(
    TemplateExpressionPointer input) {
    auto node = make(ExpressionKind::test);
    const bool negated = take_name("not");
    HONE_TRY(node->text, expect_identifier());
    node->children.push_back(std::move(input));
    const TokenKind kind = peek().kind;
    const bool keyword = at_name("else") || at_name("or") || at_name("and") || at_name("if") ||
                         at_name("in") || at_name("not") || at_name("is");
    if (take_operation("(")) {
        HONE_TRY_STATUS(parse_arguments(*node));
    } else if ((kind == TokenKind::name && !keyword) || kind == TokenKind::string ||
               kind == TokenKind::integer || kind == TokenKind::real || at_operation("[") ||
               at_operation("{")) {
        HONE_TRY(auto argument, parse_primary());
        HONE_TRY(argument, parse_postfix(std::move(argument)));
        node->children.push_back(std::move(argument));
    }
    if (!negated) return finish(std::move(node));
    auto negation = make(ExpressionKind::logical_not);
    HONE_TRY(node, finish(std::move(node)));
    negation->children.push_back(std::move(node));
    return finish(std::move(negation));
}

base::Result<TemplateExpressionPointer> TemplateParser::parse_member(
    TemplateExpressionPointer object) {
    if (peek().kind == TokenKind::integer) {
        auto node = make(ExpressionKind::index);
        HONE_TRY(auto subscript, parse_number());
        node->children.push_back(std::move(object));
        node->children.push_back(std::move(subscript));
        return finish(std::move(node));
    }
    auto node = make(ExpressionKind::attribute);
    HONE_TRY(node->text, expect_identifier());
    node->children.push_back(std::move(object));
    return finish(std::move(node));
}

// object[subscript] or object[start:stop:step]
base::Result<TemplateExpressionPointer> TemplateParser::parse_subscript(
    TemplateExpressionPointer object) {
    auto node = make(ExpressionKind::index);
    node->children.push_back(std::move(object));
    for (int part = 0; part < 3; ++part) {
        if (at_operation(":") || at_operation("]")) {
            node->children.push_back(nullptr);
        } else {
            HONE_TRY(auto bound, parse_expression());
            node->children.push_back(std::move(bound));
        }
        if (!take_operation(":")) break;
        node->kind = ExpressionKind::slice;
    }
    HONE_TRY_STATUS(expect_operation("]"));
    if (node->kind == ExpressionKind::slice) {
        node->children.resize(4);
    } else if (node->children[1] == nullptr) {
        return error("expected a subscript");
    }
    return finish(std::move(node));
}

base::Result<TemplateExpressionPointer> TemplateParser::parse_call(
    TemplateExpressionPointer callee) {
    auto node = make(ExpressionKind::call);
    node->children.push_back(std::move(callee));
    HONE_TRY_STATUS(parse_arguments(*node));
    return finish(std::move(node));
}

// Behind '(': arguments, keywords last, and ')'.
base::Status TemplateParser::parse_arguments(TemplateExpression& node) {
    while (!take_operation(")")) {
        if (at_operation("*") || at_operation("**")) return error("unpacking is not supported");
        const bool keyword = peek().kind == TokenKind::name &&
                             peek(1).kind == TokenKind::operation && peek(1).text == "=";
        if (keyword) {
            node.names.push_back(take().text);
            take();
        } else if (!node.names.empty()) {
            return error("a positional argument follows a keyword");
        }
        HONE_TRY(auto value, parse_conditional());
        node.children.push_back(std::move(value));
        if (!at_operation(")")) HONE_TRY_STATUS(expect_operation(","));
    }
    return {};
}

}  // namespace hone::text
