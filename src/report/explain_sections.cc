#include "report/explain_sections.h"

#include <cmath>

#include "base/text.h"

namespace hone::report {
namespace {

using diagnose::note;
using diagnose::OperatorRow;

constexpr size_t kOperatorRows = 8;
constexpr double kAttributionShareMin = 0.02;
constexpr size_t kAttributionRows = 6;

std::string percent(double share) {
    return fmt::format("{:.1f} %", 100 * share);
}

// Wide pages have room for bars.
bool is_wide(const Page& page) {
    return page.width() >= 100;
}

size_t bar_width(const Page& page) {
    return is_wide(page) ? 24 : 12;
}

std::string unit_shown(std::string_view unit) {
    // Scaled units are in the value itself.
    return unit == "bytes" || unit == "share" ? std::string() : std::string(unit);
}

std::string interval_text(std::string_view unit, const std::optional<measure::Interval>& interval) {
    if (!interval) return "-";
    return "[" + metric_value(unit, interval->low) + ", " + metric_value(unit, interval->high) +
           "]";
}

// The largest parts of a stage, as many as a wide page has room for.
std::string parts_text(const Page& page, const diagnose::Stage& stage) {
    constexpr size_t kOtherColumns = 68;
    std::string out;
    if (!is_wide(page) || stage.parts.size() < 2) return out;
    for (const diagnose::StagePart& part : stage.parts) {
        if (part.share < 0.001) break;
        const std::string next =
            (out.empty() ? "" : ", ") + one_line(part.name) + " " + percent(part.share);
        if (display_width(out) + display_width(next) + kOtherColumns > page.width()) break;
        out += next;
    }
    return out;
}

void add_stages(Page& page, const diagnose::Breakdown& breakdown) {
    const Style& style = page.style();
    Table table({{say(style, "head_stage"), false, true},
                 {say(style, "head_time"), true, false},
                 {say(style, "head_share"), true, false},
                 {"", false, false},
                 {"", false, true}});
    for (const diagnose::Stage& stage : breakdown.stages) {
        const std::string name = say(style, "stage_" + stage.id);
        if (!stage.ns) {
            table.add({name, say(style, "not_available")});
            continue;
        }
        table.add({name, base::format_duration_ns(*stage.ns), percent(stage.share),
                   bar(style, stage.share, bar_width(page)), parts_text(page, stage)});
    }
    page.table(table);
}

std::string roof_text(const Style& style, const OperatorRow& row) {
    const auto share = row.roof_share();
    if (!share) return "-";
    return fmt::format("{:.0f} % {}", 100 * std::min(1.0, *share),
                       say(style, row.light.memory_side() ? "roof_memory" : "roof_compute"));
}

std::string per_call(double total, uint64_t calls) {
    return base::format_duration_ns(total / static_cast<double>(std::max<uint64_t>(1, calls)));
}

std::vector<std::string> operator_cells(const Page& page, const OperatorRow& row) {
    const std::string name = one_line(row.slice + "/" + row.kind);
    const std::string calls = base::format_count(static_cast<double>(row.calls));
    const std::string each = per_call(row.wall_ns, row.calls);
    const std::string flops = base::format_count(row.flops);
    const std::string bytes = base::format_bytes(row.bytes);
    const std::string roof = roof_text(page.style(), row);
    if (!is_wide(page)) return {name, percent(row.share), each, flops, bytes, roof};
    const double waiting = row.barrier_ns + row.dispatch_ns;
    return {name,  percent(row.share),
            calls, each,
            flops, bytes,
            roof,  percent(row.wall_ns > 0 ? waiting / row.wall_ns : 0)};
}

void add_operator_rows(Page& page, const diagnose::Breakdown& breakdown) {
    const Style& style = page.style();
    std::vector<Column> columns = {{say(style, "head_operator"), false, true}};
    // A narrow page leaves out what the names of operators need more.
    for (const char* id : {"head_share", "head_calls", "head_per_call", "head_flops", "head_bytes",
                           "head_roof", "head_waiting"}) {
        const std::string_view name = id;
        if (!is_wide(page) && (name == "head_calls" || name == "head_waiting")) continue;
        columns.push_back({say(style, id), true, false});
    }
    Table table(std::move(columns));
    OperatorRow rest;
    size_t shown = 0;
    for (const OperatorRow& row : breakdown.operators_by_slice) {
        if (shown < kOperatorRows) {
            ++shown;
            table.add(operator_cells(page, row));
            continue;
        }
        rest.share += row.share;
        rest.calls += row.calls;
        rest.wall_ns += row.wall_ns;
    }
    if (rest.calls > 0) {
        std::vector<std::string> cells = {say(style, "others"), percent(rest.share)};
        if (is_wide(page)) cells.push_back(base::format_count(static_cast<double>(rest.calls)));
        cells.push_back(per_call(rest.wall_ns, rest.calls));
        table.add(std::move(cells));
    }
    if (!table.empty()) page.table(table);
}

void add_sequence(Page& page, const diagnose::Breakdown& breakdown) {
    if (breakdown.sequence.empty()) return;
    page.blank();
    const Style& style = page.style();
    Table table({{say(style, "head_sequence"), false, true},
                 {say(style, "head_tokens"), true, false},
                 {say(style, "head_share"), true, false},
                 {say(style, "head_per_token"), true, false}});
    const auto add = [&](const std::string& name, const diagnose::SequenceRow& row) {
        table.add({name, base::format_count(static_cast<double>(row.tokens)), percent(row.share),
                   base::format_duration_ns(row.ns_per_token())});
    };
    for (const diagnose::SequenceRow& row : breakdown.sequence) {
        add(row.slice, row);
        std::vector<diagnose::SequenceRow> buckets;
        for (const diagnose::SequenceRow& bucket : breakdown.sequence_buckets) {
            if (bucket.slice == row.slice) buckets.push_back(bucket);
        }
        if (buckets.size() < 2) continue;
        for (const diagnose::SequenceRow& bucket : buckets) {
            add(say(style, note("from_position").with("position", bucket.position_bucket)), bucket);
        }
    }
    page.table(table);
}

void add_class_bars(Page& page, const std::vector<diagnose::Attribution>& attributions) {
    const Style& style = page.style();
    const auto shares = diagnose::shares_by_class(attributions);
    Table table({{say(style, "head_class"), false, false},
                 {say(style, "head_share"), true, false},
                 {"", false, false}});
    std::vector<size_t> order;
    for (size_t i = 0; i < shares.size(); ++i) {
        if (shares[i] >= 0.0005) order.push_back(i);
    }
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return shares[a] > shares[b]; });
    for (const size_t i : order) {
        table.add({say(style, diagnose::bottleneck_name(static_cast<diagnose::Bottleneck>(i))),
                   percent(shares[i]), bar(style, shares[i], bar_width(page))});
    }
    if (!table.empty()) page.table(table);
}

}  // namespace

