#include <cstdlib>

#include "text/chat_template_calls.h"
#include "text/chat_template_interpreter.h"
#include "text/chat_template_operators.h"

namespace hone::text {

using ExpressionKind = TemplateExpression::Kind;

// The bound of Jinja's sandbox.
constexpr int64_t kRangeMax = 100'000;

Value TemplateInterpreter::look_up(const std::string& name) const {
    for (size_t i = scopes_.size(); i > visible_from_; --i) {
        const auto found = scopes_[i - 1].find(name);
        if (found != scopes_[i - 1].end()) return found->second;
    }
    const auto found = scopes_[0].find(name);
    return found != scopes_[0].end() ? found->second : Value();
}

base::Result<Value> TemplateInterpreter::evaluate(const Expression& node) {
    HONE_TRY_STATUS(context_.spend(1));
    // Leaves are most of the nodes; they need no level.
    if (node.kind == ExpressionKind::literal) return node.value;
    if (node.kind == ExpressionKind::name) return look_up(node.text);
    HONE_TRY_STATUS(context_.enter());
    const TemplateLevel level(context_);
    context_.at_line(node.line);
    return evaluate_node(node);
}

base::Result<Value> TemplateInterpreter::evaluate_node(const Expression& node) {
    switch (node.kind) {
        case ExpressionKind::list:
            return evaluate_list(node);
        case ExpressionKind::dict:
            return evaluate_dict(node);
        case ExpressionKind::attribute: {
            HONE_TRY(const Value object, evaluate(*node.children[0]));
            return get_attribute(context_, object, node.text);
        }
        case ExpressionKind::index:
        case ExpressionKind::slice:
            return evaluate_subscript(node);
        case ExpressionKind::call:
            return evaluate_call(node);
        case ExpressionKind::filter:
        case ExpressionKind::test:
            return evaluate_filter_or_test(node);
        case ExpressionKind::logical_and:
        case ExpressionKind::logical_or:
            return evaluate_logical(node);
        case ExpressionKind::concat:
            return evaluate_concat(node);
        case ExpressionKind::compare:
            return evaluate_compare(node);
        case ExpressionKind::conditional: {
            HONE_TRY(const Value condition, evaluate(*node.children[0]));
            return evaluate_optional(node.children[condition.truthy() ? 1 : 2].get());
        }
        case ExpressionKind::binary: {
            HONE_TRY(const Value left, evaluate(*node.children[0]));
            HONE_TRY(const Value right, evaluate(*node.children[1]));
            return apply_binary(context_, node.text, left, right);
        }
        case ExpressionKind::literal:
        case ExpressionKind::name:
        case ExpressionKind::logical_not:
        case ExpressionKind::negate:
        case ExpressionKind::positive:
            break;
    }
    HONE_TRY(const Value operand, evaluate(*node.children[0]));
    if (node.kind == ExpressionKind::logical_not) return Value::boolean(!operand.truthy());
    if (node.kind == ExpressionKind::negate) return negate(context_, operand);
    if (!operand.is_number()) return context_.error("'+' needs a number");
    return operand;
}

base::Result<Value> TemplateInterpreter::evaluate_optional(const Expression* node) {
    if (node == nullptr) return Value();
    return evaluate(*node);
}

base::Result<Value> TemplateInterpreter::evaluate_list(const Expression& node) {
    ValueList items;
    for (const auto& child : node.children) {
        HONE_TRY(Value item, evaluate(*child));
        items.push_back(std::move(item));
    }
    return context_.list(std::move(items));
}

base::Result<Value> TemplateInterpreter::evaluate_dict(const Expression& node) {
    ValueDict entries;
    for (size_t i = 0; i < node.children.size(); i += 2) {
        HONE_TRY(Value key, evaluate(*node.children[i]));
        HONE_TRY(Value value, evaluate(*node.children[i + 1]));
        HONE_TRY_STATUS(context_.spend(1 + entries.size() / 8));
        bool known = false;
        for (auto& [other, old] : entries) {
            HONE_TRY(known, context_.equal(other, key));
            if (!known) continue;
            old = value;
            break;
        }
        if (!known) entries.emplace_back(std::move(key), std::move(value));
    }
    return context_.dict(std::move(entries));
}

// The first operand that decides, or the last one: Python's `and` and `or`.
base::Result<Value> TemplateInterpreter::evaluate_logical(const Expression& node) {
    const bool decisive = node.kind == ExpressionKind::logical_or;
    Value value;
    for (const auto& child : node.children) {
        HONE_TRY(value, evaluate(*child));
        if (value.truthy() == decisive) break;
    }
    return value;
}

base::Result<Value> TemplateInterpreter::evaluate_concat(const Expression& node) {
    std::string out;
    for (const auto& child : node.children) {
        HONE_TRY(const Value value, evaluate(*child));
        HONE_TRY(const std::string text, context_.text_of(value));
        out += text;
        if (out.size() > context_.limits().output_bytes_max) {
            return context_.exhausted("a text is too large");
        }
    }
    return context_.string(std::move(out));
}

base::Result<Value> TemplateInterpreter::evaluate_compare(const Expression& node) {
    HONE_TRY(Value left, evaluate(*node.children[0]));
    for (size_t i = 0; i < node.names.size(); ++i) {
        HONE_TRY(Value right, evaluate(*node.children[i + 1]));
        HONE_TRY(const bool holds, apply_comparison(context_, node.names[i], left, right));
        if (!holds) return Value::boolean(false);
        left = std::move(right);
    }
    return Value::boolean(true);
}

base::Result<Value> TemplateInterpreter::evaluate_subscript(const Expression& node) {
    HONE_TRY(const Value object, evaluate(*node.children[0]));
    HONE_TRY(const Value first, evaluate_optional(node.children[1].get()));
    if (node.kind == ExpressionKind::index) return get_item(context_, object, first);
    HONE_TRY(const Value stop, evaluate_optional(node.children[2].get()));
    HONE_TRY(const Value step, evaluate_optional(node.children[3].get()));
    return get_slice(context_, object, first, stop, step);
}

// The children behind the first one, the last of them by keyword.
base::Result<TemplateArguments> TemplateInterpreter::evaluate_arguments(const Expression& node) {
    TemplateArguments arguments;
    const size_t named_from = node.children.size() - node.names.size();
    for (size_t i = 1; i < node.children.size(); ++i) {
        HONE_TRY(Value value, evaluate(*node.children[i]));
        if (i < named_from) {
            arguments.positional.push_back(std::move(value));
        } else {
            arguments.named.emplace_back(node.names[i - named_from], std::move(value));
        }
    }
    return arguments;
}

base::Result<Value> TemplateInterpreter::evaluate_filter_or_test(const Expression& node) {
    HONE_TRY(const Value input, evaluate(*node.children[0]));
    HONE_TRY(const TemplateArguments arguments, evaluate_arguments(node));
    context_.at_line(node.line);
    if (node.kind == ExpressionKind::filter)
        return apply_filter(context_, node.text, input, arguments);
    HONE_TRY(const bool holds, apply_test(context_, node.text, input, arguments));
    return Value::boolean(holds);
}

base::Result<Value> TemplateInterpreter::evaluate_call(const Expression& node) {
    const Expression& callee = *node.children[0];
    if (callee.kind == ExpressionKind::attribute) {
        HONE_TRY(const Value object, evaluate(*callee.children[0]));
        HONE_TRY(const TemplateArguments arguments, evaluate_arguments(node));
        context_.at_line(node.line);
        return call_method(context_, object, callee.text, arguments);
    }
    HONE_TRY(const Value function, evaluate(callee));
    HONE_TRY(const TemplateArguments arguments, evaluate_arguments(node));
    context_.at_line(node.line);
    if (function.is(Value::Kind::function)) return call_function(function.as_function(), arguments);
    if (function.is(Value::Kind::macro)) return call_macro(*function.as_macro(), arguments);
    const std::string name =
        callee.kind == ExpressionKind::name ? callee.text : function.type_name();
    return context_.error(fmt::format("'{}' is not a function", name));
}

base::Result<Value> TemplateInterpreter::call_function(TemplateFunction function,
                                                       const TemplateArguments& arguments) {
    switch (function) {
        case TemplateFunction::range:
            return call_range(arguments);
        case TemplateFunction::strftime_now:
            return call_strftime(arguments);
        case TemplateFunction::raise_exception: {
            HONE_TRY(const std::string message,
                     text_argument(context_, arguments.find(0, "message"), "no reason given"));
            return context_.error("the template refuses: " + message);
        }
        case TemplateFunction::make_namespace:
        case TemplateFunction::make_dict:
            break;
    }
    ValueDict entries;
    if (!arguments.positional.empty() && arguments.positional[0].is(Value::Kind::dict)) {
        HONE_TRY_STATUS(context_.spend(arguments.positional[0].as_dict().size()));
        entries = arguments.positional[0].as_dict();
    }
    for (const auto& [name, value] : arguments.named) {
        entries.emplace_back(Value::string(name), value);
    }
    if (function == TemplateFunction::make_dict) return context_.dict(std::move(entries));
    HONE_TRY_STATUS(context_.spend(4 + entries.size()));
    name_spaces_.push_back(std::make_unique<TemplateNamespace>());
    name_spaces_.back()->entries = std::move(entries);
    return Value::name_space(name_spaces_.back().get());
}

base::Result<Value> TemplateInterpreter::call_range(const TemplateArguments& arguments) {
    const auto& values = arguments.positional;
    if (values.empty() || values.size() > 3) return context_.error("range needs 1 to 3 integers");
    int64_t bounds[3] = {0, 0, 1};  // start, stop, step
    for (size_t i = 0; i < values.size(); ++i) {
        const size_t slot = values.size() == 1 ? 1 : i;
        HONE_TRY(bounds[slot], integer_argument(context_, &values[i], 0));
        // Far below overflow, and no template counts further.
        if (std::abs(bounds[slot] / 2) > INT64_MAX / 8) return context_.error("range too large");
    }
    const auto [start, stop, step] = std::tie(bounds[0], bounds[1], bounds[2]);
    if (step == 0) return context_.error("range needs a step that is not zero");
    const int64_t distance = step > 0 ? stop - start : start - stop;
    const int64_t count = distance <= 0 ? 0 : (distance - 1) / std::abs(step) + 1;
    if (count > kRangeMax) {
        return context_.exhausted(fmt::format("a range of more than {} numbers", kRangeMax));
    }
    HONE_TRY_STATUS(context_.spend(static_cast<size_t>(count)));
    ValueList out;
    for (int64_t i = 0; i < count; ++i) out.push_back(Value::integer(start + i * step));
    return context_.list(std::move(out));
}

base::Result<Value> TemplateInterpreter::call_strftime(const TemplateArguments& arguments) {
    if (!context_.now()) return context_.error("the time is not known");
    HONE_TRY(const std::string format,
             text_argument(context_, arguments.find(0, "format"), "%Y-%m-%d"));
    HONE_TRY(std::string text, format_time(context_, *context_.now(), format));
    return context_.string(std::move(text));
}

base::Result<Value> TemplateInterpreter::call_macro(const Statement& macro,
                                                    const TemplateArguments& arguments) {
    if (arguments.positional.size() > macro.names.size()) {
        return context_.error(
            fmt::format("macro '{}' takes {} arguments", macro.text, macro.names.size()));
    }
    Scope scope;
    const size_t defaults_from = macro.names.size() - macro.expressions.size();
    for (size_t i = 0; i < macro.names.size(); ++i) {
        const Value* given = arguments.find(i, macro.names[i]);
        if (given != nullptr) {
            scope[macro.names[i]] = *given;
        } else if (i >= defaults_from) {
            HONE_TRY(scope[macro.names[i]], evaluate(*macro.expressions[i - defaults_from]));
        }
    }
    const size_t visible_before = visible_from_;
    scopes_.push_back(std::move(scope));
    visible_from_ = scopes_.size() - 1;
    std::string text;
    HONE_TRY_STATUS(run_body(macro.bodies[0], text));
    scopes_.pop_back();
    visible_from_ = visible_before;
    return context_.string(std::move(text));
}

}  // namespace hone::text
