#include "base/lines.h"

#include <algorithm>

#include "base/text.h"

namespace hone::base {

std::optional<Line> LineReader::next() {
    while (!rest_.empty()) {
        const size_t end = std::min(rest_.find('\n'), rest_.size());
        const std::string_view text = trim(rest_.substr(0, end));
        rest_.remove_prefix(std::min(end + 1, rest_.size()));
        ++number_;
        if (!text.empty()) return Line{number_, text};
    }
    return std::nullopt;
}

}  // namespace hone::base
