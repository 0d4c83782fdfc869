#include "report/column_chart.h"

#include <algorithm>
#include <cmath>

namespace hone::report {
namespace {

constexpr size_t kSteps = 8;

const char* glyph(const Style& style, size_t eighths) {
    static constexpr const char* kBlocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static constexpr const char* kAscii[] = {" ", ".", ".", ":", ":", "+", "+", "#", "#"};
    return style.unicode ? kBlocks[eighths] : kAscii[eighths];
}

}  // namespace

std::vector<std::string> column_chart(const Style& style, std::span<const uint64_t> values,
                                      size_t height) {
    if (values.empty() || height == 0) return {};
    const uint64_t largest = std::max<uint64_t>(1, *std::max_element(values.begin(), values.end()));
    std::vector<size_t> filled;
    for (const uint64_t value : values) {
        const double share = static_cast<double>(value) / static_cast<double>(largest);
        const auto eighths =
            static_cast<size_t>(std::lround(share * static_cast<double>(height * kSteps)));
        filled.push_back(value > 0 ? std::max<size_t>(eighths, 1) : 0);
    }
    std::vector<std::string> lines;
    for (size_t line = height; line-- > 0;) {
        std::string text;
        for (const size_t eighths : filled) {
            const size_t below = line * kSteps;
            text += glyph(style, std::min(kSteps, eighths - std::min(eighths, below)));
        }
        lines.push_back(std::move(text));
    }
    return lines;
}

std::vector<uint64_t> merged(std::span<const uint64_t> values, size_t columns) {
    std::vector<uint64_t> out;
    if (values.empty() || columns == 0) return out;
    const size_t together = (values.size() + columns - 1) / columns;
    for (size_t begin = 0; begin < values.size(); begin += together) {
        uint64_t sum = 0;
        for (size_t i = begin; i < std::min(values.size(), begin + together); ++i) sum += values[i];
        out.push_back(sum);
    }
    return out;
}

}  // namespace hone::report
