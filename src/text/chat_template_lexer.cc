#include "text/chat_template_lexer.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "text/utf8.h"

namespace hone::text {

namespace {

using base::ErrorCode;
using base::fail;
using TokenKind = TemplateTokenKind;

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool starts_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

std::string normalize_newlines(std::string_view source) {
    std::string out;
    out.reserve(source.size());
    for (size_t i = 0; i < source.size(); ++i) {
        if (source[i] == '\r') {
            out.push_back('\n');
            if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
        } else {
            out.push_back(source[i]);
        }
    }
    if (!out.empty() && out.back() == '\n') out.pop_back();
    return out;
}

// The longest operator at the beginning of `text`, or an empty view.
std::string_view operator_at(std::string_view text) {
    constexpr std::array<std::string_view, 25> kOperators = {
        "//", "**", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "(",
        ")",  "[",  "]",  "{",  "}",  ",",  ".", ":", "|", "=", "<", ">"};
    for (const std::string_view op : kOperators) {
        if (text.substr(0, op.size()) == op) return op;
    }
    return {};
}

class Lexer {
  public:
    explicit Lexer(std::string source) : source_(std::move(source)) {}

    base::Result<std::vector<TemplateToken>> run() {
        while (position_ < source_.size()) HONE_TRY_STATUS(lex_data());
        add(TokenKind::end, {});
        return std::move(tokens_);
    }

  private:
    std::string_view rest() const { return std::string_view(source_).substr(position_); }
    bool at(std::string_view text) const { return rest().substr(0, text.size()) == text; }

    void add(TokenKind kind, std::string text) {
        tokens_.push_back({kind, std::move(text), line_});
    }

    // Moves on, counting lines.
    void skip(size_t count) {
        for (size_t i = 0; i < count; ++i) line_ += source_[position_ + i] == '\n';
        position_ += count;
        line_starts_ = count == 0 ? line_starts_ : source_[position_ - 1] == '\n';
    }

    void skip_blanks() {
        size_t count = 0;
        while (position_ + count < source_.size() && is_blank(source_[position_ + count])) ++count;
        skip(count);
    }

    tl::unexpected<base::Error> error(std::string_view what) const {
        return fail(ErrorCode::invalid_argument, "chat template line {}: {}", line_, what);
    }

    // Text up to the next tag, and the tag.
    base::Status lex_data() {
        size_t open = std::string::npos;
        for (size_t i = position_; i + 1 < source_.size(); ++i) {
            const char next = source_[i + 1];
            if (source_[i] == '{' && (next == '%' || next == '{' || next == '#')) {
                open = i;
                break;
            }
        }
        const bool has_tag = open != std::string::npos;
        std::string_view data = rest().substr(0, has_tag ? open - position_ : std::string::npos);
        const size_t data_bytes = data.size();
        if (has_tag) data = trim_before_tag(data, source_[open + 1], open + 2);
        if (!data.empty()) add(TokenKind::data, std::string(data));
        skip(data_bytes);
        if (!has_tag) return {};
        const char kind = source_[open + 1];
        skip(2);
        const bool signed_tag =
            position_ < source_.size() && (source_[position_] == '-' || source_[position_] == '+');
        if (signed_tag) skip(1);
        if (kind == '#') return lex_comment();
        if (kind == '%' && is_raw_tag()) return lex_raw();
        return lex_tag(kind == '%');
    }

    // What of the text before a tag remains. `after`: offset just behind the tag's two characters.
    std::string_view trim_before_tag(std::string_view data, char kind, size_t after) const {
        const char sign = after < source_.size() ? source_[after] : '\0';
        if (sign == '-') {
            while (!data.empty() && is_blank(data.back())) data.remove_suffix(1);
            return data;
        }
        if (kind == '{' || sign == '+') return data;
        const size_t newline = data.rfind('\n');
        if (newline == std::string_view::npos && !line_starts_) return data;
        const size_t line = newline == std::string_view::npos ? 0 : newline + 1;
        const std::string_view last_line = data.substr(line);
        const bool blank = std::all_of(last_line.begin(), last_line.end(), is_blank);
        return blank ? data.substr(0, line) : data;
    }

