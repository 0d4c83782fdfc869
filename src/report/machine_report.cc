#include "report/machine_report.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "report/machine_roofline.h"
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

std::string clock_text(const Style& style, const machine::ClockRate& clock) {
    return say(style, note("clock_value")
                          .with("ghz", clock.ghz)
                          .with("low", clock.ghz_min)
                          .with("high", clock.ghz_max)
                          .with("drift_share", clock.drift_share));
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
    if (profile.clock) add("fact_clock", clock_text(style, *profile.clock));
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

std::string number(double value) {
    return fmt::format("{:.4g}", value);
}

// What each level of the memory hierarchy gives, by the way it is used.
void add_plateaus(Page& page, const MachineProfile& profile) {
    const Style& style = page.style();
    constexpr const char* kOperations[] = {"read", "write", "copy", "write_streaming",
                                           "copy_streaming"};
    std::vector<Column> columns = {{say(style, "head_level"), false, true},
                                   {say(style, "head_threads_short"), true, false}};
    for (const char* operation : kOperations) {
        columns.push_back({say(style, std::string("head_") + operation), true, false});
    }
    Table table(std::move(columns));
    std::set<int> teams;
    std::vector<uint64_t> sizes;
    for (const auto& point : profile.bandwidth) {
        if (point.operation != "read") teams.insert(point.threads);
        sizes.push_back(point.bytes);
    }
    for (const int threads : teams) {
        for (const auto& plateau : machine::memory_plateaus(profile.facts, threads, sizes)) {
            std::vector<std::string> line = {
                plateau.level + ", " + base::format_bytes(static_cast<double>(plateau.bytes)),
                fmt::format("{}", threads)};
            for (const char* operation : kOperations) {
                const auto rate = profile.bandwidth_gb_per_s(plateau.bytes, threads, operation);
                line.push_back(rate ? number(*rate) : "-");
            }
            table.add(std::move(line));
        }
    }
    if (table.empty()) return;
    page.section("machine_memory");
    page.table(table);
    page.note(note("machine_memory_note"));
}

// The best kernel of each format, for the largest team; smaller levels are in the JSON.
void add_products(Page& page, const MachineProfile& profile) {
    int threads = 0;
    std::set<uint32_t> batches;
    for (const auto& point : profile.gemms) {
        threads = std::max(threads, point.threads);
        batches.insert(point.m);
    }
    if (batches.empty()) return;
    const Style& style = page.style();
    std::map<std::string, std::map<uint32_t, const machine::GemmPoint*>> rows;
    for (const auto& point : profile.gemms) {
        if (point.threads != threads) continue;
        const auto*& best = rows[point.format + " x " + point.activation][point.m];
        if (best == nullptr || point.ns < best->ns) best = &point;
    }
    std::vector<Column> columns = {{say(style, "head_product"), false, true}};
    for (const uint32_t m : batches) columns.push_back({fmt::format("m = {}", m), true, false});
    columns.push_back({say(style, "head_weights_rate"), true, false});
    columns.push_back({say(style, "head_kernel"), false, true});
    Table table(std::move(columns));
    for (const auto& [name, cells] : rows) {
        std::vector<std::string> line = {name};
        for (const uint32_t m : batches) {
            const auto found = cells.find(m);
            line.push_back(found == cells.end() ? "-" : number(found->second->g_per_s()));
        }
        const machine::GemmPoint& first = *cells.begin()->second;
        line.push_back(number(static_cast<double>(first.weight_bytes) / first.ns));
        line.push_back(cells.rbegin()->second->isa);
        table.add(std::move(line));
    }
    const machine::GemmPoint& any = profile.gemms.front();
    page.blank();
    page.line(paint(style, Ink::bold,
                    say(style, note("machine_products")
                                   .with("rows", any.rows)
                                   .with("columns", any.columns)
                                   .with("threads", threads))));
    page.table(table);
}

void add_latencies(Page& page, const MachineProfile& profile) {
    if (profile.latencies.empty()) return;
    const Style& style = page.style();
    std::set<int> readers;
    std::map<uint64_t, std::map<int, double>> rows;
    for (const auto& point : profile.latencies) {
        readers.insert(point.readers);
        rows[point.bytes][point.readers] = point.ns;
    }
    std::vector<Column> columns = {{say(style, "head_set"), false, true}};
    for (const int count : readers) {
        columns.push_back({count == 0 ? say(style, "head_idle")
                                      : say(style, note("head_loaded").with("readers", count)),
                           true, false});
    }
    Table table(std::move(columns));
    for (const auto& [bytes, cells] : rows) {
        std::vector<std::string> line = {base::format_bytes(static_cast<double>(bytes))};
        for (const int count : readers) {
            const auto found = cells.find(count);
            line.push_back(found == cells.end() ? "-" : base::format_duration_ns(found->second));
        }
        table.add(std::move(line));
    }
    page.section("machine_latency");
    page.table(table);
}

void add_files(Page& page, const MachineProfile& profile) {
    if (profile.files.empty()) return;
    const Style& style = page.style();
    Table table({{say(style, "head_file"), false, true}, {"GB/s", true, false}});
    for (const auto& point : profile.files) {
        table.add({say(style, "file_" + point.how) + ", " +
                       say(style, point.cold ? "file_cold" : "file_warm"),
                   number(point.gb_per_s)});
    }
    page.section("machine_files");
    page.table(table);
}

void add_roofs(Page& page, const MachineProfile& profile) {
    const Style& style = page.style();
    std::map<uint64_t, std::map<int, double>> bandwidth;
    for (const auto& point : profile.bandwidth) {
        if (point.operation == "read") bandwidth[point.bytes][point.threads] = point.gb_per_s;
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
}

void add_overheads(Page& page, const MachineProfile& profile) {
    if (profile.overheads.empty()) return;
    const Style& style = page.style();
    page.section("machine_overheads");
    Table table({{"", false, true}, {"", false, false}, {"", true, false}});
    for (const auto& point : profile.overheads) {
        table.add(
            {point.what, threads_title(style, point.threads), base::format_duration_ns(point.ns)});
    }
    page.table(table);
}

void add_left_out(Page& page, const MachineProfile& profile) {
    if (profile.left_out.empty()) return;
    page.blank();
    for (const machine::LeftOut& item : profile.left_out) {
        page.note(note("machine_left_out")
                      .with("what", item.what)
                      .with("reason", say(page.style(), "left_out_" + item.reason)));
    }
}

}  // namespace

std::string render_machine(const MachineProfile& profile, const Style& style) {
    Page page(style);
    page.line(paint(page.style(), Ink::bold, say(style, "machine_title")));
    add_facts(page, profile);
    if (!profile.has_ceilings()) {
        page.note(note("machine_no_ceilings"));
        add_left_out(page, profile);
        return page.take();
    }
    add_plateaus(page, profile);
    add_roofs(page, profile);
    add_products(page, profile);
    add_latencies(page, profile);
    add_overheads(page, profile);
    add_files(page, profile);
    draw_roofline(page, roofline_of(profile));
    add_left_out(page, profile);
    return page.take();
}

}  // namespace hone::report
