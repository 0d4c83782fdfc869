#include "text/chat_template_operators.h"

#include <algorithm>
#include <cmath>

#include "base/checked.h"
#include "text/chat_template_strings.h"

namespace hone::text {

namespace {

using Kind = Value::Kind;

tl::unexpected<base::Error> wrong_types(TemplateContext& context, std::string_view op,
                                        const Value& a, const Value& b) {
    return context.error(
        fmt::format("cannot apply '{}' to {} and {}", op, a.type_name(), b.type_name()));
}

// Rounds towards minus infinity, as Python does.
int64_t floor_divide(int64_t a, int64_t b) {
    const int64_t quotient = a / b;
    return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

std::optional<int64_t> power(int64_t base, int64_t exponent) {
    int64_t out = 1;
    // |base| >= 2 overflows within 63 steps; the others repeat with period 2.
    if (base >= -1 && base <= 1) exponent = exponent == 0 ? 0 : 2 - exponent % 2;
    for (; exponent > 0; --exponent) {
        const auto next = base::checked_mul(out, base);
        if (!next) return std::nullopt;
        out = *next;
    }
    return out;
}

base::Result<Value> integer_binary(TemplateContext& context, std::string_view op, int64_t a,
                                   int64_t b) {
    std::optional<int64_t> out;
    if (op == "+") {
        out = base::checked_add(a, b);
    } else if (op == "-") {
        int64_t difference = 0;
        if (!__builtin_sub_overflow(a, b, &difference)) out = difference;
    } else if (op == "*") {
        out = base::checked_mul(a, b);
    } else if (op == "**" && b >= 0) {
        out = power(a, b);
    } else if (op == "**") {
        return Value::real(std::pow(static_cast<double>(a), static_cast<double>(b)));
    } else if (b == 0) {
        return context.error("division by zero");
    } else if (op == "/") {
        return Value::real(static_cast<double>(a) / static_cast<double>(b));
    } else if (b == -1) {
        // The one quotient that overflows is the lowest integer over -1.
        int64_t negated = 0;
        if (op == "%") {
            out = 0;
        } else if (!__builtin_sub_overflow(int64_t{0}, a, &negated)) {
            out = negated;
        }
    } else {
        out = op == "//" ? floor_divide(a, b) : a - floor_divide(a, b) * b;
    }
    if (!out) return context.error("integer overflow");
    return Value::integer(*out);
}

base::Result<Value> real_binary(TemplateContext& context, std::string_view op, double a, double b) {
    if (op == "+") return Value::real(a + b);
    if (op == "-") return Value::real(a - b);
    if (op == "*") return Value::real(a * b);
    if (op == "**") return Value::real(std::pow(a, b));
    if (b == 0.0) return context.error("division by zero");
    if (op == "/") return Value::real(a / b);
    const double quotient = std::floor(a / b);
    return Value::real(op == "//" ? quotient : a - quotient * b);
}

base::Result<Value> repeat(TemplateContext& context, const Value& value, int64_t count) {
    const size_t times = static_cast<size_t>(std::max<int64_t>(count, 0));
    const bool text = value.is(Kind::string);
    const size_t size = text ? value.as_string().size() : value.as_list().size();
    const auto total = base::checked_mul(size, times);
    if (!total || *total > context.limits().output_bytes_max) {
        return context.exhausted("a repetition is too large");
    }
    HONE_TRY_STATUS(context.spend(1 + *total / 64));
    if (text) {
        std::string out;
        for (size_t i = 0; i < times && size > 0; ++i) out += value.as_string();
        return context.string(std::move(out));
    }
    HONE_TRY_STATUS(context.spend(*total));
    ValueList out;
    for (size_t i = 0; i < times && size > 0; ++i) {
        out.insert(out.end(), value.as_list().begin(), value.as_list().end());
    }
    return context.list(std::move(out));
}

base::Result<bool> contains(TemplateContext& context, const Value& container, const Value& item) {
    switch (container.kind()) {
        case Kind::undefined:
            return false;
        case Kind::string:
            if (!item.is(Kind::string)) return wrong_types(context, "in", item, container);
            HONE_TRY_STATUS(context.spend_bytes(container.as_string().size()));
            return find_text(container.as_string(), item.as_string()) != std::string_view::npos;
        case Kind::dict: {
            HONE_TRY(const Value* found, context.find(container, item));
            return found != nullptr;
        }
        case Kind::list:
            for (const Value& other : container.as_list()) {
                HONE_TRY(const bool same, context.equal(item, other));
                if (same) return true;
            }
            return false;
        default:
            return wrong_types(context, "in", item, container);
    }
}

// The character at a position counted from either end; undefined when it is outside.
base::Result<Value> character_at(TemplateContext& context, const std::string& text, int64_t index) {
    HONE_TRY_STATUS(context.spend_bytes(text.size()));
    const std::vector<std::string> characters = split_characters(text);
    const auto size = static_cast<int64_t>(characters.size());
    if (index < 0) index += size;
    if (index < 0 || index >= size) return Value();
    return Value::string(characters[static_cast<size_t>(index)]);
}

}  // namespace

base::Result<Value> apply_binary(TemplateContext& context, std::string_view op, const Value& a,
                                 const Value& b) {
    if (a.is_number() && b.is_number()) {
        if (a.is(Kind::real) || b.is(Kind::real)) {
            return real_binary(context, op, a.as_real(), b.as_real());
        }
        return integer_binary(context, op, a.as_integer(), b.as_integer());
    }
    if (op == "+" && a.is(Kind::string) && b.is(Kind::string)) {
        return context.string(a.as_string() + b.as_string());
    }
    if (op == "+" && a.is(Kind::list) && b.is(Kind::list)) {
        HONE_TRY_STATUS(context.spend(a.as_list().size() + b.as_list().size()));
        ValueList items = a.as_list();
        items.insert(items.end(), b.as_list().begin(), b.as_list().end());
        return context.list(std::move(items));
    }
    const bool a_sequence = a.is(Kind::string) || a.is(Kind::list);
    const bool b_sequence = b.is(Kind::string) || b.is(Kind::list);
    if (op == "*" && a_sequence && b.is(Kind::integer)) return repeat(context, a, b.as_integer());
    if (op == "*" && b_sequence && a.is(Kind::integer)) return repeat(context, b, a.as_integer());
    return wrong_types(context, op, a, b);
}

base::Result<Value> negate(TemplateContext& context, const Value& value) {
    if (value.is(Kind::real)) return Value::real(-value.as_real());
    return apply_binary(context, "-", Value::integer(0), value);
}

base::Result<bool> apply_comparison(TemplateContext& context, std::string_view op, const Value& a,
                                    const Value& b) {
    if (op == "in") return contains(context, b, a);
    if (op == "not in") {
        HONE_TRY(const bool inside, contains(context, b, a));
        return !inside;
    }
    if (op == "==" || op == "!=") {
        HONE_TRY(const bool same, context.equal(a, b));
        return same == (op == "==");
    }
    HONE_TRY_STATUS(context.spend_bytes(std::min(a.weight(), b.weight())));
    const int order = compare_values(a, b);
    if (order == 2) return wrong_types(context, op, a, b);
    if (op == "<") return order < 0;
    if (op == "<=") return order <= 0;
    return op == ">" ? order > 0 : order >= 0;
}

base::Result<Value> get_attribute(TemplateContext& context, const Value& object,
                                  std::string_view name) {
    if (object.is(Kind::undefined)) {
        return context.error(fmt::format("an undefined value has no attribute '{}'", name));
    }
    if (object.is(Kind::dict)) {
        HONE_TRY_STATUS(context.spend(1 + object.as_dict().size() / 8));
        const Value* found = object.find(name);
        return found != nullptr ? *found : Value();
    }
    if (object.is(Kind::name_space)) {
        const ValueDict& entries = object.as_name_space()->entries;
        HONE_TRY_STATUS(context.spend(1 + entries.size() / 8));
        for (const auto& [key, value] : entries) {
            if (key.is(Kind::string) && key.as_string() == name) return value;
        }
    }
    return Value();
}

base::Result<Value> get_item(TemplateContext& context, const Value& object, const Value& key) {
    if (object.is(Kind::undefined)) return context.error("an undefined value has no items");
    if (object.is(Kind::dict)) {
        HONE_TRY(const Value* found, context.find(object, key));
        return found != nullptr ? *found : Value();
    }
    if (object.is(Kind::name_space) && key.is(Kind::string)) {
        return get_attribute(context, object, key.as_string());
    }
    if (!key.is(Kind::integer)) return Value();
    const int64_t index = key.as_integer();
    if (object.is(Kind::string)) return character_at(context, object.as_string(), index);
    if (!object.is(Kind::list)) return Value();
    const auto size = static_cast<int64_t>(object.as_list().size());
    const int64_t position = index < 0 ? index + size : index;
    if (position < 0 || position >= size) return Value();
    return object.as_list()[static_cast<size_t>(position)];
}

base::Result<Value> get_slice(TemplateContext& context, const Value& object, const Value& start,
                              const Value& stop, const Value& step) {
    if (!object.is(Kind::string) && !object.is(Kind::list)) {
        return context.error(fmt::format("cannot slice {}", object.type_name()));
    }
    const auto given = [](const Value& bound) {
        return !bound.is(Kind::none) && !bound.is(Kind::undefined);
    };
    for (const Value* bound : {&start, &stop, &step}) {
        if (given(*bound) && !bound->is(Kind::integer)) {
            return context.error("a slice needs integers");
        }
    }
    HONE_TRY(const ValueList items, context.iterate(object));
    const auto size = static_cast<int64_t>(items.size());
    const int64_t stride = given(step) ? step.as_integer() : 1;
    if (stride == 0) return context.error("a slice needs a step that is not zero");
    // The range of positions a bound can have: Python's slice.indices.
    const int64_t lowest = stride < 0 ? -1 : 0;
    const int64_t highest = stride < 0 ? size - 1 : size;
    const auto clamp = [&](const Value& bound, int64_t otherwise) {
        if (!given(bound)) return otherwise;
        const int64_t index = bound.as_integer();
        return std::clamp(index < 0 ? index + size : index, lowest, highest);
    };
    const int64_t first = clamp(start, stride < 0 ? highest : lowest);
    const int64_t last = clamp(stop, stride < 0 ? lowest : highest);
    // A step beyond the size takes one item like a step of the size; it must not overflow below.
    const int64_t pace = std::clamp(stride, -size - 1, size + 1);
    ValueList out;
    for (int64_t i = first; pace > 0 ? i < last : i > last; i += pace) {
        out.push_back(items[static_cast<size_t>(i)]);
    }
    if (object.is(Kind::list)) return context.list(std::move(out));
    std::string text;
    for (const Value& character : out) text += character.as_string();
    return context.string(std::move(text));
}

}  // namespace hone::text
