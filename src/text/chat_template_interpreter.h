// The interpreter of chat templates: walks the syntax tree and writes text.
//
// Scopes are Jinja's: `for`, `with` and macros open one, `if` does not; `set` writes the innermost;
// only namespaces are seen through. Macros see the outermost scope and their parameters. All state
// lives here and dies with the rendering. Not thread-safe; the tree may be shared.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "text/chat_template_ast.h"
#include "text/chat_template_context.h"

namespace hone::text {

class TemplateInterpreter {
  public:
    TemplateInterpreter(TemplateContext& context, std::unordered_map<std::string, Value> variables);

    base::Result<std::string> render(const TemplateBody& body);

  private:
    using Scope = std::unordered_map<std::string, Value>;
    using Expression = TemplateExpression;
    using Statement = TemplateStatement;
    using ValueResult = base::Result<Value>;
    // What a body asks of the loop around it.
    enum class Flow { go_on, leave_loop, next_loop };
    using FlowResult = base::Result<Flow>;

    // chat_template_interpreter.cc: statements
    FlowResult run_body(const TemplateBody& body, std::string& out);
    FlowResult run(const Statement& statement, std::string& out);
    FlowResult run_choose(const Statement& statement, std::string& out);
    FlowResult run_loop(const Statement& statement, std::string& out);
    FlowResult run_scope(const Statement& statement, std::string& out);
    base::Result<ValueList> loop_items(const Statement& statement);
    base::Status run_assign(const Statement& statement);
    base::Status run_assign_body(const Statement& statement);
    base::Status assign_member(const Statement& statement, Value value);
    base::Status bind(const std::vector<std::string>& names, const Value& value);
    base::Status append(std::string& out, const Value& value);
    Value loop_state(const ValueList& items, size_t index) const;

    // chat_template_evaluator.cc: expressions
    ValueResult evaluate(const Expression& node);
    ValueResult evaluate_node(const Expression& node);
    ValueResult evaluate_optional(const Expression* node);
    ValueResult evaluate_list(const Expression& node);
    ValueResult evaluate_dict(const Expression& node);
    ValueResult evaluate_logical(const Expression& node);
    ValueResult evaluate_concat(const Expression& node);
    ValueResult evaluate_compare(const Expression& node);
    ValueResult evaluate_subscript(const Expression& node);
    ValueResult evaluate_filter_or_test(const Expression& node);
    ValueResult evaluate_call(const Expression& node);
    ValueResult call_function(TemplateFunction function, const TemplateArguments& arguments);
    ValueResult call_macro(const Statement& macro, const TemplateArguments& arguments);
    ValueResult call_range(const TemplateArguments& arguments);
    ValueResult call_strftime(const TemplateArguments& arguments);
    base::Result<TemplateArguments> evaluate_arguments(const Expression& node);
    Value look_up(const std::string& name) const;

    TemplateContext& context_;
    std::vector<Scope> scopes_;  // [0] is the outermost
    size_t visible_from_ = 0;    // scopes from here up are visible, and scopes_[0]
    std::vector<std::unique_ptr<TemplateNamespace>> name_spaces_;
    ValueList loop_keys_;  // the texts "index", "index0", ..., made once
};

}  // namespace hone::text
