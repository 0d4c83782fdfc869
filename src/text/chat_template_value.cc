#include "text/chat_template_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/checked.h"
#include "text/utf8.h"

namespace hone::text {

namespace {

size_t add_weights(size_t a, size_t b) {
    return base::checked_add(a, b).value_or(SIZE_MAX);
}

std::string real_text(double value) {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
    std::string out = fmt::format("{}", value);
    if (out.find_first_of(".e") == std::string::npos) out += ".0";
    return out;
}

// Python's repr of a string: single quotes unless the text has those and no double ones.
void append_string_repr(std::string& out, std::string_view text) {
    const bool has_single = text.find('\'') != std::string_view::npos;
    const char quote = has_single && text.find('"') == std::string_view::npos ? '"' : '\'';
    out.push_back(quote);
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == quote || c == '\\') {
            out.push_back('\\');
            out.push_back(c);
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '\r') {
            out += "\\r";
        } else if (c == '\t') {
            out += "\\t";
        } else if (byte < 0x20 || byte == 0x7F) {
            out += fmt::format("\\x{:02x}", byte);
        } else {
            out.push_back(c);
        }
    }
    out.push_back(quote);
}

}  // namespace

Value Value::real(double value) {
    Value out(Kind::real);
    out.data_ = value;
    return out;
}

Value Value::string(std::string value) {
    Value out(Kind::string);
    out.data_ = std::make_shared<const std::string>(std::move(value));
    return out;
}

Value Value::list(ValueList items) {
    size_t depth = 0;
    size_t weight = 1;
    for (const Value& item : items) {
        depth = std::max(depth, item.depth());
        weight = add_weights(weight, item.weight());
    }
    Value out(Kind::list);
    out.data_ = std::make_shared<const ListData>(ListData{std::move(items), depth + 1, weight});
    return out;
}

Value Value::dict(ValueDict entries) {
    size_t depth = 0;
    size_t weight = 1;
    for (const auto& [key, value] : entries) {
        depth = std::max({depth, key.depth(), value.depth()});
        weight = add_weights(weight, add_weights(key.weight(), value.weight()));
    }
    Value out(Kind::dict);
    out.data_ = std::make_shared<const DictData>(DictData{std::move(entries), depth + 1, weight});
    return out;
}

Value Value::name_space(TemplateNamespace* value) {
    Value out(Kind::name_space);
    out.data_ = value;
    return out;
}

Value Value::macro(const TemplateStatement* value) {
    Value out(Kind::macro);
    out.data_ = value;
    return out;
}

Value Value::function(TemplateFunction value) {
    return Value(Kind::function, static_cast<int64_t>(value));
}

bool Value::is_number() const {
    return kind_ == Kind::boolean || kind_ == Kind::integer || kind_ == Kind::real;
}

int64_t Value::as_integer() const {
    HONE_CHECK(kind_ == Kind::integer || kind_ == Kind::boolean);
    return std::get<int64_t>(data_);
}
double Value::as_real() const {
    if (kind_ == Kind::real) return std::get<double>(data_);
    return static_cast<double>(as_integer());
}
const std::string& Value::as_string() const {
    HONE_CHECK(kind_ == Kind::string);
    return *std::get<std::shared_ptr<const std::string>>(data_);
}
const ValueList& Value::as_list() const {
    HONE_CHECK(kind_ == Kind::list);
    return std::get<std::shared_ptr<const ListData>>(data_)->items;
}
const ValueDict& Value::as_dict() const {
    HONE_CHECK(kind_ == Kind::dict);
    return std::get<std::shared_ptr<const DictData>>(data_)->entries;
}
TemplateNamespace* Value::as_name_space() const {
    HONE_CHECK(kind_ == Kind::name_space);
    return std::get<TemplateNamespace*>(data_);
}
const TemplateStatement* Value::as_macro() const {
    HONE_CHECK(kind_ == Kind::macro);
    return std::get<const TemplateStatement*>(data_);
}
TemplateFunction Value::as_function() const {
    HONE_CHECK(kind_ == Kind::function);
    return static_cast<TemplateFunction>(std::get<int64_t>(data_));
}

size_t Value::depth() const {
    if (kind_ == Kind::list) return std::get<std::shared_ptr<const ListData>>(data_)->depth;
    if (kind_ == Kind::dict) return std::get<std::shared_ptr<const DictData>>(data_)->depth;
    return 0;
}

