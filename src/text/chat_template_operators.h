// The operators of chat templates: arithmetic, comparison, membership, subscripts, slices.
//
// Python's rules on the values of chat_template_value.h; integers are 64 bits and an overflow is an
// error, not a longer number. Every function charges the context for what it does.
#pragma once

#include <string_view>

#include "base/result.h"
#include "text/chat_template_context.h"

namespace hone::text {

// op: + - * / // % **
base::Result<Value> apply_binary(TemplateContext& context, std::string_view op, const Value& a,
                                 const Value& b);
base::Result<Value> negate(TemplateContext& context, const Value& value);
// op: == != < <= > >= in, "not in"
base::Result<bool> apply_comparison(TemplateContext& context, std::string_view op, const Value& a,
                                    const Value& b);
// object.name and object[key]; undefined when there is no such thing, an error on undefined.
base::Result<Value> get_attribute(TemplateContext& context, const Value& object,
                                  std::string_view name);
base::Result<Value> get_item(TemplateContext& context, const Value& object, const Value& key);
// object[start:stop:step]; undefined or none bounds are left out.
base::Result<Value> get_slice(TemplateContext& context, const Value& object, const Value& start,
                              const Value& stop, const Value& step);

}  // namespace hone::text
