#include "report/table.h"

#include <algorithm>

#include "base/check.h"
#include "report/style.h"

namespace hone::report {
namespace {

constexpr size_t kGap = 2;
// A text column narrower than this says nothing any more.
constexpr size_t kTextColumnMin = 8;

size_t sum_of(const std::vector<size_t>& widths) {
    size_t sum = widths.empty() ? 0 : kGap * (widths.size() - 1);
    for (const size_t width : widths) sum += width;
    return sum;
}

void trim_right(std::string& line) {
    while (!line.empty() && line.back() == ' ') line.pop_back();
}

}  // namespace

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

void Table::add(std::vector<std::string> cells) {
    HONE_CHECK_LE(cells.size(), columns_.size());
    cells.resize(columns_.size());
    rows_.push_back(std::move(cells));
}

std::vector<size_t> Table::fitted_widths(size_t width) const {
    std::vector<size_t> widths;
    for (size_t c = 0; c < columns_.size(); ++c) {
        size_t widest = display_width(columns_[c].title);
        for (const auto& row : rows_) widest = std::max(widest, display_width(row[c]));
        widths.push_back(widest);
    }
    // Text gives way first, down to its minimum; then whatever is widest.
    for (const bool only_text : {true, false}) {
        while (sum_of(widths) > width) {
            size_t victim = columns_.size();
            for (size_t c = 0; c < columns_.size(); ++c) {
                const size_t least = only_text ? kTextColumnMin : 1;
                if ((only_text && !columns_[c].shrinkable) || widths[c] <= least) continue;
                if (victim == columns_.size() || widths[c] > widths[victim]) victim = c;
            }
            if (victim == columns_.size()) break;
            --widths[victim];
        }
    }
    return widths;
}

std::string Table::render(size_t width, size_t indent) const {
    const size_t room = width > indent ? width - indent : 1;
    const std::vector<size_t> widths = fitted_widths(room);
    std::string out;
    const auto add_line = [&](const auto& cell_at) {
        std::string line;
        for (size_t c = 0; c < columns_.size(); ++c) {
            if (c > 0) line += std::string(kGap, ' ');
            line += pad(cell_at(c), widths[c], columns_[c].right_aligned);
        }
        trim_right(line);
        out += std::string(indent, ' ') + fit(line, room) + '\n';
    };
    const bool titled = std::any_of(columns_.begin(), columns_.end(),
                                    [](const Column& column) { return !column.title.empty(); });
    if (titled) add_line([&](size_t c) { return std::string_view(columns_[c].title); });
    for (const auto& row : rows_) {
        add_line([&](size_t c) { return std::string_view(row[c]); });
    }
    return out;
}

}  // namespace hone::report