std::string metric_value(std::string_view unit, double value) {
    if (!std::isfinite(value)) return "+inf";
    if (unit == "bytes") return base::format_bytes(value);
    if (unit == "bytes/token") return fmt::format("{:.0f}", value);
    if (unit == "share") return percent(value);
    if (std::fabs(value) >= 1e4) return fmt::format("{:.0f}", value);
    // Four digits, zeros among them, so that a value and its interval look alike.
    std::string text = fmt::format("{:#.4g}", value);
    if (text.back() == '.') text.pop_back();
    return text;
}

void add_metric_table(Page& page, const std::vector<diagnose::MetricSummary>& metrics) {
    const Style& style = page.style();
    bool percentiles = false;
    for (const auto& metric : metrics) percentiles = percentiles || metric.p95;
    std::vector<Column> columns = {{say(style, "head_metric"), false, true},
                                   {say(style, "head_median"), true, false},
                                   {say(style, "head_interval"), true, false}};
    if (percentiles) columns.push_back({say(style, "head_p95"), true, false});
    columns.push_back({say(style, "head_n"), true, false});
    columns.push_back({say(style, "head_unit"), false, false});
    Table table(std::move(columns));
    for (const auto& metric : metrics) {
        if (!metric.median) continue;
        std::vector<std::string> cells = {metric.name, metric_value(metric.unit, *metric.median),
                                          interval_text(metric.unit, metric.ci95)};
        if (percentiles) {
            cells.push_back(metric.p95 ? metric_value(metric.unit, *metric.p95) : "-");
        }
        cells.push_back(fmt::format("{}", metric.n));
        cells.push_back(unit_shown(metric.unit));
        table.add(std::move(cells));
    }
    if (table.empty()) {
        page.line("  " + say(style, "bench_empty"));
    } else {
        page.table(table);
    }
}

void add_decomposition(Page& page, const diagnose::Breakdown& breakdown) {
    page.section("section_decomposition");
    add_stages(page, breakdown);
    page.blank();
    add_operator_rows(page, breakdown);
    add_sequence(page, breakdown);
    if (breakdown.unattributed_share) {
        page.note(note("unattributed_line").with("steps_share", *breakdown.unattributed_share));
    } else {
        page.note(note("unattributed_unknown"));
    }
}

void add_attribution(Page& page, const std::vector<diagnose::Attribution>& attributions) {
    page.section("section_attribution");
    const Style& style = page.style();
    add_class_bars(page, attributions);
    page.blank();
    size_t shown = 0;
    double rest = 0;
    for (const diagnose::Attribution& item : attributions) {
        if (shown >= kAttributionRows || item.time_share < kAttributionShareMin) {
            rest += item.time_share;
            continue;
        }
        ++shown;
        page.note(note("attribution_line")
                      .with("wall_share", item.time_share)
                      .with("subject", item.subject)
                      .with("class", paint(style, Ink::bold,
                                           say(style, diagnose::bottleneck_name(item.bottleneck))))
                      .with("confidence", fmt::format("{:.2f}", item.confidence)));
        for (const diagnose::Note& line : item.evidence) page.note(line, 6);
    }
    if (shown < attributions.size()) {
        page.note(note("attribution_rest")
                      .with("wall_share", rest)
                      .with("count", attributions.size() - shown));
    }
}

void add_experiments(Page& page, const diagnose::ExperimentPlan& plan) {
    if (plan.requests.empty()) return;
    page.section("section_experiments");
    size_t passes = 0;
    for (const diagnose::ExperimentRequest& request : plan.requests) {
        if (request.name == "pass_ablation") {
            ++passes;
        } else {
            page.note(request.reason);
        }
    }
    if (passes > 0) page.note(note("ask_pass_ablations").with("count", passes));
}

}  // namespace hone::report