size_t Value::weight() const {
    if (kind_ == Kind::string) return as_string().size() + 1;
    if (kind_ == Kind::list) return std::get<std::shared_ptr<const ListData>>(data_)->weight;
    if (kind_ == Kind::dict) return std::get<std::shared_ptr<const DictData>>(data_)->weight;
    return 1;
}

bool Value::truthy() const {
    switch (kind_) {
        case Kind::undefined:
        case Kind::none:
            return false;
        case Kind::boolean:
        case Kind::integer:
            return as_integer() != 0;
        case Kind::real:
            return as_real() != 0.0;
        case Kind::string:
            return !as_string().empty();
        case Kind::list:
            return !as_list().empty();
        case Kind::dict:
            return !as_dict().empty();
        case Kind::name_space:
        case Kind::macro:
        case Kind::function:
            break;
    }
    return true;
}

const char* Value::type_name() const {
    constexpr const char* kNames[] = {"undefined", "none",   "boolean", "integer",
                                      "float",     "string", "list",    "dict",
                                      "namespace", "macro",  "function"};
    return kNames[static_cast<size_t>(kind_)];
}

std::string Value::to_text() const {
    if (kind_ == Kind::string) return as_string();
    return kind_ == Kind::undefined ? std::string() : to_repr();
}

std::string Value::to_repr() const {
    std::string out;
    append_repr(out);
    return out;
}

void Value::append_repr(std::string& out) const {
    switch (kind_) {
        case Kind::none:
            out += "None";
            break;
        case Kind::boolean:
            out += as_integer() != 0 ? "True" : "False";
            break;
        case Kind::integer:
            out += std::to_string(as_integer());
            break;
        case Kind::real:
            out += real_text(as_real());
            break;
        case Kind::string:
            append_string_repr(out, as_string());
            break;
        case Kind::list: {
            out.push_back('[');
            for (const Value& item : as_list()) {
                if (&item != &as_list().front()) out += ", ";
                item.append_repr(out);
            }
            out.push_back(']');
            break;
        }
        case Kind::dict: {
            out.push_back('{');
            bool first = true;
            for (const auto& [key, value] : as_dict()) {
                if (!first) out += ", ";
                first = false;
                key.append_repr(out);
                out += ": ";
                value.append_repr(out);
            }
            out.push_back('}');
            break;
        }
        case Kind::undefined:
        case Kind::name_space:
        case Kind::macro:
        case Kind::function:
            out += fmt::format("<{}>", type_name());
            break;
    }
}

bool operator==(const Value& a, const Value& b) {
    if (a.is_number() && b.is_number()) {
        if (a.kind_ != Value::Kind::real && b.kind_ != Value::Kind::real) {
            return a.as_integer() == b.as_integer();
        }
        return a.as_real() == b.as_real();
    }
    if (a.kind_ != b.kind_) return false;
    switch (a.kind_) {
        case Value::Kind::undefined:
        case Value::Kind::none:
            return true;
        case Value::Kind::string:
            return a.as_string() == b.as_string();
        case Value::Kind::list:
            return a.as_list() == b.as_list();
        case Value::Kind::dict: {
            if (a.as_dict().size() != b.as_dict().size()) return false;
            return std::all_of(a.as_dict().begin(), a.as_dict().end(), [&](const auto& entry) {
                const Value* other = b.find(entry.first);
                return other != nullptr && *other == entry.second;
            });
        }
        default:
            return a.data_ == b.data_;
    }
}

const Value* Value::find(const Value& key) const {
    for (const auto& [name, value] : as_dict()) {
        if (name == key) return &value;
    }
    return nullptr;
}

const Value* Value::find(std::string_view key) const {
    for (const auto& [name, value] : as_dict()) {
        if (name.is(Kind::string) && name.as_string() == key) return &value;
    }
    return nullptr;
}

int compare_values(const Value& a, const Value& b) {
    const auto sign = [](const auto& x, const auto& y) { return x < y ? -1 : y < x ? 1 : 0; };
    if (a.is(Value::Kind::string) && b.is(Value::Kind::string)) {
        return sign(a.as_string(), b.as_string());
    }
    if (!a.is_number() || !b.is_number()) return 2;
    if (a.is(Value::Kind::real) || b.is(Value::Kind::real)) return sign(a.as_real(), b.as_real());
    return sign(a.as_integer(), b.as_integer());
}

}  // namespace hone::text
