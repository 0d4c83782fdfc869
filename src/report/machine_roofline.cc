#include "report/machine_roofline.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace hone::report {
namespace {

using diagnose::note;
using machine::MachineProfile;

constexpr int kIntensityFrom = -2;  // 2^-2 operations per byte ...
constexpr int kIntensityTo = 10;    // ... to 2^10
// Formats that stand for the rest in a chart of characters.
constexpr std::pair<const char*, char> kMarks[] = {
    {"u4m", 'q'}, {"s8", 'b'}, {"f16", 'h'}, {"f32", 'f'}};

int threads_of(const MachineProfile& profile) {
    int threads = 0;
    const int cpus = std::max(1, profile.facts.cpus_allowed);
    for (const auto& point : profile.bandwidth) {
        if (point.threads <= cpus) threads = std::max(threads, point.threads);
    }
    return threads;
}

// A grid of characters; with Unicode each holds 2 x 4 dots (Braille patterns, U+2800).
class Canvas {
  public:
    Canvas(size_t columns, size_t rows, bool unicode)
        : columns_(columns), rows_(rows), unicode_(unicode) {
        dots_.assign(columns * rows, 0);
        marks_.assign(columns * rows, 0);
    }
    size_t dot_columns() const { return unicode_ ? columns_ * 2 : columns_; }

    // Shares of the width and of the height, from the lower left corner.
    void dot(double x, double y, char ascii) {
        const size_t high = unicode_ ? rows_ * 4 : rows_;
        const auto column = static_cast<size_t>(x * static_cast<double>(dot_columns()));
        const double line = (1 - y) * static_cast<double>(high);
        if (x < 0 || line < 0 || column >= dot_columns() || line >= static_cast<double>(high)) {
            return;
        }
        const auto row = static_cast<size_t>(line);
        if (!unicode_) {
            marks_[row * columns_ + column] = ascii;
            return;
        }
        constexpr unsigned kBits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
        dots_[row / 4 * columns_ + column / 2] |= kBits[row % 4][column % 2];
    }
    void mark(double x, double y, char letter) {
        if (x < 0 || x >= 1 || y <= 0 || y > 1) return;
        const auto row = static_cast<size_t>((1 - y) * static_cast<double>(rows_));
        const auto column = static_cast<size_t>(x * static_cast<double>(columns_));
        marks_[row * columns_ + column] = letter;
    }
    std::string row(size_t row) const {
        std::string out;
        for (size_t column = 0; column < columns_; ++column) {
            const size_t at = row * columns_ + column;
            const unsigned dots = dots_[at];
            if (marks_[at] != 0) {
                out += marks_[at];
            } else if (dots == 0) {
                out += ' ';
            } else {
                // U+2800 + dots in UTF-8.
                out += '\xe2';
                out += static_cast<char>(0xa0 | dots >> 6);
                out += static_cast<char>(0x80 | (dots & 0x3f));
            }
        }
        return out;
    }
    size_t rows() const { return rows_; }

  private:
    size_t columns_;
    size_t rows_;
    bool unicode_;
    std::vector<unsigned> dots_;
    std::vector<char> marks_;
};

struct Range {
    double bottom = 0;  // log2 of G operations/s
    double top = 1;
    double share(double g_per_s) const { return (std::log2(g_per_s) - bottom) / (top - bottom); }
};

double intensity_share(double intensity) {
    return (std::log2(intensity) - kIntensityFrom) / (kIntensityTo - kIntensityFrom);
}

void draw_roofs(Canvas& canvas, const Roofline& roofline, const Range& range) {
    const double far = roofline.far_gb_per_s();
    for (size_t column = 0; column < canvas.dot_columns(); ++column) {
        const double x =
            (static_cast<double>(column) + 0.5) / static_cast<double>(canvas.dot_columns());
        const double intensity = std::exp2(kIntensityFrom + x * (kIntensityTo - kIntensityFrom));
        for (const Roofline::Top& top : roofline.tops) {
            if (intensity * far >= top.g_per_s) canvas.dot(x, range.share(top.g_per_s), '=');
        }
        // The near levels every third dot, so that the far one stands out.
        for (const Roofline::Slope& slope : roofline.slopes) {
            const double reach = intensity * slope.gb_per_s;
            const bool is_far = &slope == &roofline.slopes.back();
            if (reach <= roofline.peak() && (is_far || column % 3 == 0)) {
                canvas.dot(x, range.share(reach), is_far ? '/' : '.');
            }
        }
    }
}

std::string levels_text(const Roofline& roofline) {
    std::string out;
    for (const Roofline::Slope& slope : roofline.slopes) {
        out += fmt::format("{}{} {:.4g}", out.empty() ? "" : ", ", slope.level, slope.gb_per_s);
    }
    return out;
}

}  // namespace

