#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/json.h"
#include "text/chat_template_calls.h"
#include "text/chat_template_operators.h"
#include "text/chat_template_strings.h"

namespace hone::text {

namespace {

using Kind = Value::Kind;
using Arguments = TemplateArguments;
using ValueResult = base::Result<Value>;

ValueResult filter_trim(TemplateContext& context, const Value& value, const Arguments& arguments) {
    HONE_TRY(const std::string text, context.text_of(value));
    const Value* characters = arguments.find(0, "chars");
    if (characters == nullptr || characters->is(Kind::none)) {
        return context.string(std::string(strip(text, std::nullopt, StripSide::both)));
    }
    HONE_TRY(const std::string stripped, text_argument(context, characters, ""));
    return context.string(std::string(strip(text, stripped, StripSide::both)));
}

ValueResult filter_length(TemplateContext& context, const Value& value, const Arguments&) {
    HONE_TRY_STATUS(context.spend(1));
    switch (value.kind()) {
        case Kind::undefined:
            return Value::integer(0);
        case Kind::string:
            HONE_TRY_STATUS(context.spend_bytes(value.as_string().size()));
            return Value::integer(static_cast<int64_t>(count_characters(value.as_string())));
        case Kind::list:
            return Value::integer(static_cast<int64_t>(value.as_list().size()));
        case Kind::dict:
            return Value::integer(static_cast<int64_t>(value.as_dict().size()));
        default:
            return context.error(fmt::format("{} has no length", value.type_name()));
    }
}

template <std::string (*map)(std::string_view)>
ValueResult filter_map_text(TemplateContext& context, const Value& value, const Arguments&) {
    HONE_TRY(const std::string text, context.text_of(value));
    return context.string(map(text));
}

// Jinja's title differs from Python's: words begin after white space or one of -({[<.
std::string title_words(std::string_view text) {
    std::string out;
    std::string word;
    const auto flush = [&] {
        if (!word.empty()) {
            const std::vector<std::string> characters = split_characters(word);
            out += to_upper(characters[0]);
            out += to_lower(std::string_view(word).substr(characters[0].size()));
            word.clear();
        }
    };
    for (const std::string& character : split_characters(text)) {
        const bool border = strip(character, std::nullopt, StripSide::both).empty() ||
                            std::string_view("-({[<").find(character) != std::string_view::npos;
        if (border) flush();
        (border ? out : word) += character;
    }
    flush();
    return out;
}

ValueResult filter_tojson(TemplateContext& context, const Value& value,
                          const Arguments& arguments) {
    // Chat templates are rendered with a tojson of the signature (ensure_ascii, indent, ...).
    HONE_TRY(const int64_t indent, integer_argument(context, arguments.find(1, "indent"), -1));
    const Value* ascii = arguments.find(0, "ensure_ascii");
    HONE_TRY(std::string text,
             to_json(context, value, {indent, ascii != nullptr && ascii->truthy()}));
    return context.string(std::move(text));
}

ValueResult filter_join(TemplateContext& context, const Value& value, const Arguments& arguments) {
    HONE_TRY(const ValueList items, context.iterate(value));
    HONE_TRY(const std::string separator, text_argument(context, arguments.find(0, "d"), ""));
    const Value* attribute = arguments.find(1, "attribute");
    std::string out;
    bool first = true;
    for (const Value& item : items) {
        Value part = item;
        if (attribute != nullptr) {
            HONE_TRY(part, get_item(context, item, *attribute));
        }
        if (!first) out += separator;
        first = false;
        HONE_TRY(const std::string text, context.text_of(part));
        out += text;
        if (out.size() > context.limits().output_bytes_max) {
            return context.exhausted("a joined text is too large");
        }
    }
    return context.string(std::move(out));
}

ValueResult filter_default(TemplateContext&, const Value& value, const Arguments& arguments) {
    const Value* otherwise = arguments.find(0, "default_value");
    const Value* boolean = arguments.find(1, "boolean");
    const bool falsy = boolean != nullptr && boolean->truthy() && !value.truthy();
    if (!value.is(Kind::undefined) && !falsy) return value;
    return otherwise != nullptr ? *otherwise : Value::string("");
}

ValueResult filter_first(TemplateContext& context, const Value& value, const Arguments&) {
    HONE_TRY(const ValueList items, context.iterate(value));
    return items.empty() ? Value() : items.front();
}

ValueResult filter_last(TemplateContext& context, const Value& value, const Arguments&) {
    HONE_TRY(const ValueList items, context.iterate(value));
    return items.empty() ? Value() : items.back();
}

ValueResult filter_replace(TemplateContext& context, const Value& value,
                           const Arguments& arguments) {
    HONE_TRY(std::string text, context.text_of(value));
    HONE_TRY(Value input, context.string(std::move(text)));
    return call_method(context, input, "replace", arguments);
}

// The test of select, reject, selectattr and rejectattr: its name and arguments start at `first`.
base::Result<bool> passes(TemplateContext& context, const Value& value, const Arguments& arguments,
                          size_t first) {
    if (arguments.positional.size() <= first) return value.truthy();
    HONE_TRY(const std::string name, text_argument(context, &arguments.positional[first], ""));
    Arguments rest;
    rest.positional.assign(arguments.positional.begin() + static_cast<ptrdiff_t>(first) + 1,
                           arguments.positional.end());
    return apply_test(context, name, value, rest);
}

// "a.b.0" walks: parts that are numbers index.
ValueResult get_path(TemplateContext& context, Value value, const Value& path) {
    if (!path.is(Kind::string)) return get_item(context, value, path);
    for (const std::string& part : split_text(path.as_string(), ".", -1)) {
        int64_t index = 0;
        const char* end = part.data() + part.size();
        const auto parsed = std::from_chars(part.data(), end, index);
        const bool number = parsed.ec == std::errc() && parsed.ptr == end;
        HONE_TRY(value,
                 get_item(context, value, number ? Value::integer(index) : Value::string(part)));
    }
    return value;
}

template <bool attribute, bool keep>
ValueResult filter_choose(TemplateContext& context, const Value& value,
                          const Arguments& arguments) {
    if (attribute && arguments.positional.empty()) return context.error("expected an attribute");
    // A falsy value, such as tools that are none, counts as empty here, as in Jinja.
    HONE_TRY(const ValueList items, context.iterate(value.truthy() ? value : Value()));
    ValueList out;
    for (const Value& item : items) {
        Value subject = item;
        if constexpr (attribute) {
            HONE_TRY(subject, get_path(context, item, arguments.positional[0]));
        }
        HONE_TRY(const bool pass, passes(context, subject, arguments, attribute ? 1 : 0));
        if (pass == keep) out.push_back(item);
    }
    return context.list(std::move(out));
}

ValueResult filter_map(TemplateContext& context, const Value& value, const Arguments& arguments) {
    HONE_TRY(const ValueList items, context.iterate(value.truthy() ? value : Value()));
    Arguments rest;
    std::string name;
    const Value* attribute = arguments.find(SIZE_MAX, "attribute");
    const Value* otherwise = arguments.find(SIZE_MAX, "default");
    if (attribute == nullptr) {
        if (arguments.positional.empty()) return context.error("map needs a filter or attribute");
        HONE_TRY(name, text_argument(context, &arguments.positional[0], ""));
        rest.positional.assign(arguments.positional.begin() + 1, arguments.positional.end());
        rest.named = arguments.named;
    }
    ValueList out;
    for (const Value& item : items) {
        Value mapped;
        if (attribute == nullptr) {
            HONE_TRY(mapped, apply_filter(context, name, item, rest));
        } else {
            HONE_TRY(mapped, get_path(context, item, *attribute));
            if (mapped.is(Kind::undefined) && otherwise != nullptr) mapped = *otherwise;
        }
        out.push_back(std::move(mapped));
    }
    return context.list(std::move(out));
}

ValueResult filter_items(TemplateContext& context, const Value& value, const Arguments&) {
    if (value.is(Kind::undefined)) return context.list({});
    if (!value.is(Kind::dict)) return context.error("items needs a mapping");
    return call_method(context, value, "items", {});
}

ValueResult filter_list(TemplateContext& context, const Value& value, const Arguments&) {
    HONE_TRY(ValueList items, context.iterate(value));
    return context.list(std::move(items));
}

ValueResult filter_reverse(TemplateContext& context, const Value& value, const Arguments&) {
    const Value step = Value::integer(-1);
    if (value.is(Kind::string)) return get_slice(context, value, Value(), Value(), step);
    HONE_TRY(ValueList items, context.iterate(value));
    std::reverse(items.begin(), items.end());
    return context.list(std::move(items));
}

ValueResult filter_unique(TemplateContext& context, const Value& value, const Arguments&) {
    HONE_TRY(const ValueList items, context.iterate(value));
    ValueList out;
    for (const Value& item : items) {
        bool seen = false;
        for (const Value& other : out) {
            HONE_TRY(seen, context.equal(item, other));
            if (seen) break;
        }
        if (!seen) out.push_back(item);
    }
    return context.list(std::move(out));
}

// Stable, by lower case for strings unless case_sensitive, or by an attribute.
ValueResult filter_sort(TemplateContext& context, const Value& value, const Arguments& arguments) {
    HONE_TRY(const ValueList items, context.iterate(value));
    const Value* reverse = arguments.find(0, "reverse");
    const Value* sensitive = arguments.find(1, "case_sensitive");
    const Value* attribute = arguments.find(2, "attribute");
    std::vector<std::pair<Value, Value>> keyed;
    for (const Value& item : items) {
        Value key = item;
        if (attribute != nullptr) {
            HONE_TRY(key, get_path(context, item, *attribute));
        }
        if (key.is(Kind::string) && !(sensitive != nullptr && sensitive->truthy())) {
            HONE_TRY(key, filter_map_text<to_lower>(context, key, {}));
        }
        // All keys must have an order with the first one, which makes it an order of all.
        const bool ordered = compare_values(keyed.empty() ? key : keyed[0].first, key) != 2;
        if (!ordered) return context.error("cannot sort values of different types");
        HONE_TRY_STATUS(context.spend(32 + 32 * key.weight() / 64));
        keyed.emplace_back(std::move(key), item);
    }
    const bool down = reverse != nullptr && reverse->truthy();
    std::stable_sort(keyed.begin(), keyed.end(), [down](const auto& a, const auto& b) {
        return compare_values(down ? b.first : a.first, down ? a.first : b.first) < 0;
    });
    ValueList out;
    for (auto& entry : keyed) out.push_back(std::move(entry.second));
    return context.list(std::move(out));
}

ValueResult filter_dictsort(TemplateContext& context, const Value& value, const Arguments&) {
    HONE_TRY(const Value entries, filter_items(context, value, {}));
    return filter_sort(context, entries, {{}, {{"attribute", Value::integer(0)}}});
}

// min and max: the first of the best.
template <int sign>
ValueResult filter_extreme(TemplateContext& context, const Value& value, const Arguments&) {
    HONE_TRY(const ValueList items, context.iterate(value));
    Value best;
    for (const Value& item : items) {
        HONE_TRY_STATUS(context.spend_bytes(item.weight()));
        const int order = best.is(Kind::undefined) ? sign : compare_values(item, best);
        if (order == 2) return context.error("cannot compare values of different types");
        if (order == sign) best = item;
    }
    return best;
}

ValueResult filter_int(TemplateContext& context, const Value& value, const Arguments& arguments) {
    HONE_TRY(const int64_t otherwise, integer_argument(context, arguments.find(0, "default"), 0));
    if (value.is(Kind::integer) || value.is(Kind::boolean)) {
        return Value::integer(value.as_integer());
    }
    double real = 0;
    if (value.is(Kind::real)) {
        real = value.as_real();
    } else if (value.is(Kind::string)) {
        const std::string_view text = strip(value.as_string(), std::nullopt, StripSide::both);
        int64_t integer = 0;
        const char* end = text.data() + text.size();
        const auto parsed = std::from_chars(text.data(), end, integer);
        if (parsed.ec == std::errc() && parsed.ptr == end) return Value::integer(integer);
        const auto as_real = std::from_chars(text.data(), end, real);
        if (as_real.ec != std::errc() || as_real.ptr != end) return Value::integer(otherwise);
    } else {
        return Value::integer(otherwise);
    }
    // 2^63 is exact as a double; beyond it, and for NaN, there is no integer.
    constexpr double kIntegerEnd = 9223372036854775808.0;
    if (!(real >= -kIntegerEnd && real < kIntegerEnd)) return Value::integer(otherwise);
    return Value::integer(static_cast<int64_t>(real));
}

ValueResult filter_float(TemplateContext&, const Value& value, const Arguments&) {
    if (value.is_number()) return Value::real(value.as_real());
    double real = 0;
    if (value.is(Kind::string)) {
        const std::string_view text = strip(value.as_string(), std::nullopt, StripSide::both);
        const char* end = text.data() + text.size();
        const auto parsed = std::from_chars(text.data(), end, real);
        if (parsed.ec != std::errc() || parsed.ptr != end) real = 0;
    }
    return Value::real(real);
}

ValueResult filter_abs(TemplateContext& context, const Value& value, const Arguments&) {
    if (!value.is_number()) return context.error("abs needs a number");
    return compare_values(value, Value::integer(0)) < 0 ? negate(context, value) : value;
}

ValueResult filter_string(TemplateContext& context, const Value& value, const Arguments&) {
    if (value.is(Kind::string)) return value;
    HONE_TRY(std::string text, context.text_of(value));
    return context.string(std::move(text));
}

// Every line but the first (unless `first`) moves right; empty lines stay empty.
ValueResult filter_indent(TemplateContext& context, const Value& value,
                          const Arguments& arguments) {
    HONE_TRY(const std::string text, context.text_of(value));
    const Value* width = arguments.find(0, "width");
    const Value* first = arguments.find(1, "first");
    const Value* blank = arguments.find(2, "blank");
    std::string margin;
    if (width != nullptr && width->is(Kind::string)) {
        margin = width->as_string();
    } else {
        HONE_TRY(const int64_t spaces, integer_argument(context, width, 4));
        margin.assign(static_cast<size_t>(std::clamp<int64_t>(spaces, 0, 1024)), ' ');
    }
    std::string out;
    bool any = false;
    for (const std::string& line : split_text(text, "\n", -1)) {
        const bool indented = any ? !line.empty() || (blank != nullptr && blank->truthy())
                                  : first != nullptr && first->truthy();
        if (any) out += '\n';
        if (indented) out += margin;
        out += line;
        any = true;
        if (out.size() > context.limits().output_bytes_max) {
            return context.exhausted("an indented text is too large");
        }
    }
    return context.string(std::move(out));
}

struct Filter {
    std::string_view name;
    ValueResult (*apply)(TemplateContext&, const Value&, const Arguments&);
};

constexpr std::array<Filter, 33> kFilters = {{
    {"trim", filter_trim},
    {"length", filter_length},
    {"count", filter_length},
    {"upper", filter_map_text<to_upper>},
    {"lower", filter_map_text<to_lower>},
    {"title", filter_map_text<title_words>},
    {"capitalize", filter_map_text<capitalize>},
    {"tojson", filter_tojson},
    {"join", filter_join},
    {"default", filter_default},
    {"d", filter_default},
    {"first", filter_first},
    {"last", filter_last},
    {"replace", filter_replace},
    {"select", filter_choose<false, true>},
    {"reject", filter_choose<false, false>},
    {"selectattr", filter_choose<true, true>},
    {"rejectattr", filter_choose<true, false>},
    {"map", filter_map},
    {"items", filter_items},
    {"list", filter_list},
    {"reverse", filter_reverse},
    {"unique", filter_unique},
    {"sort", filter_sort},
    {"dictsort", filter_dictsort},
    {"int", filter_int},
    {"float", filter_float},
    {"abs", filter_abs},
    {"min", filter_extreme<-1>},
    {"max", filter_extreme<1>},
    {"string", filter_string},
    {"safe", filter_string},
    {"indent", filter_indent},
}};

}  // namespace

base::Result<Value> apply_filter(TemplateContext& context, std::string_view name,
                                 const Value& value, const TemplateArguments& arguments) {
    HONE_TRY_STATUS(context.enter());
    const TemplateLevel level(context);
    HONE_TRY_STATUS(context.spend(1));
    for (const Filter& filter : kFilters) {
        if (filter.name == name) {
            return filter.apply(context, value, arguments);
        }
    }
    return context.error(fmt::format("unknown filter '{}'", name));
}

}  // namespace hone::text
