// A text table: columns aligned left or right, fitted to a width by shrinking the widest text
// columns. Not a layout engine: one line per row. Cells may hold colours and UTF-8.
#pragma once

#include <string>
#include <vector>

namespace hone::report {

struct Column {
    std::string title;
    bool right_aligned = false;
    bool shrinkable = false;  // gives way first when the table is too wide
};

class Table {
  public:
    explicit Table(std::vector<Column> columns);
    // Missing cells are empty; more cells than columns is a bug of the caller.
    void add(std::vector<std::string> cells);
    bool empty() const { return rows_.empty(); }
    // Every line at most `width` columns and indented by `indent` spaces, newline at the end.
    std::string render(size_t width, size_t indent = 0) const;

  private:
    std::vector<size_t> fitted_widths(size_t width) const;

    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace hone::report
