// The lines of a text one after the other, without a list of them all: for files of JSON lines.
//
// A line ends at '\n' or with the text; white space around it is left out, and lines of nothing
// else are counted and skipped. Borrows the text. Thread rule: one thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace hone::base {

struct Line {
    size_t number = 0;  // from 1, as editors count
    std::string_view text;
};

class LineReader {
  public:
    explicit LineReader(std::string_view text) : rest_(text) {}

    std::optional<Line> next();  // nothing: there are no more

  private:
    std::string_view rest_;
    size_t number_ = 0;
};

}  // namespace hone::base
