#include "text/chat_template_parser.h"

#include <algorithm>

#include "base/text.h"

namespace hone::text {

using base::ErrorCode;
using TokenKind = TemplateTokenKind;
using StatementKind = TemplateStatement::Kind;

const TemplateToken& TemplateParser::peek(size_t ahead) const {
    return tokens_[std::min(position_ + ahead, tokens_.size() - 1)];
}

TemplateToken TemplateParser::take() {
    const TemplateToken token = peek();
    if (position_ + 1 < tokens_.size()) ++position_;
    return token;
}

bool TemplateParser::at_operation(std::string_view text) const {
    return peek().kind == TokenKind::operation && peek().text == text;
}

bool TemplateParser::at_name(std::string_view text, size_t ahead) const {
    return peek(ahead).kind == TokenKind::name && peek(ahead).text == text;
}

bool TemplateParser::take_operation(std::string_view text) {
    if (!at_operation(text)) return false;
    take();
    return true;
}

bool TemplateParser::take_name(std::string_view text) {
    if (!at_name(text)) return false;
    take();
    return true;
}

base::Status TemplateParser::expect_operation(std::string_view text) {
    if (!take_operation(text)) return error(fmt::format("expected '{}'", text));
    return {};
}

base::Result<std::string> TemplateParser::expect_identifier() {
    if (peek().kind != TokenKind::name) return error("expected a name");
    return take().text;
}

tl::unexpected<base::Error> TemplateParser::error(std::string_view what) const {
    const TemplateToken& token = peek();
    std::string place;
    if (token.kind == TokenKind::end) {
        place = " at the end";
    } else if (!token.text.empty()) {
        place = fmt::format(" at '{}'", base::printable(token.text, 32));
    }
    return base::fail(ErrorCode::invalid_argument, "chat template line {}: {}{}", token.line, what,
                      place);
}

base::Result<TemplateBody> TemplateParser::parse() {
    HONE_TRY(auto body, parse_body({}));
    if (peek().kind != TokenKind::end) return error("a block ends that never began");
    return body;
}

bool TemplateParser::at_block_end_tag(const std::vector<std::string_view>& ends) const {
    return peek().kind == TokenKind::block_begin && peek(1).kind == TokenKind::name &&
           std::find(ends.begin(), ends.end(), peek(1).text) != ends.end();
}

// Statements up to the end of the template or a tag of `ends`, which stays.
base::Result<TemplateBody> TemplateParser::parse_body(std::vector<std::string_view> ends) {
    if (depth_ >= kTemplateDepthMax) return error("nested too deep");
    ++depth_;
    TemplateBody body;
    while (peek().kind != TokenKind::end && !at_block_end_tag(ends)) {
        HONE_TRY(auto statement, parse_statement());
        body.push_back(std::move(statement));
    }
    if (!ends.empty() && peek().kind == TokenKind::end) {
        return error(fmt::format("missing '{}'", ends.back()));
    }
    --depth_;
    return body;
}

base::Result<TemplateStatement> TemplateParser::parse_statement() {
    const TemplateToken token = take();
    TemplateStatement statement{StatementKind::text, token.line, token.text, {}, {}, {}};
    if (token.kind == TokenKind::data) return statement;
    if (token.kind == TokenKind::variable_begin) {
        statement.kind = StatementKind::print;
        HONE_TRY(auto expression, parse_expression());
        statement.expressions.push_back(std::move(expression));
        if (take().kind != TokenKind::variable_end) return error("expected '}}'");
        return statement;
    }
    if (take_name("if")) return parse_choose();
    if (take_name("for")) return parse_loop();
    if (take_name("set")) return parse_assign();
    if (take_name("macro")) return parse_macro();
    if (take_name("with")) return parse_scope();
    if (take_name("generation")) return parse_group();
    if (loops_ > 0 && (at_name("break") || at_name("continue"))) {
        statement.kind =
            take().text == "break" ? StatementKind::leave_loop : StatementKind::next_loop;
        if (take().kind != TokenKind::block_end) return error("expected '%}'");
        return statement;
    }
    return error("unsupported or misplaced tag");
}

// Consumes `{% end %}`.
base::Status TemplateParser::finish_block(std::string_view end) {
    take();
    if (!take_name(end)) return error(fmt::format("expected '{}'", end));
    if (take().kind != TokenKind::block_end) return error("expected '%}'");
    return {};
}

base::Result<TemplateStatement> TemplateParser::parse_choose() {
    TemplateStatement out{StatementKind::choose, peek().line, {}, {}, {}, {}};
    while (true) {
        HONE_TRY(auto condition, parse_expression());
        out.expressions.push_back(std::move(condition));
        if (take().kind != TokenKind::block_end) return error("expected '%}'");
        HONE_TRY(auto body, parse_body({"elif", "else", "endif"}));
        out.bodies.push_back(std::move(body));
        if (!at_name("elif", 1)) break;
        take();
        take();
    }
    if (at_name("else", 1)) {
        HONE_TRY_STATUS(finish_block("else"));
        HONE_TRY(auto body, parse_body({"endif"}));
        out.bodies.push_back(std::move(body));
    }
    HONE_TRY_STATUS(finish_block("endif"));
    return out;
}

base::Result<std::vector<std::string>> TemplateParser::parse_targets() {
    std::vector<std::string> names;
    const bool parentheses = take_operation("(");
    do {
        HONE_TRY(auto name, expect_identifier());
        names.push_back(std::move(name));
    } while (take_operation(",") && peek().kind == TokenKind::name);
    if (parentheses) HONE_TRY_STATUS(expect_operation(")"));
    return names;
}

base::Result<TemplateStatement> TemplateParser::parse_loop() {
    TemplateStatement out{StatementKind::loop, peek().line, {}, {}, {}, {}};
    HONE_TRY(auto targets, parse_targets());
    out.names = std::move(targets);
    if (!take_name("in")) return error("expected 'in'");
    // Without the conditional: the `if` that follows is the filter of the loop.
    HONE_TRY(auto iterable, parse_or());
    out.expressions.push_back(std::move(iterable));
    out.expressions.push_back(nullptr);
    if (take_name("if")) {
        HONE_TRY(auto filter, parse_expression());
        out.expressions[1] = std::move(filter);
    }
    if (at_name("recursive")) return error("recursive loops are not supported");
    if (take().kind != TokenKind::block_end) return error("expected '%}'");
    ++loops_;
    HONE_TRY(auto body, parse_body({"else", "endfor"}));
    --loops_;
    out.bodies.push_back(std::move(body));
    if (at_name("else", 1)) {
        HONE_TRY_STATUS(finish_block("else"));
        HONE_TRY(auto otherwise, parse_body({"endfor"}));
        out.bodies.push_back(std::move(otherwise));
    }
    HONE_TRY_STATUS(finish_block("endfor"));
    return out;
}

base::Result<TemplateStatement> TemplateParser::parse_assign() {
    TemplateStatement out{StatementKind::assign, peek().line, {}, {}, {}, {}};
    HONE_TRY(auto targets, parse_targets());
    out.names = std::move(targets);
    if (out.names.size() == 1 && take_operation(".")) {
        HONE_TRY(auto member, expect_identifier());
        out.kind = StatementKind::assign_member;
        out.names.push_back(std::move(member));
    }
    if (take_operation("=")) {
        HONE_TRY(auto value, parse_expression());
        out.expressions.push_back(std::move(value));
        if (take().kind != TokenKind::block_end) return error("expected '%}'");
        return out;
    }
    if (out.kind != StatementKind::assign || out.names.size() != 1) return error("expected '='");
    if (take().kind != TokenKind::block_end) return error("expected '=' or '%}'");
    out.kind = StatementKind::assign_body;
    HONE_TRY(auto body, parse_body({"endset"}));
    out.bodies.push_back(std::move(body));
    HONE_TRY_STATUS(finish_block("endset"));
    return out;
}

base::Status TemplateParser::parse_parameters(TemplateStatement& macro) {
    HONE_TRY_STATUS(expect_operation("("));
    while (!take_operation(")")) {
        HONE_TRY(auto name, expect_identifier());
        macro.names.push_back(std::move(name));
        if (take_operation("=")) {
            HONE_TRY(auto value, parse_conditional());
            macro.expressions.push_back(std::move(value));
        } else if (!macro.expressions.empty()) {
            return error("a parameter without a default follows one with a default");
        }
        if (!at_operation(")")) HONE_TRY_STATUS(expect_operation(","));
    }
    return {};
}

base::Result<TemplateStatement> TemplateParser::parse_macro() {
    TemplateStatement out{StatementKind::macro, peek().line, {}, {}, {}, {}};
    HONE_TRY(auto name, expect_identifier());
    out.text = std::move(name);
    HONE_TRY_STATUS(parse_parameters(out));
    if (take().kind != TokenKind::block_end) return error("expected '%}'");
    // A macro is a world of its own: it cannot leave a loop around it.
    const size_t loops = std::exchange(loops_, 0);
    HONE_TRY(auto body, parse_body({"endmacro"}));
    loops_ = loops;
    out.bodies.push_back(std::move(body));
    HONE_TRY_STATUS(finish_block("endmacro"));
    return out;
}

base::Result<TemplateStatement> TemplateParser::parse_scope() {
    TemplateStatement out{StatementKind::scope, peek().line, {}, {}, {}, {}};
    while (peek().kind != TokenKind::block_end) {
        if (!out.names.empty()) HONE_TRY_STATUS(expect_operation(","));
        HONE_TRY(auto name, expect_identifier());
        HONE_TRY_STATUS(expect_operation("="));
        HONE_TRY(auto value, parse_conditional());
        out.names.push_back(std::move(name));
        out.expressions.push_back(std::move(value));
    }
    take();
    HONE_TRY(auto body, parse_body({"endwith"}));
    out.bodies.push_back(std::move(body));
    HONE_TRY_STATUS(finish_block("endwith"));
    return out;
}

// {% generation %} marks what the assistant wrote, for training; it prints its body.
base::Result<TemplateStatement> TemplateParser::parse_group() {
    TemplateStatement out{StatementKind::group, peek().line, {}, {}, {}, {}};
    if (take().kind != TokenKind::block_end) return error("expected '%}'");
    HONE_TRY(auto body, parse_body({"endgeneration"}));
    out.bodies.push_back(std::move(body));
    HONE_TRY_STATUS(finish_block("endgeneration"));
    return out;
}

}  // namespace hone::text
