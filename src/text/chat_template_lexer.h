// The lexer of chat templates: Jinja source to tokens, with white space control settled.
//
// Follows Jinja 3 with trim_blocks and lstrip_blocks on and keep_trailing_newline off, which is how
// chat templates are rendered everywhere: the newline after a block tag goes, blanks before a block
// tag at the beginning of a line go, and {%- -%} take all white space on their side. Comments and
// raw blocks end here; line statements are not part of it. Pure function.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hone::text {

enum class TemplateTokenKind {
    data,            // text to print
    block_begin,     // {%
    block_end,       // %}
    variable_begin,  // {{
    variable_end,    // }}
    name,
    string,     // text: with escapes resolved
    integer,    // text: digits
    real,       // text: as std::from_chars reads it
    operation,  // text: + - * / // % ** ~ ( ) [ ] { } , . : | = == != < <= > >=
    end,
};

struct TemplateToken {
    TemplateTokenKind kind = TemplateTokenKind::end;
    std::string text;
    int line = 1;  // from 1
};

constexpr size_t kTemplateBytesMax = size_t{1} << 20;

// invalid_argument with the line: an unclosed tag, string or bracket, or a foreign character.
// exhausted: over kTemplateBytesMax. The last token is `end`.
base::Result<std::vector<TemplateToken>> lex_template(std::string_view source);

}  // namespace hone::text
