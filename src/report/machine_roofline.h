// The roofline of a machine profile as data, and drawn in text or as a picture.
//
// Reachable operations per second = min(peak, operations per byte x bandwidth), both axes
// logarithmic (Williams, Waterman, Patterson 2009). Slopes are the load-only plateaus of the
// memory hierarchy, tops the arithmetic peaks of the best level, points what the linear kernels
// reached. All for the largest team measured within the CPUs of the process. Pure.
#pragma once

#include <string>
#include <vector>

#include "machine/profile.h"
#include "report/page.h"
#include "report/style.h"

namespace hone::report {

struct Roofline {
    struct Slope {
        std::string level;
        double gb_per_s = 0;
    };
    struct Top {
        std::string operation;
        std::string isa;
        double g_per_s = 0;
    };
    struct Point {
        std::string format;
        std::string activation;
        uint32_t m = 1;
        double intensity = 0;
        double g_per_s = 0;
    };
    int threads = 0;
    std::vector<Slope> slopes;  // from near to far; the last is memory, or the farthest measured
    std::vector<Top> tops;      // highest first
    std::vector<Point> points;  // best kernel of each format and batch

    bool empty() const { return slopes.empty() || tops.empty(); }
    double peak() const { return tops.front().g_per_s; }
    double far_gb_per_s() const { return slopes.back().gb_per_s; }
};

Roofline roofline_of(const machine::MachineProfile& profile);
// Nothing when it is empty.
void draw_roofline(Page& page, const Roofline& roofline);
// One self-contained SVG file, for light and dark backgrounds.
std::string render_roofline_svg(const machine::MachineProfile& profile, const Style& style);

}  // namespace hone::report
