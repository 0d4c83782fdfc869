#include <algorithm>
#include <array>

#include "text/chat_template_calls.h"
#include "text/chat_template_operators.h"
#include "text/chat_template_strings.h"

namespace hone::text {

namespace {

using Kind = Value::Kind;
using Arguments = TemplateArguments;
using ValueResult = base::Result<Value>;

ValueResult text_list(TemplateContext& context, std::vector<std::string> parts) {
    HONE_TRY_STATUS(context.spend(parts.size()));
    ValueList items;
    for (std::string& part : parts) items.push_back(Value::string(std::move(part)));
    return context.list(std::move(items));
}

ValueResult call_strip(TemplateContext& context, const std::string& text, std::string_view name,
                       const Arguments& arguments) {
    const StripSide side = name == "lstrip"   ? StripSide::left
                           : name == "rstrip" ? StripSide::right
                                              : StripSide::both;
    const Value* characters = arguments.find(0, "chars");
    if (characters == nullptr || characters->is(Kind::none)) {
        return context.string(std::string(strip(text, std::nullopt, side)));
    }
    HONE_TRY(const std::string stripped, text_argument(context, characters, ""));
    return context.string(std::string(strip(text, stripped, side)));
}

ValueResult call_split(TemplateContext& context, const std::string& text,
                       const Arguments& arguments) {
    HONE_TRY(const int64_t count_max, integer_argument(context, arguments.find(1, "maxsplit"), -1));
    const Value* separator = arguments.find(0, "sep");
    HONE_TRY_STATUS(context.spend_bytes(text.size()));
    if (separator == nullptr || separator->is(Kind::none)) {
        return text_list(context, split_blanks(text, count_max));
    }
    HONE_TRY(const std::string by, text_argument(context, separator, ""));
    if (by.empty()) return context.error("split needs a separator that is not empty");
    return text_list(context, split_text(text, by, count_max));
}

ValueResult call_replace(TemplateContext& context, const std::string& text,
                         const Arguments& arguments) {
    const Value* from = arguments.find(0, "old");
    const Value* to = arguments.find(1, "new");
    if (from == nullptr || to == nullptr) return context.error("replace needs two texts");
    HONE_TRY(const std::string old_text, text_argument(context, from, ""));
    HONE_TRY(const std::string new_text, text_argument(context, to, ""));
    HONE_TRY(const int64_t count_max, integer_argument(context, arguments.find(2, "count"), -1));
    HONE_TRY_STATUS(context.spend_bytes(text.size()));
    auto out = replace_text(text, old_text, new_text, count_max, context.limits().output_bytes_max);
    if (!out) return context.exhausted("a replaced text is too large");
    return context.string(*std::move(out));
}

bool has_affix(std::string_view text, std::string_view affix, bool front) {
    if (affix.size() > text.size()) return false;
    return text.substr(front ? 0 : text.size() - affix.size(), affix.size()) == affix;
}

// startswith and endswith: one affix, or a list of which one must fit.
ValueResult call_affix(TemplateContext& context, const std::string& text, bool front,
                       const Arguments& arguments) {
    const Value* affixes = arguments.find(0, "prefix");
    if (affixes == nullptr) return context.error("startswith and endswith need a text");
    const ValueList one = {*affixes};
    const ValueList& all = affixes->is(Kind::list) ? affixes->as_list() : one;
    for (const Value& affix : all) {
        HONE_TRY_STATUS(context.spend_bytes(affix.weight()));
        if (!affix.is(Kind::string)) return context.error("startswith and endswith need a text");
        if (has_affix(text, affix.as_string(), front)) return Value::boolean(true);
    }
    return Value::boolean(false);
}

ValueResult call_remove_affix(TemplateContext& context, const std::string& text, bool front,
                              const Arguments& arguments) {
    HONE_TRY(const std::string affix, text_argument(context, arguments.find(0, "prefix"), ""));
    if (!has_affix(text, affix, front)) return context.string(text);
    const size_t size = text.size() - affix.size();
    return context.string(text.substr(front ? affix.size() : 0, size));
}

ValueResult call_find(TemplateContext& context, const std::string& text,
                      const Arguments& arguments) {
    HONE_TRY(const std::string pattern, text_argument(context, arguments.find(0, "sub"), ""));
    HONE_TRY_STATUS(context.spend_bytes(text.size()));
    const size_t at = find_text(text, pattern);
    if (at == std::string_view::npos) return Value::integer(-1);
    return Value::integer(static_cast<int64_t>(count_characters(text.substr(0, at))));
}

ValueResult call_count(TemplateContext& context, const std::string& text,
                       const Arguments& arguments) {
    HONE_TRY(const std::string pattern, text_argument(context, arguments.find(0, "sub"), ""));
    HONE_TRY_STATUS(context.spend_bytes(text.size()));
    if (pattern.empty()) return Value::integer(static_cast<int64_t>(count_characters(text)) + 1);
    return Value::integer(static_cast<int64_t>(split_text(text, pattern, -1).size()) - 1);
}

ValueResult call_is_digit(const std::string& text) {
    const bool digits =
        std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    return Value::boolean(digits && !text.empty());
}

// str.format with {}, {0} and {name}; no format specifications.
ValueResult call_format(TemplateContext& context, const std::string& text,
                        const Arguments& arguments) {
    std::string out;
    size_t automatic = 0;
    for (size_t i = 0; i < text.size(); ++i) {
        const bool brace = text[i] == '{' || text[i] == '}';
        if (!brace || (i + 1 < text.size() && text[i + 1] == text[i])) {
            out.push_back(text[i]);
            i += brace ? 1 : 0;
            continue;
        }
        const size_t close = text.find('}', i);
        if (text[i] == '}' || close == std::string::npos) return context.error("bad format text");
        const std::string field = text.substr(i + 1, close - i - 1);
        const bool number = field.find_first_not_of("0123456789") == std::string::npos;
        if (number && field.size() > 4) return context.error("bad format text");
        const size_t index = !number         ? SIZE_MAX
                             : field.empty() ? automatic++
                                             : static_cast<size_t>(std::stoul(field));
        const Value* argument = arguments.find(index, field);
        if (argument == nullptr) return context.error("format lacks an argument");
        HONE_TRY(const std::string part, context.text_of(*argument));
        out += part;
        if (out.size() > context.limits().output_bytes_max) {
            return context.exhausted("a formatted text is too large");
        }
        i = close;
    }
    return context.string(std::move(out));
}

ValueResult call_string_method(TemplateContext& context, const Value& object, std::string_view name,
                               const Arguments& arguments) {
    const std::string& text = object.as_string();
    HONE_TRY_STATUS(context.spend_bytes(text.size()));
    if (name == "strip" || name == "lstrip" || name == "rstrip") {
        return call_strip(context, text, name, arguments);
    }
    if (name == "split") return call_split(context, text, arguments);
    if (name == "splitlines") return text_list(context, split_lines(text));
    if (name == "startswith") return call_affix(context, text, true, arguments);
    if (name == "endswith") return call_affix(context, text, false, arguments);
    if (name == "removeprefix") return call_remove_affix(context, text, true, arguments);
    if (name == "removesuffix") return call_remove_affix(context, text, false, arguments);
    if (name == "upper") return context.string(to_upper(text));
    if (name == "lower") return context.string(to_lower(text));
    if (name == "title") return context.string(to_title(text));
    if (name == "capitalize") return context.string(capitalize(text));
    if (name == "replace") return call_replace(context, text, arguments);
    if (name == "find") return call_find(context, text, arguments);
    if (name == "count") return call_count(context, text, arguments);
    if (name == "isdigit") return call_is_digit(text);
    if (name == "format") return call_format(context, text, arguments);
    if (name == "join")
        return apply_filter(context, "join",
                            arguments.positional.empty() ? Value() : arguments.positional[0],
                            {{object}, {}});
    return context.error(fmt::format("a string has no method '{}'", name));
}

ValueResult call_dict_method(TemplateContext& context, const Value& object, std::string_view name,
                             const Arguments& arguments) {
    const ValueDict& entries = object.as_dict();
    HONE_TRY_STATUS(context.spend(1));
    if (name == "get") {
        const Value* key = arguments.find(0, "key");
        if (key == nullptr) return context.error("get needs a key");
        HONE_TRY(const Value* found, context.find(object, *key));
        const Value* otherwise = arguments.find(1, "default");
        return found != nullptr ? *found : otherwise != nullptr ? *otherwise : Value::none();
    }
    if (name == "cycle" && object.find("index0") != nullptr) {
        const Value& index = *object.find("index0");
        const size_t count = arguments.positional.size();
        if (count == 0 || !index.is(Kind::integer)) return context.error("cycle needs values");
        const auto position = static_cast<uint64_t>(index.as_integer());
        return arguments.positional[position % count];
    }
    HONE_TRY_STATUS(context.spend(3 * entries.size()));
    ValueList out;
    for (const auto& [key, value] : entries) {
        if (name == "items") {
            out.push_back(Value::list({key, value}));
        } else if (name == "keys" || name == "values") {
            out.push_back(name == "keys" ? key : value);
        } else {
            break;
        }
    }
    if (name == "items" || name == "keys" || name == "values") return context.list(std::move(out));
    return context.error(fmt::format("a dict has no method '{}'", name));
}

ValueResult call_list_method(TemplateContext& context, const Value& object, std::string_view name,
                             const Arguments& arguments) {
    const Value* item = arguments.find(0, "value");
    if ((name != "index" && name != "count") || item == nullptr) {
        return context.error(fmt::format("a list has no method '{}' for this", name));
    }
    int64_t count = 0;
    int64_t position = 0;
    for (const Value& other : object.as_list()) {
        HONE_TRY(const bool same, context.equal(*item, other));
        if (same && name == "index") return Value::integer(position);
        count += same ? 1 : 0;
        ++position;
    }
    if (name == "index") return context.error("the value is not in the list");
    return Value::integer(count);
}

}  // namespace

base::Result<int64_t> integer_argument(TemplateContext& context, const Value* argument,
                                       int64_t otherwise) {
    if (argument == nullptr || argument->is(Kind::none)) return otherwise;
    if (!argument->is(Kind::integer) && !argument->is(Kind::boolean)) {
        return context.error(fmt::format("expected an integer, not {}", argument->type_name()));
    }
    return argument->as_integer();
}

base::Result<std::string> text_argument(TemplateContext& context, const Value* argument,
                                        std::string_view otherwise) {
    if (argument == nullptr) return std::string(otherwise);
    if (!argument->is(Kind::string)) {
        return context.error(fmt::format("expected a string, not {}", argument->type_name()));
    }
    HONE_TRY_STATUS(context.spend_bytes(argument->weight()));
    return argument->as_string();
}

base::Result<Value> call_method(TemplateContext& context, const Value& object,
                                std::string_view name, const TemplateArguments& arguments) {
    switch (object.kind()) {
        case Kind::string:
            return call_string_method(context, object, name, arguments);
        case Kind::dict:
            return call_dict_method(context, object, name, arguments);
        case Kind::list:
            return call_list_method(context, object, name, arguments);
        default:
            return context.error(fmt::format("{} has no method '{}'", object.type_name(), name));
    }
}

}  // namespace hone::text
