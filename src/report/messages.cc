#include "report/messages.h"

#include <fmt/args.h>
#include <fmt/format.h>

#include <cmath>

#include "base/json.h"
#include "base/text.h"

namespace hone::report {
namespace {

const char* find_message(const Style& style, std::string_view id) {
    const std::span<const Message> table =
        style.language == Language::chinese ? messages_zh() : messages_en();
    for (const Message& message : table) {
        if (id == message.id) return message.text;
    }
    return nullptr;
}

using NoteValue = decltype(diagnose::Note::parameters)::value_type::second_type;

std::string format_any(const Style& style, std::string_view name, const NoteValue& value) {
    if (const auto* text = std::get_if<std::string>(&value)) {
        // Classes travel by id and are shown by name.
        return name == "class" ? say(style, std::string_view(*text)) : *text;
    }
    if (const auto* whole = std::get_if<int64_t>(&value)) {
        if (name.ends_with("_bytes")) return base::format_bytes(static_cast<double>(*whole));
        return fmt::format("{}", *whole);
    }
    return format_value(name, std::get<double>(value));
}

// The id and the values, where there is no sentence.
std::string bare(const Style& style, const diagnose::Note& note) {
    std::string out = note.id;
    for (const auto& [name, value] : note.parameters) {
        out += fmt::format(" {}={}", name, format_any(style, name, value));
    }
    return out;
}

}  // namespace

std::string format_value(std::string_view name, double value) {
    if (!std::isfinite(value)) return "n/a";
    if (name.ends_with("_ns")) return base::format_duration_ns(value);
    if (name.ends_with("_ms")) return base::format_duration_ns(value * 1e6);
    if (name.ends_with("_gb_per_s")) return fmt::format("{:.1f} GB/s", value);
    if (name.ends_with("_per_s")) return base::format_count(value) + "/s";
    if (name.ends_with("_s")) return base::format_duration_ns(value * 1e9);
    if (name.ends_with("_bytes")) return base::format_bytes(value);
    if (name.ends_with("_share")) return fmt::format("{:.1f} %", 100 * value);
    if (name.ends_with("_percent")) return fmt::format("{:+.1f} %", value);
    if (name.ends_with("_x")) return fmt::format("{:.2f}x", value);
    return fmt::format("{:.4g}", value);
}

std::string say(const Style& style, const diagnose::Note& note) {
    const char* text = find_message(style, note.id);
    if (text == nullptr) return bare(style, note);
    fmt::dynamic_format_arg_store<fmt::format_context> arguments;
    for (const auto& [name, value] : note.parameters) {
        arguments.push_back(fmt::arg(name.c_str(), format_any(style, name, value)));
    }
    // A note from a foreign record may lack a value that the sentence wants; fmt throws then.
    try {
        return fmt::vformat(text, arguments);
    } catch (const fmt::format_error&) {
        return bare(style, note);
    }
}

std::string say(const Style& style, std::string_view id) {
    const char* text = find_message(style, id);
    return text == nullptr ? std::string(id) : std::string(text);
}

base::Json note_json(const Style& style, const diagnose::Note& note) {
    if (note.empty()) return nullptr;
    base::Json json = to_json(note);
    json["text"] = say(style, note);
    return json;
}

}  // namespace hone::report