    // Consumes the end of a tag at `size` bytes: "-%}" takes white space, "%}" one newline.
    void finish_tag(size_t size, bool minus, bool plus) {
        skip(size);
        if (minus) {
            skip_blanks();
        } else if (!plus && at("\n")) {
            skip(1);
        }
    }

    base::Status lex_comment() {
        const size_t close = source_.find("#}", position_);
        if (close == std::string::npos) return error("the comment is not closed");
        const char sign = close > position_ ? source_[close - 1] : '\0';
        finish_tag(close + 2 - position_, sign == '-', sign == '+');
        return {};
    }

    bool is_raw_tag() const {
        std::string_view text = rest();
        while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
        if (text.substr(0, 3) != "raw") return false;
        text.remove_prefix(3);
        while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
        if (text.substr(0, 1) == "-") text.remove_prefix(1);
        return text.substr(0, 2) == "%}";
    }

    // {% raw %}: everything up to {% endraw %} is data.
    base::Status lex_raw() {
        const size_t begin_close = source_.find("%}", position_);
        finish_tag(begin_close + 2 - position_, source_[begin_close - 1] == '-', false);
        for (size_t open = source_.find("{%", position_); open != std::string::npos;
             open = source_.find("{%", open + 2)) {
            size_t word = open + 2;
            if (word < source_.size() && (source_[word] == '-' || source_[word] == '+')) ++word;
            while (word < source_.size() && is_blank(source_[word])) ++word;
            if (source_.compare(word, 6, "endraw") != 0) continue;
            const size_t close = source_.find("%}", word);
            if (close == std::string::npos) break;
            const std::string_view data =
                trim_before_tag(rest().substr(0, open - position_), '%', open + 2);
            if (!data.empty()) add(TokenKind::data, std::string(data));
            const char sign = source_[close - 1];
            finish_tag(close + 2 - position_, sign == '-', sign == '+');
            return {};
        }
        return error("the raw block is not closed");
    }

    base::Status lex_tag(bool block) {
        add(block ? TokenKind::block_begin : TokenKind::variable_begin, {});
        std::string brackets;
        const std::string_view close = block ? "%}" : "}}";
        while (true) {
            skip_blanks();
            if (position_ >= source_.size()) return error("the tag is not closed");
            if (brackets.empty()) {
                const bool minus = source_[position_] == '-';
                const bool plus = block && source_[position_] == '+';
                const size_t sign = minus || plus ? 1 : 0;
                if (rest().substr(sign, 2) == close) {
                    add(block ? TokenKind::block_end : TokenKind::variable_end, {});
                    // Only block tags take the newline behind them.
                    finish_tag(sign + 2, minus, plus || !block);
                    return {};
                }
            }
            HONE_TRY_STATUS(lex_token(brackets));
        }
    }

    base::Status lex_token(std::string& brackets) {
        const char c = source_[position_];
        if (starts_name(c)) {
            size_t size = 1;
            while (position_ + size < source_.size() && (starts_name(source_[position_ + size]) ||
                                                         is_digit(source_[position_ + size]))) {
                ++size;
            }
            add(TokenKind::name, std::string(rest().substr(0, size)));
            skip(size);
            return {};
        }
        if (is_digit(c)) return lex_number();
        if (c == '\'' || c == '"') return lex_string();
        const std::string_view op = operator_at(rest());
        if (op.empty()) {
            return error(fmt::format("unexpected '{}'", base::printable(rest().substr(0, 1))));
        }
        HONE_TRY_STATUS(balance(op, brackets));
        add(TokenKind::operation, std::string(op));
        skip(op.size());
        return {};
    }

