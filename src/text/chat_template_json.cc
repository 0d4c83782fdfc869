#include <cmath>

#include "base/json.h"
#include "text/chat_template_calls.h"
#include "text/chat_template_strings.h"

namespace hone::text {

namespace {

using Kind = Value::Kind;

class JsonWriter {
  public:
    JsonWriter(TemplateContext& context, JsonStyle style)
        : context_(context), indent_(style.indent), ascii_(style.ascii) {}

    // Recursion is bounded by the nesting of values.
    base::Status write(const Value& value, size_t level) {
        HONE_TRY_STATUS(context_.spend(1));
        if (out_.size() > context_.limits().output_bytes_max) {
            return context_.exhausted("a JSON text is too large");
        }
        switch (value.kind()) {
            case Kind::none:
                out_ += "null";
                return {};
            case Kind::boolean:
                out_ += value.truthy() ? "true" : "false";
                return {};
            case Kind::integer:
                out_ += value.to_repr();
                return {};
            case Kind::real:
                write_real(value);
                return {};
            case Kind::string:
                HONE_TRY_STATUS(context_.spend_bytes(value.weight()));
                append_json_string(out_, value.as_string(), ascii_);
                return {};
            case Kind::list:
                return write_list(value.as_list(), level);
            case Kind::dict:
                return write_dict(value.as_dict(), level);
            default:
                return context_.error(fmt::format("{} is not JSON", value.type_name()));
        }
    }

    std::string take() { return std::move(out_); }

  private:
    void write_real(const Value& value) {
        const double real = value.as_real();
        if (std::isnan(real)) {
            out_ += "NaN";
        } else if (std::isinf(real)) {
            out_ += real < 0 ? "-Infinity" : "Infinity";
        } else {
            out_ += value.to_repr();
        }
    }

    void begin_item(bool first, size_t level) {
        if (!first) out_ += indent_ < 0 ? ", " : ",";
        begin_line(level);
    }

    void begin_line(size_t level) {
        if (indent_ < 0) return;
        out_ += '\n';
        out_.append(level * static_cast<size_t>(std::min<int64_t>(indent_, 64)), ' ');
    }

    base::Status write_list(const ValueList& items, size_t level) {
        out_ += '[';
        bool first = true;
        for (const Value& item : items) {
            begin_item(first, level + 1);
            first = false;
            HONE_TRY_STATUS(write(item, level + 1));
        }
        if (!first) begin_line(level);
        out_ += ']';
        return {};
    }

    base::Status write_dict(const ValueDict& entries, size_t level) {
        out_ += '{';
        bool first = true;
        for (const auto& [key, value] : entries) {
            begin_item(first, level + 1);
            first = false;
            if (key.is(Kind::string)) {
                HONE_TRY_STATUS(write(key, level + 1));
            } else {
                // JSON knows only text keys: 1 becomes "1", true "true", none "null".
                JsonWriter inner(context_, {-1, ascii_});
                HONE_TRY_STATUS(inner.write(key, 0));
                append_json_string(out_, inner.take(), ascii_);
            }
            out_ += ": ";
            HONE_TRY_STATUS(write(value, level + 1));
        }
        if (!first) begin_line(level);
        out_ += '}';
        return {};
    }

    TemplateContext& context_;
    int64_t indent_;
    bool ascii_;
    std::string out_;
};

}  // namespace

base::Result<std::string> to_json(TemplateContext& context, const Value& value, JsonStyle style) {
    JsonWriter writer(context, style);
    HONE_TRY_STATUS(writer.write(value, 0));
    return writer.take();
}

}  // namespace hone::text
