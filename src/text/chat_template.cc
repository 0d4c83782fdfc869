#include "text/chat_template.h"

#include <array>
#include <unordered_map>

#include "base/json.h"
#include "text/chat_template_ast.h"
#include "text/chat_template_interpreter.h"
#include "text/chat_template_lexer.h"
#include "text/chat_template_parser.h"

namespace hone::text {

namespace {

using base::ErrorCode;
using base::fail;
using base::Json;

constexpr size_t kJsonDepthMax = 60;
constexpr std::array<std::string_view, 4> kReservedNames = {"messages", "add_generation_prompt",
                                                            "bos_token", "eos_token"};

base::Result<Value> from_json(TemplateContext& context, const Json& json, size_t depth) {
    if (depth > kJsonDepthMax) return context.exhausted("an input value is nested too deep");
    switch (json.type()) {
        case Json::value_t::boolean:
            return Value::boolean(json.get<bool>());
        case Json::value_t::number_integer:
            return Value::integer(json.get<int64_t>());
        case Json::value_t::number_unsigned: {
            const auto number = json.get<uint64_t>();
            if (number > static_cast<uint64_t>(INT64_MAX)) {
                return Value::real(static_cast<double>(number));
            }
            return Value::integer(static_cast<int64_t>(number));
        }
        case Json::value_t::number_float:
            return Value::real(json.get<double>());
        case Json::value_t::string:
            return Value::string(json.get<std::string>());
        case Json::value_t::array: {
            ValueList items;
            for (const Json& item : json) {
                HONE_TRY(Value value, from_json(context, item, depth + 1));
                items.push_back(std::move(value));
            }
            return context.list(std::move(items));
        }
        case Json::value_t::object: {
            ValueDict entries;
            for (const auto& [key, item] : json.items()) {
                HONE_TRY(Value value, from_json(context, item, depth + 1));
                entries.emplace_back(Value::string(key), std::move(value));
            }
            return context.dict(std::move(entries));
        }
        default:
            return Value::none();
    }
}

base::Result<Value> from_message(TemplateContext& context, const ChatMessage& message) {
    if (message.fields->is_object() && message.fields->contains("role")) {
        return from_json(context, message.fields, 0);
    }
    ValueDict entries = {{Value::string("role"), Value::string(message.role)},
                         {Value::string("content"), Value::string(message.content)}};
    if (message.fields->is_object()) {
        for (const auto& [key, item] : message.fields->items()) {
            if (key == "content") continue;
            HONE_TRY(Value value, from_json(context, item, 0));
            entries.emplace_back(Value::string(key), std::move(value));
        }
    }
    return context.dict(std::move(entries));
}

base::Result<std::unordered_map<std::string, Value>> make_variables(TemplateContext& context,
                                                                    const ChatInput& input) {
    std::unordered_map<std::string, Value> out;
    out["range"] = Value::function(TemplateFunction::range);
    out["namespace"] = Value::function(TemplateFunction::make_namespace);
    out["dict"] = Value::function(TemplateFunction::make_dict);
    out["raise_exception"] = Value::function(TemplateFunction::raise_exception);
    if (input.now) out["strftime_now"] = Value::function(TemplateFunction::strftime_now);
    out["add_generation_prompt"] = Value::boolean(input.add_generation_prompt);
    out["bos_token"] = Value::string(input.bos_token);
    out["eos_token"] = Value::string(input.eos_token);
    // Templates are written for a caller that always passes these two.
    out["tools"] = Value::none();
    out["documents"] = Value::none();
    ValueList messages;
    for (const ChatMessage& message : input.messages) {
        HONE_TRY(Value value, from_message(context, message));
        messages.push_back(std::move(value));
    }
    HONE_TRY(out["messages"], context.list(std::move(messages)));
    if (!input.extra->is_object()) {
        return fail(ErrorCode::invalid_argument, "template variables must be a JSON object");
    }
    for (const auto& [name, item] : input.extra->items()) {
        for (const std::string_view reserved : kReservedNames) {
            if (name == reserved) {
                return fail(ErrorCode::invalid_argument, "'{}' cannot be set as a variable", name);
            }
        }
        HONE_TRY(out[name], from_json(context, item, 0));
    }
    return out;
}

}  // namespace

struct ChatTemplate::Program {
    TemplateBody body;
};

base::Result<ChatTemplate> ChatTemplate::parse(std::string_view source) {
    HONE_TRY(auto tokens, lex_template(source));
    HONE_TRY(auto body, TemplateParser(std::move(tokens)).parse());
    auto program = std::make_shared<Program>();
    program->body = std::move(body);
    return ChatTemplate(std::move(program));
}

base::Result<std::string> ChatTemplate::render(const ChatInput& input,
                                               TemplateLimits limits) const {
    TemplateContext context(limits, input.now);
    HONE_TRY(auto variables, make_variables(context, input));
    return TemplateInterpreter(context, std::move(variables)).render(program_->body);
}

}  // namespace hone::text