    base::Status balance(std::string_view op, std::string& brackets) const {
        if (op == "(") brackets.push_back(')');
        if (op == "[") brackets.push_back(']');
        if (op == "{") brackets.push_back('}');
        if (op == ")" || op == "]" || op == "}") {
            if (brackets.empty() || brackets.back() != op[0]) {
                return error(fmt::format("unexpected '{}'", op));
            }
            brackets.pop_back();
        }
        return {};
    }

    base::Status lex_number() {
        size_t size = 0;
        std::string text;
        const auto peek = [&](size_t i) {
            return position_ + i < source_.size() ? source_[position_ + i] : '\0';
        };
        const auto digits = [&] {
            while (is_digit(peek(size)) || (peek(size) == '_' && is_digit(peek(size + 1)))) {
                if (peek(size) != '_') text.push_back(peek(size));
                ++size;
            }
        };
        digits();
        bool real = false;
        if (peek(size) == '.' && is_digit(peek(size + 1))) {
            real = true;
            text.push_back('.');
            ++size;
            digits();
        }
        const size_t sign = peek(size + 1) == '-' || peek(size + 1) == '+' ? 1 : 0;
        if ((peek(size) | 0x20) == 'e' && is_digit(peek(size + 1 + sign))) {
            real = true;
            text.push_back('e');
            if (peek(size + 1) == '-') text.push_back('-');
            size += 1 + sign;
            digits();
        }
        add(real ? TokenKind::real : TokenKind::integer, std::move(text));
        skip(size);
        return {};
    }

    base::Status lex_string() {
        const char quote = source_[position_];
        std::string text;
        size_t i = position_ + 1;
        while (i < source_.size() && source_[i] != quote) {
            if (source_[i] != '\\') {
                text.push_back(source_[i++]);
                continue;
            }
            if (i + 1 >= source_.size()) break;
            i = read_escape(i + 1, text);
        }
        if (i >= source_.size()) return error("the string is not closed");
        add(TokenKind::string, std::move(text));
        skip(i + 1 - position_);
        return {};
    }

    // Python's escapes; an unknown one stays as it is. Returns the offset behind the escape.
    size_t read_escape(size_t i, std::string& text) const {
        constexpr std::string_view kLetters = "ntrabfv\\'\"";
        constexpr std::string_view kMeanings = "\n\t\r\a\b\f\v\\'\"";
        const char c = source_[i];
        if (c == '\n') return i + 1;
        if (const size_t letter = kLetters.find(c); letter != std::string_view::npos) {
            text.push_back(kMeanings[letter]);
            return i + 1;
        }
        const size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
        uint32_t code_point = 0;
        size_t count = 0;
        while (count < digits && i + 1 + count < source_.size()) {
            const char digit = source_[i + 1 + count];
            const char lower = static_cast<char>(digit | 0x20);
            const bool letter = lower >= 'a' && lower <= 'f';
            if (!is_digit(digit) && !letter) break;
            code_point =
                code_point * 16 + static_cast<uint32_t>(letter ? lower - 'a' + 10 : digit - '0');
            ++count;
        }
        if (digits > 0 && count == digits && code_point <= 0x10FFFF) {
            append_utf8(text, code_point);
            return i + 1 + digits;
        }
        text.push_back('\\');
        text.push_back(c);
        return i + 1;
    }

    std::string source_;
    size_t position_ = 0;
    int line_ = 1;
    bool line_starts_ = true;  // the last character consumed was a newline, or there was none
    std::vector<TemplateToken> tokens_;
};

}  // namespace

base::Result<std::vector<TemplateToken>> lex_template(std::string_view source) {
    if (source.size() > kTemplateBytesMax) {
        return fail(ErrorCode::exhausted,
                    "the chat template has {} bytes, at most {} are supported", source.size(),
                    kTemplateBytesMax);
    }
    return Lexer(normalize_newlines(source)).run();
}

}  // namespace hone::text
