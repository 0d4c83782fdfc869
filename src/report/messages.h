// All sentences of Hone's reports, by id, and how the values in them are printed.
//
// A message is a template with {name} for each parameter of its note; the parameter's suffix says
// how the value is written (cost/note.h). One table per language; an id that none has is shown as
// the id with its values, so that nothing is lost. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/json_fwd.h"
#include "diagnose/scenario.h"
#include "report/style.h"

namespace hone::report {

struct Message {
    const char* id;
    const char* text;
};

std::span<const Message> messages_en();
std::span<const Message> messages_zh();  // the same ids with the same parameters

// The sentence of a note.
std::string say(const Style& style, const diagnose::Note& note);
// A text without values.
std::string say(const Style& style, std::string_view id);
// {id, parameters, text: the sentence}; null for an empty note.
base::Json note_json(const Style& style, const diagnose::Note& note);
// A value as report prints it, by the suffix of its name.
std::string format_value(std::string_view name, double value);

}  // namespace hone::report
