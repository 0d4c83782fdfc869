// The syntax tree of a chat template: plain data between the parser and the interpreter.
//
// Invariant: nodes are nested at most kTemplateDepthMax deep, so every recursion over a tree is
// bounded. It holds no behaviour and no host objects. Immutable after parsing; then thread-safe.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "text/chat_template_value.h"

namespace hone::text {

constexpr size_t kTemplateDepthMax = 128;

struct TemplateExpression {
    enum class Kind {
        literal,      // value
        name,         // text
        list,         // children: items (tuples too)
        dict,         // children: key, value, key, value, ...
        attribute,    // children: object; text: name
        index,        // children: object, subscript
        slice,        // children: object, start, stop, step; any of the last three may be null
        call,         // children: callee, arguments
        filter,       // children: input, arguments; text: name
        test,         // children: input, arguments; text: name
        logical_not,  // children: operand
        negate,       // children: operand
        positive,     // children: operand
        logical_and,  // children: operands
        logical_or,   // children: operands
        concat,       // children: operands
        binary,       // children: left, right; text: + - * / // % **
        compare,      // children: operands; names: an operator between each two
        conditional,  // children: condition, then, else; else may be null
    };
    Kind kind;
    int line = 1;
    std::string text;
    Value value;
    std::vector<std::unique_ptr<TemplateExpression>> children;
    // Keywords of the last names.size() arguments of call, filter, test; operators of compare.
    std::vector<std::string> names;
    size_t depth = 1;
};

using TemplateExpressionPointer = std::unique_ptr<TemplateExpression>;
using TemplateBody = std::vector<TemplateStatement>;

struct TemplateStatement {
    enum class Kind {
        text,           // text
        print,          // expressions[0]
        choose,         // expressions: conditions; bodies: one each, and perhaps the else body
        loop,           // names: targets; expressions: iterable, filter or null; bodies: body, else
        assign,         // names: targets; expressions[0]
        assign_member,  // names: namespace, attribute; expressions[0]
        assign_body,    // names: target; bodies[0]
        macro,          // text: name; names: parameters; expressions: defaults of the last ones
        group,          // bodies[0], in the scope around
        scope,          // names, expressions: bindings; bodies[0], in a scope of its own
        leave_loop,
        next_loop,
    };
    Kind kind;
    int line = 1;
    std::string text;
    std::vector<std::string> names;
    std::vector<TemplateExpressionPointer> expressions;
    std::vector<TemplateBody> bodies;
};

}  // namespace hone::text