Roofline roofline_of(const MachineProfile& profile) {
    Roofline out;
    out.threads = threads_of(profile);
    std::vector<uint64_t> sizes;
    for (const auto& point : profile.bandwidth) sizes.push_back(point.bytes);
    for (const auto& plateau : machine::memory_plateaus(profile.facts, out.threads, sizes)) {
        const auto rate = profile.bandwidth_gb_per_s(plateau.bytes, out.threads);
        if (rate && *rate > 0) out.slopes.push_back({plateau.level, *rate});
    }
    std::map<std::string, Roofline::Top> best;
    for (const auto& peak : profile.peaks) {
        if (peak.threads != out.threads) continue;
        Roofline::Top& top = best[peak.operation];
        if (peak.g_per_s > top.g_per_s) top = {peak.operation, peak.isa, peak.g_per_s};
    }
    for (auto& [operation, top] : best) out.tops.push_back(std::move(top));
    std::stable_sort(out.tops.begin(), out.tops.end(),
                     [](const auto& a, const auto& b) { return a.g_per_s > b.g_per_s; });
    std::map<std::pair<std::string, uint32_t>, Roofline::Point> points;
    for (const auto& gemm : profile.gemms) {
        if (gemm.threads != out.threads) continue;
        Roofline::Point& point = points[{gemm.format, gemm.m}];
        if (gemm.g_per_s() <= point.g_per_s) continue;
        point = {gemm.format, gemm.activation, gemm.m, gemm.intensity(), gemm.g_per_s()};
    }
    for (auto& [key, point] : points) out.points.push_back(std::move(point));
    return out;
}

void draw_roofline(Page& page, const Roofline& roofline) {
    if (roofline.empty()) return;
    const Style& style = page.style();
    page.blank();
    page.line(paint(style, Ink::bold,
                    say(style, note("machine_roofline").with("threads", roofline.threads))));
    Range range;
    range.bottom = std::log2(roofline.far_gb_per_s()) + kIntensityFrom;
    range.top = std::log2(roofline.peak()) + 0.5;
    constexpr size_t kLead = 11;  // "  1.2e+03 |"
    const size_t columns = std::min<size_t>(page.width() - kLead, 97);
    Canvas canvas(columns, page.width() >= 100 ? 18 : 14, style.unicode);
    draw_roofs(canvas, roofline, range);
    std::string legend;
    for (const auto& [format, letter] : kMarks) {
        bool any = false;
        for (const Roofline::Point& point : roofline.points) {
            if (point.format != format) continue;
            canvas.mark(intensity_share(point.intensity), range.share(point.g_per_s), letter);
            any = true;
        }
        if (any) legend += fmt::format("{}{} {}", legend.empty() ? "" : ", ", letter, format);
    }
    for (size_t row = 0; row < canvas.rows(); ++row) {
        const double middle =
            1 - (static_cast<double>(row) + 0.5) / static_cast<double>(canvas.rows());
        const double level = std::exp2(range.bottom + middle * (range.top - range.bottom));
        const std::string label =
            row % 2 == 0 ? fmt::format("{:>8.3g}", level) : std::string(8, ' ');
        page.drawn(label + (style.unicode ? " │ " : " | ") + canvas.row(row));
    }
    std::string axis;
    for (int power = kIntensityFrom; power <= kIntensityTo; power += 2) {
        const double share = intensity_share(std::exp2(power));
        const auto at = kLead + static_cast<size_t>(share * static_cast<double>(columns - 1));
        const std::string label = fmt::format("{:g}", std::exp2(power));
        const size_t from = std::min(at, page.width() - label.size());
        axis.resize(std::max(from, axis.size()), ' ');
        axis += label;
    }
    page.drawn(axis);
    page.note(note("roofline_slopes").with("levels", levels_text(roofline)));
    if (!legend.empty()) page.note(note("roofline_marks").with("formats", legend));
}

}  // namespace hone::report
