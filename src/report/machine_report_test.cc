// The report of `hone machine` in full, and its picture.
#include "report/machine_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "report/machine_roofline.h"

namespace hone::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

machine::MachineProfile whole_profile() {
    machine::MachineProfile profile;
    profile.facts.cpu_model = "Example <CPU> & \"more\"";
    profile.facts.cpus_allowed = profile.facts.cpus_online = 2;
    profile.facts.caches = {{1, "data", 32 << 10, 1}, {3, "unified", 32 << 20, 2}};
    profile.fingerprint = "0123456789abcdef";
    profile.measured_at = "2026-01-02T03:04:05Z";
    for (const int threads : {1, 2}) {
        profile.bandwidth.push_back({16 << 10, threads, 200.0 * threads, 210.0 * threads});
        profile.bandwidth.push_back({8 << 20, threads, 50.0 * threads, 51.0 * threads});
        profile.bandwidth.push_back({256u << 20, threads, 20.0 + threads, 25});
        profile.bandwidth.push_back({256u << 20, threads, 17.5, 18, "write"});
        profile.peaks.push_back({"f32_fma", "avx2", threads, 100.0 * threads});
        profile.peaks.push_back({"int8_dot", "avx512vnni", threads, 400.0 * threads});
        for (const uint32_t m : {1u, 64u}) {
            profile.gemms.push_back({"u4m", "int8", "avx2", 2048, 1024, m, threads,
                                     4194304.0 * m / (20.0 * m * threads), 1310720});
        }
    }
    profile.overheads = {{"barrier", 2, 310}, {"page_fault", 1, 250}};
    profile.latencies = {{16 << 10, 0, 1.3}, {96 << 20, 0, 90}, {96 << 20, 1, 180}};
    profile.files = {{"read", false, 1 << 25, 6.25}};
    profile.clock = machine::ClockRate{3.7, 3.6, 3.8, 0.02};
    profile.left_out = {{"file_read_cold", "page_cache"}};
    return profile;
}

TEST(MachineReport, WholeProfileHasEverySection) {
    Style style;
    style.width = 100;
    const std::string text = render_machine(whole_profile(), style);
    for (const char* part :
         {"3.7 GHz (3.6 to 3.8, drift 2.0 %)", "Memory by level", "stream write", "17.5",
          "Linear kernels, G operations/s: 2048 x 1024 weights", "u4m x int8", "m = 64",
          "Latency of one load", "beside 1 reading", "page_fault", "6.25",
          "left out: file_read_cold (the page cache could not be dropped)", "q u4m"}) {
        EXPECT_THAT(text, HasSubstr(part));
    }
    for (const char c : text) EXPECT_LT(static_cast<unsigned char>(c), 0x80) << "plain ASCII";
}

TEST(MachineReport, DrawsInBrailleWhereTheTerminalCan) {
    Style style;
    style.unicode = true;
    const std::string text = render_machine(whole_profile(), style);
    EXPECT_THAT(text, HasSubstr("\xe2\xa0"));
    EXPECT_THAT(text, Not(HasSubstr("===")));
}

TEST(Roofline, TakesTheLargestTeamThatHasCpus) {
    machine::MachineProfile profile = whole_profile();
    const Roofline roofline = roofline_of(profile);
    EXPECT_EQ(roofline.threads, 2);
    ASSERT_EQ(roofline.slopes.size(), 3u);
    EXPECT_EQ(roofline.slopes[0].level, "L1");
    EXPECT_DOUBLE_EQ(roofline.slopes[0].gb_per_s, 400);
    EXPECT_EQ(roofline.slopes[2].level, "memory");
    EXPECT_DOUBLE_EQ(roofline.far_gb_per_s(), 22);
    ASSERT_EQ(roofline.tops.size(), 2u);
    EXPECT_EQ(roofline.tops[0].operation, "int8_dot");
    EXPECT_DOUBLE_EQ(roofline.peak(), 800);
    ASSERT_EQ(roofline.points.size(), 2u);
    EXPECT_NEAR(roofline.points[0].g_per_s, 40, 1e-9);
    profile.facts.cpus_allowed = 1;
    EXPECT_EQ(roofline_of(profile).threads, 1);
    EXPECT_TRUE(roofline_of(machine::MachineProfile{}).empty());
}

TEST(Roofline, ThePictureIsWholeAndEscapesTheMachine) {
    const std::string svg = render_roofline_svg(whole_profile(), Style{});
    EXPECT_EQ(svg.rfind("<svg xmlns=", 0), 0u);
    EXPECT_THAT(svg, HasSubstr("</svg>\n"));
    EXPECT_THAT(svg, HasSubstr("Example &lt;CPU&gt; &amp; &quot;more&quot;"));
    EXPECT_THAT(svg, HasSubstr("prefers-color-scheme:dark"));
    EXPECT_THAT(svg, HasSubstr("int8_dot 800 (avx512vnni)"));
    EXPECT_THAT(svg, HasSubstr("memory 22 GB/s"));
    // Self-contained: the name space is the only address in it.
    EXPECT_EQ(svg.find("http", 20), std::string::npos);
    EXPECT_THAT(svg, Not(HasSubstr("nan")));
    EXPECT_THAT(svg, Not(HasSubstr("inf")));
    EXPECT_THAT(render_roofline_svg(machine::MachineProfile{}, Style{}), HasSubstr("</svg>"));
}

}  // namespace
}  // namespace hone::report
