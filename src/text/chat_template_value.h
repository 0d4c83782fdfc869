// Value: what a chat template computes with, a small copy of Python's data model.
//
// Strings, lists and dicts are immutable and shared, so a copy is cheap, a value cannot contain
// itself, and depth is known at construction. Namespaces are the one mutable thing; they belong to
// the interpreter and are only pointed to. Values never refer to anything of the host. Building a
// large value is charged to a budget by TemplateContext, not here. Not thread-safe across renders.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace hone::text {

struct TemplateStatement;
struct TemplateNamespace;
class Value;

using ValueList = std::vector<Value>;
using ValueDict = std::vector<std::pair<Value, Value>>;  // in order of insertion, distinct keys

// The functions a template can call by name.
enum class TemplateFunction { range, make_namespace, make_dict, raise_exception, strftime_now };

class Value {
  public:
    enum class Kind {
        undefined,
        none,
        boolean,
        integer,
        real,
        string,
        list,
        dict,
        name_space,
        macro,
        function,
    };

    Value() = default;  // undefined
    static Value none() { return Value(Kind::none); }
    static Value boolean(bool value) { return Value(Kind::boolean, value ? 1 : 0); }
    static Value integer(int64_t value) { return Value(Kind::integer, value); }
    static Value real(double value);
    static Value string(std::string value);
    static Value list(ValueList items);
    static Value dict(ValueDict entries);
    static Value name_space(TemplateNamespace* value);
    static Value macro(const TemplateStatement* value);
    static Value function(TemplateFunction value);

    Kind kind() const { return kind_; }
    bool is(Kind kind) const { return kind_ == kind; }
    bool is_number() const;  // boolean, integer or real, as in Python

    // Each requires the kind of its name (as_integer also takes a boolean).
    int64_t as_integer() const;
    double as_real() const;  // of any number
    const std::string& as_string() const;
    const ValueList& as_list() const;
    const ValueDict& as_dict() const;
    TemplateNamespace* as_name_space() const;
    const TemplateStatement* as_macro() const;
    TemplateFunction as_function() const;

    // How deep lists and dicts are nested in this value; 0 for everything else.
    size_t depth() const;
    // Bytes of text plus the count of items inside, shared parts counted as often as they appear:
    // a bound on the work of printing or comparing the value. Saturates.
    size_t weight() const;

    bool truthy() const;
    // Python's str() and repr(), and the name of the type for messages.
    std::string to_text() const;
    std::string to_repr() const;
    const char* type_name() const;

    // Python's ==. Numbers compare by value, lists and dicts by content.
    friend bool operator==(const Value& a, const Value& b);
    // The entry of a dict, or null.
    const Value* find(const Value& key) const;
    const Value* find(std::string_view key) const;

  private:
    struct ListData {
        ValueList items;
        size_t depth;
        size_t weight;
    };
    struct DictData {
        ValueDict entries;
        size_t depth;
        size_t weight;
    };
    explicit Value(Kind kind) : kind_(kind) {}
    Value(Kind kind, int64_t value) : kind_(kind), data_(value) {}
    void append_repr(std::string& out) const;

    Kind kind_ = Kind::undefined;
    std::variant<int64_t, double, std::shared_ptr<const std::string>,
                 std::shared_ptr<const ListData>, std::shared_ptr<const DictData>,
                 TemplateNamespace*, const TemplateStatement*>
        data_;
};

struct TemplateNamespace {
    ValueDict entries;
};

// -1, 0 or 1 as a < b, a == b, a > b for two numbers or two strings; 2 when there is no order.
int compare_values(const Value& a, const Value& b);

}  // namespace hone::text
