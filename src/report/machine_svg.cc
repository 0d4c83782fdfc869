#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "report/html_report.h"
#include "report/machine_roofline.h"

namespace hone::report {
namespace {

using diagnose::note;

// Drawing area in the picture's own units.
constexpr double kWidth = 1010;
constexpr double kHeight = 600;
constexpr double kLeft = 80;
constexpr double kRight = 790;  // labels of the tops and the legend stand to the right
constexpr double kTop = 70;
constexpr double kBottom = 530;
constexpr double kPictureIntensityFrom = -2;  // powers of two
constexpr double kPictureIntensityTo = 11;

constexpr const char* kStyle = R"(<style>
svg{--paper:#fff;--ink:#1c2330;--soft:#5d6675;--grid:#e3e7ee;--roof:#1f5fbf;--top:#b3541e;
font-family:system-ui,sans-serif}
@media (prefers-color-scheme:dark){svg{--paper:#14181f;--ink:#e8ebf0;--soft:#9aa4b5;
--grid:#2a313d;--roof:#7db0ff;--top:#f0a06a}}
.paper{fill:var(--paper)}text{fill:var(--ink);font-size:13px}.soft{fill:var(--soft);font-size:12px}
.title{font-size:18px;font-weight:600}.grid{stroke:var(--grid)}
.roof{stroke:var(--roof);stroke-width:1.2;fill:none}.far{stroke-width:2.6}
.top{stroke:var(--top);stroke-width:1.8}.roof-name{fill:var(--roof);font-size:12px}
.top-name{fill:var(--top);font-size:12px}circle{stroke:var(--paper);stroke-width:1}
</style>
)";
// Told apart by people with any colour vision and on both backgrounds (Okabe and Ito's palette).
constexpr const char* kColours[] = {"#0072b2", "#e69f00", "#009e73", "#cc79a7",
                                    "#d55e00", "#56b4e9", "#8c8c8c", "#b8a800"};

struct Axes {
    double rate_from = 0;  // log10 of G operations/s
    double rate_to = 1;

    double x(double intensity) const {
        const double share = (std::log2(intensity) - kPictureIntensityFrom) /
                             (kPictureIntensityTo - kPictureIntensityFrom);
        return kLeft + share * (kRight - kLeft);
    }
    double y(double g_per_s) const {
        const double share = (std::log10(g_per_s) - rate_from) / (rate_to - rate_from);
        return kBottom - share * (kBottom - kTop);
    }
};

Axes axes_of(const Roofline& roofline) {
    double low = roofline.far_gb_per_s() * std::exp2(kPictureIntensityFrom);
    for (const Roofline::Point& point : roofline.points) low = std::min(low, point.g_per_s);
    return {std::floor(std::log10(low)), std::log10(roofline.peak()) + 0.25};
}

std::string text_at(double x, double y, const char* kind, const char* anchor,
                    std::string_view text) {
    return fmt::format(
        "<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", kind, x, y,
        anchor, html_safe(text));
}

std::string line_of(const char* kind, double x1, double y1, double x2, double y2) {
    return fmt::format(
        "<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", kind, x1,
        y1, x2, y2);
}

std::string grid(const Axes& axes, const Style& style) {
    std::string out;
    for (int power = static_cast<int>(kPictureIntensityFrom); power <= kPictureIntensityTo;
         ++power) {
        const double x = axes.x(std::exp2(power));
        out += line_of("grid", x, kTop, x, kBottom);
        const std::string label = power < 0 ? fmt::format("1/{:g}", std::exp2(-power))
                                            : fmt::format("{:g}", std::exp2(power));
        out += text_at(x, kBottom + 20, "soft", "middle", label);
    }
    for (int decade = static_cast<int>(axes.rate_from); decade <= axes.rate_to; ++decade) {
        const double y = axes.y(std::pow(10, decade));
        out += line_of("grid", kLeft, y, kRight, y);
        out += text_at(kLeft - 8, y + 4, "soft", "end", fmt::format("{:g}", std::pow(10, decade)));
    }
    out +=
        text_at((kLeft + kRight) / 2, kBottom + 44, "soft", "middle", say(style, "axis_intensity"));
    out += fmt::format(
        "<text class=\"soft\" transform=\"translate(24 {:.0f}) rotate(-90)\" "
        "text-anchor=\"middle\">{}</text>\n",
        (kTop + kBottom) / 2, html_safe(say(style, "axis_rate")));
    return out;
}

// Slopes end at the highest peak. The memory's name follows its line; the caches' lines lie too
// near to each other for that, so their names stand above them, in the order of the lines.
std::string slopes(const Axes& axes, const Roofline& roofline) {
    std::string out;
    for (size_t i = 0; i < roofline.slopes.size(); ++i) {
        const Roofline::Slope& slope = roofline.slopes[i];
        const double lowest = std::pow(10, axes.rate_from);
        const double from = std::max(std::exp2(kPictureIntensityFrom), lowest / slope.gb_per_s);
        const double to =
            std::min(std::exp2(kPictureIntensityTo), roofline.peak() / slope.gb_per_s);
        if (to <= from) continue;
        const bool far = i + 1 == roofline.slopes.size();
        const double x1 = axes.x(from);
        const double y1 = axes.y(from * slope.gb_per_s);
        const double x2 = axes.x(to);
        const double y2 = axes.y(to * slope.gb_per_s);
        out += line_of(far ? "roof far" : "roof", x1, y1, x2, y2);
        const std::string name = fmt::format("{} {:.4g} GB/s", slope.level, slope.gb_per_s);
        if (!far) {
            out += text_at(kLeft + 12, kTop + 18 + 16 * static_cast<double>(i), "roof-name",
                           "start", name);
            continue;
        }
        const double angle = std::atan2(y2 - y1, x2 - x1) * 180 / 3.14159265358979;
        out += fmt::format(
            "<text class=\"roof-name\" transform=\"translate({:.1f} {:.1f}) rotate({:.1f})\" "
            "dy=\"-8\">{}</text>\n",
            x1 + 0.3 * (x2 - x1), y1 + 0.3 * (y2 - y1), angle, html_safe(name));
    }
    return out;
}

std::string tops(const Axes& axes, const Roofline& roofline) {
    std::string out;
    double label_y = kTop - 20;
    for (const Roofline::Top& top : roofline.tops) {
        const double y = axes.y(top.g_per_s);
        const double from = std::max(kLeft, axes.x(top.g_per_s / roofline.slopes.front().gb_per_s));
        out += line_of("top", from, y, kRight, y);
        // Equal peaks would write over each other.
        label_y = std::max(y + 4, label_y + 15);
        out += text_at(kRight + 8, label_y, "top-name", "start",
                       fmt::format("{} {:.4g} ({})", top.operation, top.g_per_s, top.isa));
    }
    return out;
}

std::string points(const Axes& axes, const Roofline& roofline, const Style& style) {
    std::string out;
    std::set<std::string> formats;
    for (const Roofline::Point& point : roofline.points) formats.insert(point.format);
    std::map<std::string, const char*> colour_of;
    for (const std::string& format : formats) {
        const size_t index = colour_of.size() % std::size(kColours);
        colour_of[format] = kColours[index];
    }
    for (const Roofline::Point& point : roofline.points) {
        out += fmt::format(
            "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5\" fill=\"{}\"><title>{}, {}: {:.4g} G/s"
            "</title></circle>\n",
            axes.x(point.intensity), axes.y(point.g_per_s), colour_of[point.format],
            html_safe(point.format), point.m, point.g_per_s);
    }
    if (formats.empty()) return out;
    double y = 330;
    out += text_at(kRight + 8, y, "soft", "start", say(style, "legend_formats"));
    for (const auto& [format, colour] : colour_of) {
        y += 20;
        out += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5\" fill=\"{}\"/>\n",
                           kRight + 16, y - 4, colour);
        out += text_at(kRight + 28, y, "soft", "start", format);
    }
    return out;
}

}  // namespace

std::string render_roofline_svg(const machine::MachineProfile& profile, const Style& style) {
    const Roofline roofline = roofline_of(profile);
    std::string out = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" "
        "width=\"{0:.0f}\" "
        "height=\"{1:.0f}\" role=\"img\">\n",
        kWidth, kHeight);
    out += kStyle;
    out += fmt::format("<rect class=\"paper\" width=\"{:.0f}\" height=\"{:.0f}\"/>\n", kWidth,
                       kHeight);
    const std::string title = say(
        style,
        note("svg_title").with("cpu", profile.facts.cpu_model).with("threads", roofline.threads));
    out += fmt::format("<title>{}</title>\n", html_safe(title));
    out += text_at(kLeft, 34, "title", "start", title);
    out += text_at(kLeft, 54, "soft", "start",
                   say(style, note("svg_measured").with("when", profile.measured_at)));
    if (!roofline.empty()) {
        const Axes axes = axes_of(roofline);
        out += grid(axes, style) + slopes(axes, roofline) + tops(axes, roofline) +
               points(axes, roofline, style);
    }
    return out + "</svg>\n";
}

}  // namespace hone::report
