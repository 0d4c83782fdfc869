// What chat templates can call: filters, tests, methods of strings, lists and dicts, functions.
//
// Each is a name in a table of its .cc, with Jinja's and Python's meaning. Nothing here reaches the
// host. Every function charges the context for what it does.
#pragma once

#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "text/chat_template_context.h"

namespace hone::text {

// value|name(arguments)
base::Result<Value> apply_filter(TemplateContext& context, std::string_view name,
                                 const Value& value, const TemplateArguments& arguments);
// value is name(arguments)
base::Result<bool> apply_test(TemplateContext& context, std::string_view name, const Value& value,
                              const TemplateArguments& arguments);
// object.name(arguments)
base::Result<Value> call_method(TemplateContext& context, const Value& object,
                                std::string_view name, const TemplateArguments& arguments);

// The arguments of json.dumps; indent < 0 gives one line.
struct JsonStyle {
    int64_t indent = -1;
    bool ascii = false;  // write other characters as \uXXXX
};
base::Result<std::string> to_json(TemplateContext& context, const Value& value, JsonStyle style);
// Python's strftime for the C locale.
base::Result<std::string> format_time(TemplateContext& context, const std::tm& time,
                                      std::string_view format);

// Arguments by kind, each with a default for "not given".
base::Result<int64_t> integer_argument(TemplateContext& context, const Value* argument,
                                       int64_t otherwise);
base::Result<std::string> text_argument(TemplateContext& context, const Value* argument,
                                        std::string_view otherwise);

}  // namespace hone::text
