// The parser of chat templates: tokens to a syntax tree, by recursive descent.
//
// The grammar is that of Jinja 3 for expressions, and for the statements if, for (with loop
// controls), set, macro, with and the generation marker. Loading other templates is refused by
// design: a template must not reach outside. Pure functions.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/chat_template_ast.h"
#include "text/chat_template_lexer.h"

namespace hone::text {

// Walks the tokens; shared by the two halves of the parser.
class TemplateParser {
  public:
    explicit TemplateParser(std::vector<TemplateToken> tokens) : tokens_(std::move(tokens)) {}

    base::Result<TemplateBody> parse();

  private:
    using ExpressionResult = base::Result<TemplateExpressionPointer>;
    using ExpressionKind = TemplateExpression::Kind;
    using StatementResult = base::Result<TemplateStatement>;

    // chat_template_parser.cc: statements
    base::Result<TemplateBody> parse_body(std::vector<std::string_view> ends);
    StatementResult parse_statement();
    StatementResult parse_choose();
    StatementResult parse_loop();
    StatementResult parse_assign();
    StatementResult parse_macro();
    StatementResult parse_scope();
    StatementResult parse_group();
    base::Status parse_parameters(TemplateStatement& macro);
    base::Result<std::vector<std::string>> parse_targets();
    base::Status finish_block(std::string_view end);
    bool at_block_end_tag(const std::vector<std::string_view>& ends) const;

    // chat_template_expression_parser.cc: expressions, one function per level of precedence
    ExpressionResult parse_expression();  // with a tuple at the top
    ExpressionResult parse_conditional();
    ExpressionResult parse_or();
    ExpressionResult parse_and();
    ExpressionResult parse_not();
    ExpressionResult parse_compare();
    ExpressionResult parse_sum();
    ExpressionResult parse_concat();
    ExpressionResult parse_product();
    ExpressionResult parse_power();
    ExpressionResult parse_unary(bool with_filters);
    ExpressionResult parse_primary();
    ExpressionResult parse_name();
    ExpressionResult parse_number();
    ExpressionResult parse_parentheses();
    ExpressionResult parse_list();
    ExpressionResult parse_dict();
    ExpressionResult parse_postfix(TemplateExpressionPointer node);
    ExpressionResult parse_filters(TemplateExpressionPointer node);
    ExpressionResult parse_filter(TemplateExpressionPointer node);
    ExpressionResult parse_test(TemplateExpressionPointer node);
    ExpressionResult parse_member(TemplateExpressionPointer node);
    ExpressionResult parse_subscript(TemplateExpressionPointer node);
    ExpressionResult parse_call(TemplateExpressionPointer callee);
    base::Status parse_arguments(TemplateExpression& node);
    base::Result<std::string> take_comparison();

    const TemplateToken& peek(size_t ahead = 0) const;
    TemplateToken take();
    bool at_operation(std::string_view text) const;
    bool at_name(std::string_view text, size_t ahead = 0) const;
    bool take_operation(std::string_view text);
    bool take_name(std::string_view text);
    base::Status expect_operation(std::string_view text);
    base::Result<std::string> expect_identifier();
    tl::unexpected<base::Error> error(std::string_view what) const;
    TemplateExpressionPointer make(ExpressionKind kind) const;
    // Computes the depth of a finished node.
    ExpressionResult finish(TemplateExpressionPointer node) const;

    std::vector<TemplateToken> tokens_;
    size_t position_ = 0;
    size_t depth_ = 0;  // of nested parser calls
    size_t loops_ = 0;  // of nested for blocks
};

}  // namespace hone::text
