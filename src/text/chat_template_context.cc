#include "text/chat_template_context.h"

#include "text/chat_template_strings.h"

namespace hone::text {

using base::ErrorCode;

const Value* TemplateArguments::find(size_t index, std::string_view name) const {
    if (index < positional.size()) return &positional[index];
    for (const auto& [key, value] : named) {
        if (key == name) return &value;
    }
    return nullptr;
}

tl::unexpected<base::Error> TemplateContext::error(std::string_view what) const {
    return base::fail(ErrorCode::invalid_argument, "chat template line {}: {}", line_, what);
}

tl::unexpected<base::Error> TemplateContext::exhausted(std::string_view what) const {
    return base::fail(ErrorCode::exhausted, "chat template line {}: {}", line_, what);
}

base::Status TemplateContext::spend(size_t steps) {
    if (steps > steps_left_) {
        steps_left_ = 0;
        return exhausted(fmt::format("more than {} steps", limits_.steps_max));
    }
    steps_left_ -= steps;
    return {};
}

base::Status TemplateContext::enter() {
    if (depth_ >= limits_.depth_max) return exhausted("nested too deep");
    ++depth_;
    return {};
}

base::Status TemplateContext::check_nesting(const Value& value) const {
    if (value.depth() > limits_.value_depth_max) return exhausted("a value is nested too deep");
    if (value.weight() > limits_.value_weight_max) return exhausted("a value is too large");
    return {};
}

base::Result<Value> TemplateContext::string(std::string text) {
    if (text.size() > limits_.output_bytes_max) {
        return exhausted(fmt::format("a text of more than {} bytes", limits_.output_bytes_max));
    }
    HONE_TRY_STATUS(spend_bytes(text.size()));
    return Value::string(std::move(text));
}

base::Result<Value> TemplateContext::list(ValueList items) {
    HONE_TRY_STATUS(spend(1 + items.size()));
    Value out = Value::list(std::move(items));
    HONE_TRY_STATUS(check_nesting(out));
    return out;
}

base::Result<Value> TemplateContext::dict(ValueDict entries) {
    HONE_TRY_STATUS(spend(1 + entries.size()));
    Value out = Value::dict(std::move(entries));
    HONE_TRY_STATUS(check_nesting(out));
    return out;
}

base::Result<std::string> TemplateContext::text_of(const Value& value) {
    HONE_TRY_STATUS(spend_bytes(value.weight()));
    return value.to_text();
}

base::Result<bool> TemplateContext::equal(const Value& a, const Value& b) {
    HONE_TRY_STATUS(spend_bytes(std::min(a.weight(), b.weight())));
    // Comparing dicts looks every key up in the other one.
    if (a.depth() > 0 && b.depth() > 0) {
        HONE_TRY_STATUS(spend(1 + std::min(a.weight(), b.weight())));
    }
    return a == b;
}

base::Result<const Value*> TemplateContext::find(const Value& dict, const Value& key) {
    HONE_TRY_STATUS(spend(1 + dict.as_dict().size() * (16 + key.weight()) / 256));
    return dict.find(key);
}

base::Result<ValueList> TemplateContext::iterate(const Value& value) {
    switch (value.kind()) {
        case Value::Kind::undefined:
            return ValueList{};
        case Value::Kind::list:
            HONE_TRY_STATUS(spend(1 + value.as_list().size()));
            return value.as_list();
        case Value::Kind::dict: {
            HONE_TRY_STATUS(spend(1 + value.as_dict().size()));
            ValueList keys;
            for (const auto& entry : value.as_dict()) keys.push_back(entry.first);
            return keys;
        }
        case Value::Kind::string: {
            HONE_TRY_STATUS(spend(1 + value.as_string().size()));
            ValueList characters;
            for (std::string& character : split_characters(value.as_string())) {
                characters.push_back(Value::string(std::move(character)));
            }
            return characters;
        }
        default:
            return error(fmt::format("cannot iterate over {}", value.type_name()));
    }
}

}  // namespace hone::text
