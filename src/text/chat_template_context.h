// TemplateContext: the budget of one rendering, and the only maker of large values.
//
// A chat template is a program from a model file. Every node it runs costs a step and every value
// it builds costs steps by size, before the work is done; so no template can run long or take much
// memory, whatever it says. It gives no access to the host: no files, no environment, no clock but
// the time that was passed in. One per rendering; not thread-safe.
#pragma once

#include <cstddef>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "text/chat_template_value.h"

namespace hone::text {

struct TemplateLimits {
    size_t steps_max = 1'000'000;  // some 50 ns each: about 50 ms
    size_t output_bytes_max = size_t{1} << 20;
    size_t depth_max = 256;  // nested evaluations, macros included
    size_t value_depth_max = 64;
    size_t value_weight_max = size_t{8} << 20;  // see Value::weight
};

struct TemplateArguments {
    std::vector<Value> positional;
    std::vector<std::pair<std::string, Value>> named;

    // The argument at `index` or called `name`; null when there is neither.
    const Value* find(size_t index, std::string_view name) const;
};

class TemplateContext {
  public:
    TemplateContext(const TemplateLimits& limits, std::optional<std::tm> now)
        : limits_(limits), steps_left_(limits.steps_max), now_(now) {}

    const TemplateLimits& limits() const { return limits_; }
    const std::optional<std::tm>& now() const { return now_; }
    void at_line(int line) { line_ = line; }

    // exhausted: over the budget.
    base::Status spend(size_t steps);
    base::Status spend_bytes(size_t bytes) { return spend(1 + bytes / 64); }
    // Each charges for the value and checks its size. exhausted: over a limit.
    base::Result<Value> string(std::string text);
    base::Result<Value> list(ValueList items);
    base::Result<Value> dict(ValueDict entries);
    // str() and repr() of a value, charged.
    base::Result<std::string> text_of(const Value& value);
    // Charged ==.
    base::Result<bool> equal(const Value& a, const Value& b);
    // Charged look-up in a dict; null when there is no such key.
    base::Result<const Value*> find(const Value& dict, const Value& key);
    // The items a loop over the value sees: list items, dict keys, characters, nothing.
    base::Result<ValueList> iterate(const Value& value);

    // Recursion: enter() fails over depth_max; each success needs one leave().
    base::Status enter();
    void leave() { --depth_; }

    // An error of the template, with the line.
    tl::unexpected<base::Error> error(std::string_view what) const;
    tl::unexpected<base::Error> exhausted(std::string_view what) const;

  private:
    base::Status check_nesting(const Value& value) const;

    TemplateLimits limits_;
    size_t steps_left_;
    size_t depth_ = 0;
    int line_ = 1;
    std::optional<std::tm> now_;
};

// Holds one level of TemplateContext::enter().
class TemplateLevel {
  public:
    explicit TemplateLevel(TemplateContext& context) : context_(context) {}
    TemplateLevel(const TemplateLevel&) = delete;
    TemplateLevel& operator=(const TemplateLevel&) = delete;
    ~TemplateLevel() { context_.leave(); }

  private:
    TemplateContext& context_;
};

}  // namespace hone::text
