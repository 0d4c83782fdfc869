#include "report/machine_report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "base/text.h"
#include "report/page.h"

namespace hone::report {
namespace {

using diagnose::note;
using machine::MachineProfile;

std::string limits_text(const Style& style, const machine::MachineFacts& facts) {
    std::string out;
    if (facts.cpu_quota > 0) out = say(style, note("limit_cpu").with("cpus", facts.cpu_quota));
    if (facts.memory_limit_bytes > 0) {
        const auto bytes = static_cast<int64_t>(facts.memory_limit_bytes);
        out += (out.empty() ? "" : ", ") +
               say(style, note("limit_memory").with("memory_bytes", bytes));
    }
    return out.empty() ? say(style, "limit_none") : out;
}

std::string caches_text(const machine::MachineFacts& facts) {
    std::string out;
    for (const machine::CacheFacts& cache : facts.caches) {
        out += (out.empty() ? "" : ", ") +
               fmt::format("L{} {}", cache.level,
                           base::format_bytes(static_cast<double>(cache.bytes)));
        if (cache.shared_by_cpus > 1) out += fmt::format(" / {}", cache.shared_by_cpus);
    }
    return out.empty() ? "n/a" : out;
}

std::string system_text(const Style& style, const machine::MachineFacts& facts) {
    std::string out = facts.os;
    if (!facts.hypervisor.empty()) out += ", " + facts.hypervisor;
    if (!facts.huge_pages.empty()) {
        out += ", " + say(style, note("huge_pages").with("setting", facts.huge_pages));
    }
    return out;
}

void add_facts(Page& page, const MachineProfile& profile) {
    const Style& style = page.style();
    const machine::MachineFacts& facts = profile.facts;
    Table table({{"", false, false}, {"", false, true}});
    const auto add = [&](const char* id, const std::string& value) {
        table.add({say(style, id), value});
    };
    add("fact_cpu", facts.cpu_model);
    add("fact_cpus", say(style, note("cpus_value")
                                    .with("allowed", facts.cpus_allowed)
                                    .with("online", facts.cpus_online)
                                    .with("sockets", facts.sockets)
                                    .with("per_core", facts.threads_per_core)));
    std::string flags;
    for (const std::string& flag : facts.isa_flags) flags += " " + flag;
    add("fact_isa", facts.isa + (flags.empty() ? "" : " (" + flags.substr(1) + ")"));
    add("fact_caches", caches_text(facts));
    add("fact_memory",
        say(style, note("memory_value")
                       .with("total_bytes", static_cast<int64_t>(facts.memory_bytes))
                       .with("free_bytes", static_cast<int64_t>(facts.memory_available_bytes))));
    add("fact_limits", limits_text(style, facts));
    add("fact_system", system_text(style, facts));
    add("fact_counters", say(style, facts.perf_counters ? "counters_yes" : "counters_no"));
    add("fact_fingerprint", profile.fingerprint);
    add("fact_measured", profile.measured_at.empty() ? say(style, "never") : profile.measured_at);
    page.table(table);
}

std::string threads_title(const Style& style, int threads) {
    if (threads == 1) return say(style, "head_threads_1");
    return say(style, note("head_threads").with("threads", threads));
}

// Rows by key, columns by thread count.
template <class Key>
void add_by_threads(Page& page, const std::string& head,
                    const std::map<Key, std::map<int, double>>& rows, const auto& name_of) {
    std::set<int> threads;
    for (const auto& [key, cells] : rows) {
        for (const auto& [count, value] : cells) threads.insert(count);
    }
    std::vector<Column> columns = {{head, false, true}};
    for (const int count : threads) {
        columns.push_back({threads_title(page.style(), count), true, false});
    }
    Table table(std::move(columns));
    for (const auto& [key, cells] : rows) {
        std::vector<std::string> line = {name_of(key)};
        for (const int count : threads) {
            const auto found = cells.find(count);
            line.push_back(found == cells.end() ? "-" : fmt::format("{:.4g}", found->second));
        }
        table.add(std::move(line));
    }
    page.table(table);
}

void add_ceilings(Page& page, const MachineProfile& profile) {
    const Style& style = page.style();
    std::map<uint64_t, std::map<int, double>> bandwidth;
    for (const auto& point : profile.bandwidth) {
        bandwidth[point.bytes][point.threads] = point.gb_per_s;
    }
    page.section("machine_bandwidth");
    add_by_threads(page, say(style, "head_set"), bandwidth,
                   [](uint64_t bytes) { return base::format_bytes(static_cast<double>(bytes)); });
    std::map<std::string, std::map<int, double>> peaks;
    for (const auto& point : profile.peaks) {
        peaks[point.operation + " " + point.isa][point.threads] = point.g_per_s;
    }
    page.section("machine_peaks");
    add_by_threads(page, say(style, "head_operation"), peaks,
                   [](const std::string& name) { return name; });
    if (profile.overheads.empty()) return;
    page.section("machine_overheads");
    Table table({{"", false, true}, {"", false, false}, {"", true, false}});
    for (const auto& point : profile.overheads) {
        table.add(
            {point.what, threads_title(style, point.threads), base::format_duration_ns(point.ns)});
    }
    page.table(table);
}

// Reachable G operations/s = min(peak, intensity x bandwidth), both axes by powers of two.
struct Roofline {
    double peak = 0;
    double bandwidth = 0;
    double at(double intensity) const { return std::min(peak, intensity * bandwidth); }
};

constexpr int kChartRows = 8;
constexpr int kIntensityFrom = -2;  // 2^-2 operations per byte ...
constexpr int kIntensityTo = 10;    // ... to 2^10

void add_chart(Page& page, const Roofline& roof) {
    const bool wide = page.width() >= 100;
    const int per_step = wide ? 5 : 4;
    const int columns = (kIntensityTo - kIntensityFrom) * per_step + 1;
    const double top = std::log2(roof.peak);
    const double bottom = std::log2(roof.at(std::exp2(kIntensityFrom)));
    const double step = std::max(0.1, (top - bottom) / (kChartRows - 1));
    for (int row = 0; row < kChartRows; ++row) {
        const double level = top - row * step;
        std::string line = fmt::format("{:>8.4g} |", std::exp2(level));
        for (int column = 0; column < columns; ++column) {
            const double intensity =
                std::exp2(kIntensityFrom + static_cast<double>(column) / per_step);
            const double value = std::log2(roof.at(intensity));
            const bool on_roof = std::fabs(value - level) <= step / 2;
            const bool under = value > level;
            const char* mark = on_roof ? (page.style().unicode ? "━" : "=") : under ? "." : " ";
            line += mark;
        }
        page.drawn(line);
    }
    std::string axis;
    for (int power = kIntensityFrom; power <= kIntensityTo; power += 2) {
        const size_t at = static_cast<size_t>(10 + (power - kIntensityFrom) * per_step);
        axis.resize(std::max(at, axis.size()), ' ');
        axis += fmt::format("{:g}", std::exp2(power));
    }
    page.drawn(axis);
}

void add_roofline(Page& page, const MachineProfile& profile, const char* operation) {
    int threads = 0;
    uint64_t largest = 0;
    for (const auto& point : profile.bandwidth) {
        threads =
            std::max(threads, std::min(point.threads, std::max(1, profile.facts.cpus_allowed)));
        largest = std::max(largest, point.bytes);
    }
    const auto peak = profile.peak_g_per_s(operation, threads);
    const auto bandwidth = profile.bandwidth_gb_per_s(largest, threads);
    if (!peak || !bandwidth || *peak <= 0 || *bandwidth <= 0) return;
    page.blank();
    page.line(paint(page.style(), Ink::bold,
                    say(page.style(), note("machine_roofline")
                                          .with("unit", "G/s")
                                          .with("operation", operation)
                                          .with("threads", threads))));
    add_chart(page, {*peak, *bandwidth});
}

}  // namespace

std::string render_machine(const MachineProfile& profile, const Style& style) {
    Page page(style);
    page.line(paint(page.style(), Ink::bold, say(style, "machine_title")));
    add_facts(page, profile);
    if (!profile.has_ceilings()) {
        page.note(note("machine_no_ceilings"));
        return page.take();
    }
    add_ceilings(page, profile);
    add_roofline(page, profile, "f32_fma");
    add_roofline(page, profile, "int8_dot");
    return page.take();
}

}  // namespace hone::report
