// A report under construction: lines that never exceed the style's width. Not a layout engine.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "report/messages.h"
#include "report/style.h"
#include "report/table.h"

namespace hone::report {

class Page {
  public:
    explicit Page(const Style& style) : style_(style) {
        // Narrower than this nothing can be said; wider lines are not read.
        style_.width = std::clamp(style_.width, 40, 200);
    }

    const Style& style() const { return style_; }
    size_t width() const { return static_cast<size_t>(style_.width); }

    void section(std::string_view id) {
        out_ += '\n' + paint(style_, Ink::bold, fit(say(style_, id), width())) + '\n';
    }
    // Wrapped; the first line keeps the text's own leading spaces.
    void line(std::string_view text, size_t indent = 4) { out_ += wrap(text, width(), indent); }
    // Drawn text: its spaces stay, what does not fit is cut.
    void drawn(std::string_view text) {
        const size_t end = text.find_last_not_of(' ');
        out_ += fit(text.substr(0, end == std::string_view::npos ? 0 : end + 1), width()) + '\n';
    }
    void note(const diagnose::Note& note, size_t lead = 2) {
        line(std::string(lead, ' ') + say(style_, note), lead + 2);
    }
    void table(const Table& table, size_t indent = 2) { out_ += table.render(width(), indent); }
    void blank() { out_ += '\n'; }
    std::string take() { return std::move(out_); }

  private:
    Style style_;
    std::string out_;
};

}  // namespace hone::report
