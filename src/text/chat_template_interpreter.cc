#include "text/chat_template_interpreter.h"

namespace hone::text {

namespace {

using StatementKind = TemplateStatement::Kind;

constexpr const char* kLoopKeys[] = {"index",  "index0", "revindex", "revindex0", "first",   "last",
                                     "length", "depth",  "depth0",   "previtem",  "nextitem"};

}  // namespace

TemplateInterpreter::TemplateInterpreter(TemplateContext& context,
                                         std::unordered_map<std::string, Value> variables)
    : context_(context) {
    scopes_.push_back(std::move(variables));
    for (const char* key : kLoopKeys) loop_keys_.push_back(Value::string(key));
}

base::Result<std::string> TemplateInterpreter::render(const TemplateBody& body) {
    std::string out;
    HONE_TRY_STATUS(run_body(body, out));
    return out;
}

base::Result<TemplateInterpreter::Flow> TemplateInterpreter::run_body(const TemplateBody& body,
                                                                      std::string& out) {
    HONE_TRY_STATUS(context_.enter());
    const TemplateLevel level(context_);
    for (const Statement& statement : body) {
        HONE_TRY(const Flow flow, run(statement, out));
        if (flow != Flow::go_on) return flow;
    }
    return Flow::go_on;
}

base::Result<TemplateInterpreter::Flow> TemplateInterpreter::run(const Statement& statement,
                                                                 std::string& out) {
    context_.at_line(statement.line);
    HONE_TRY_STATUS(context_.spend(1));
    switch (statement.kind) {
        case StatementKind::text:
            HONE_TRY_STATUS(append(out, Value::string(statement.text)));
            return Flow::go_on;
        case StatementKind::print: {
            HONE_TRY(const Value value, evaluate(*statement.expressions[0]));
            HONE_TRY_STATUS(append(out, value));
            return Flow::go_on;
        }
        case StatementKind::choose:
            return run_choose(statement, out);
        case StatementKind::loop:
            return run_loop(statement, out);
        case StatementKind::assign:
        case StatementKind::assign_member:
            HONE_TRY_STATUS(run_assign(statement));
            return Flow::go_on;
        case StatementKind::assign_body:
            HONE_TRY_STATUS(run_assign_body(statement));
            return Flow::go_on;
        case StatementKind::macro:
            scopes_.back()[statement.text] = Value::macro(&statement);
            return Flow::go_on;
        case StatementKind::group:
            return run_body(statement.bodies[0], out);
        case StatementKind::scope:
            return run_scope(statement, out);
        case StatementKind::leave_loop:
            return Flow::leave_loop;
        case StatementKind::next_loop:
            return Flow::next_loop;
    }
    return Flow::go_on;
}

base::Status TemplateInterpreter::append(std::string& out, const Value& value) {
    HONE_TRY(const std::string text, context_.text_of(value));
    if (out.size() + text.size() > context_.limits().output_bytes_max) {
        return context_.exhausted(
            fmt::format("more than {} bytes of output", context_.limits().output_bytes_max));
    }
    out += text;
    return {};
}

base::Result<TemplateInterpreter::Flow> TemplateInterpreter::run_choose(const Statement& statement,
                                                                        std::string& out) {
    for (size_t i = 0; i < statement.expressions.size(); ++i) {
        HONE_TRY(const Value condition, evaluate(*statement.expressions[i]));
        if (condition.truthy()) return run_body(statement.bodies[i], out);
    }
    if (statement.bodies.size() > statement.expressions.size()) {
        return run_body(statement.bodies.back(), out);
    }
    return Flow::go_on;
}

// The items of a loop that pass its filter.
base::Result<ValueList> TemplateInterpreter::loop_items(const Statement& statement) {
    HONE_TRY(const Value iterable, evaluate(*statement.expressions[0]));
    HONE_TRY(ValueList items, context_.iterate(iterable));
    const Expression* filter = statement.expressions[1].get();
    if (filter == nullptr) return items;
    ValueList out;
    scopes_.emplace_back();
    for (Value& item : items) {
        HONE_TRY_STATUS(bind(statement.names, item));
        HONE_TRY(const Value pass, evaluate(*filter));
        if (pass.truthy()) out.push_back(std::move(item));
    }
    scopes_.pop_back();
    return out;
}

base::Result<TemplateInterpreter::Flow> TemplateInterpreter::run_loop(const Statement& statement,
                                                                      std::string& out) {
    HONE_TRY(const ValueList items, loop_items(statement));
    if (items.empty()) {
        if (statement.bodies.size() < 2) return Flow::go_on;
        return run_body(statement.bodies[1], out);
    }
    // On an error the scope stays behind, but an error ends the rendering.
    scopes_.emplace_back();
    for (size_t i = 0; i < items.size(); ++i) {
        HONE_TRY_STATUS(context_.spend(4));
        scopes_.back().clear();
        scopes_.back()["loop"] = loop_state(items, i);
        HONE_TRY_STATUS(bind(statement.names, items[i]));
        HONE_TRY(const Flow flow, run_body(statement.bodies[0], out));
        if (flow == Flow::leave_loop) break;
    }
    scopes_.pop_back();
    return Flow::go_on;
}

Value TemplateInterpreter::loop_state(const ValueList& items, size_t index) const {
    const auto i = static_cast<int64_t>(index);
    const auto size = static_cast<int64_t>(items.size());
    const Value values[] = {Value::integer(i + 1),
                            Value::integer(i),
                            Value::integer(size - i),
                            Value::integer(size - i - 1),
                            Value::boolean(i == 0),
                            Value::boolean(i + 1 == size),
                            Value::integer(size),
                            Value::integer(1),
                            Value::integer(0),
                            i > 0 ? items[index - 1] : Value(),
                            i + 1 < size ? items[index + 1] : Value()};
    ValueDict entries;
    entries.reserve(loop_keys_.size());
    for (size_t k = 0; k < loop_keys_.size(); ++k) entries.emplace_back(loop_keys_[k], values[k]);
    return Value::dict(std::move(entries));
}

base::Status TemplateInterpreter::bind(const std::vector<std::string>& names, const Value& value) {
    if (names.size() == 1) {
        scopes_.back()[names[0]] = value;
        return {};
    }
    HONE_TRY(const ValueList items, context_.iterate(value));
    if (items.size() != names.size()) {
        return context_.error(
            fmt::format("cannot unpack {} values into {} names", items.size(), names.size()));
    }
    for (size_t i = 0; i < names.size(); ++i) scopes_.back()[names[i]] = items[i];
    return {};
}

base::Result<TemplateInterpreter::Flow> TemplateInterpreter::run_scope(const Statement& statement,
                                                                       std::string& out) {
    // The values belong to the scope around; all are computed before the first name is bound.
    Scope scope;
    for (size_t i = 0; i < statement.names.size(); ++i) {
        HONE_TRY(scope[statement.names[i]], evaluate(*statement.expressions[i]));
    }
    scopes_.push_back(std::move(scope));
    HONE_TRY(const Flow flow, run_body(statement.bodies[0], out));
    scopes_.pop_back();
    return flow;
}

base::Status TemplateInterpreter::run_assign(const Statement& statement) {
    HONE_TRY(Value value, evaluate(*statement.expressions[0]));
    if (statement.kind == StatementKind::assign_member)
        return assign_member(statement, std::move(value));
    return bind(statement.names, value);
}

base::Status TemplateInterpreter::assign_member(const Statement& statement, Value value) {
    const Value target = look_up(statement.names[0]);
    if (!target.is(Value::Kind::name_space)) {
        return context_.error(fmt::format("'{}' is not a namespace", statement.names[0]));
    }
    ValueDict& entries = target.as_name_space()->entries;
    HONE_TRY_STATUS(context_.spend(1 + entries.size() / 8));
    for (auto& [key, old] : entries) {
        if (key.is(Value::Kind::string) && key.as_string() == statement.names[1]) {
            old = std::move(value);
            return {};
        }
    }
    entries.emplace_back(Value::string(statement.names[1]), std::move(value));
    return {};
}

base::Status TemplateInterpreter::run_assign_body(const Statement& statement) {
    std::string text;
    scopes_.emplace_back();
    HONE_TRY_STATUS(run_body(statement.bodies[0], text));
    scopes_.pop_back();
    HONE_TRY(scopes_.back()[statement.names[0]], context_.string(std::move(text)));
    return {};
}

}  // namespace hone::text
