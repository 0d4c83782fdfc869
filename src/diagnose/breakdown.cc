#include "diagnose/breakdown.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "measure/statistics.h"

namespace hone::diagnose {
namespace {

using measure::OperatorSample;
using measure::RequestSample;
using measure::RunRecord;

constexpr std::array<const char*, 7> kStages = {
    "load", "network", "queue", "pre_processing", "forward", "post_processing", "unattributed"};

// Which stage of the catalogue a span of the record belongs to; unknown names stay unattributed,
// under their own name.
std::string_view stage_of(std::string_view span) {
    constexpr std::pair<std::string_view, std::string_view> kSpans[] = {
        {"network", "network"},         {"queue", "queue"},
        {"template", "pre_processing"}, {"tokenize", "pre_processing"},
        {"encode", "pre_processing"},   {"pre_processing", "pre_processing"},
        {"prefill", "forward"},         {"decode", "forward"},
        {"forward", "forward"},         {"sample", "forward"},
        {"sampling", "forward"},        {"detokenize", "post_processing"},
        {"format", "post_processing"},  {"post_processing", "post_processing"},
        {"stream", "post_processing"},
    };
    for (const auto& [name, stage] : kSpans) {
        if (name == span) return stage;
    }
    return "unattributed";
}

void add_part(Stage& stage, const std::string& name, double ns) {
    stage.ns = stage.ns.value_or(0) + ns;
    for (StagePart& part : stage.parts) {
        if (part.name != name) continue;
        part.ns += ns;
        return;
    }
    stage.parts.push_back({name, ns, 0});
}

Stage& stage_in(std::vector<Stage>& stages, std::string_view id) {
    for (Stage& stage : stages) {
        if (stage.id == id) return stage;
    }
    stages.push_back({std::string(id), {}, 0, {}});
    return stages.back();
}

void add_request(std::vector<Stage>& stages, const RequestSample& request) {
    if (!std::isfinite(request.total_ns)) return;
    double known = 0;
    for (const auto& [name, ns] : request.stage_ns) {
        if (!std::isfinite(ns) || ns < 0) continue;
        add_part(stage_in(stages, stage_of(name)), name, ns);
        known += ns;
    }
    // Spans that overlap may sum to more than the request: then nothing is left over.
    Stage& rest = stage_in(stages, "unattributed");
    rest.ns = rest.ns.value_or(0) + std::max(0.0, request.total_ns - known);
}

void add_stages(const RunRecord& record, Breakdown& out) {
    for (const char* id : kStages) out.stages.push_back({id, {}, 0, {}});
    for (const auto& [name, ms] : record.load_stage_ms) {
        if (std::isfinite(ms) && ms >= 0) add_part(out.stages[0], name, ms * 1e6);
    }
    for (const RequestSample& request : record.requests) add_request(out.stages, request);
    if (record.requests.empty() && record.forward_wall_ns > 0) {
        add_part(stage_in(out.stages, "forward"), "steps", record.forward_wall_ns);
    }
    for (const Stage& stage : out.stages) out.wall_ns += stage.ns.value_or(0);
    if (out.wall_ns <= 0) return;
    for (Stage& stage : out.stages) {
        stage.share = stage.ns.value_or(0) / out.wall_ns;
        for (StagePart& part : stage.parts) part.share = part.ns / out.wall_ns;
        std::stable_sort(stage.parts.begin(), stage.parts.end(),
                         [](const StagePart& a, const StagePart& b) { return a.ns > b.ns; });
    }
    for (const StagePart& part : stage_in(out.stages, "forward").parts) {
        if (part.name != "sample" && part.name != "sampling") out.forward_ns += part.ns;
    }
}

void add_sample(OperatorRow& row, const RunRecord& record, const OperatorSample& sample) {
    const bool first = row.calls == 0;
    const cost::LightTime light = cost::sample_light(record, sample);
    row.calls += sample.calls;
    row.tokens += sample.tokens;
    row.wall_ns += cost::sample_wall_ns(sample);
    row.compute_ns += sample.compute_ns;
    row.compute_mean_ns += sample.compute_mean_ns;
    row.barrier_ns += sample.barrier_ns;
    row.dispatch_ns += sample.dispatch_ns;
    row.flops += sample.flops;
    row.bytes += sample.bytes;
    if (first) {
        row.light = light;
    } else {
        row.light += light;
    }
}

using RowMap = std::map<std::string, OperatorRow>;

std::vector<OperatorRow> sorted_rows(RowMap map, double steps_ns) {
    std::vector<OperatorRow> rows;
    for (auto& [key, row] : map) {
        row.share = steps_ns > 0 ? row.wall_ns / steps_ns : 0;
        rows.push_back(std::move(row));
    }
    std::stable_sort(rows.begin(), rows.end(), [](const OperatorRow& a, const OperatorRow& b) {
        return a.wall_ns > b.wall_ns;
    });
    return rows;
}

// The variant that took the longest names the group.
struct VariantTimes {
    std::map<std::string, std::map<std::string, double>> ns;
    void add(const std::string& key, const std::string& variant, double wall) {
        ns[key][variant] += wall;
    }
    void name(RowMap& rows) const {
        for (auto& [key, row] : rows) {
            double longest = -1;
            for (const auto& [variant, wall] : ns.at(key)) {
                if (wall > longest) row.variant = variant;
                longest = std::max(longest, wall);
            }
        }
    }
};

void add_operators(const RunRecord& record, Breakdown& out) {
    RowMap kinds;
    RowMap slices;
    RowMap nodes;
    VariantTimes kind_variants;
    VariantTimes slice_variants;
    for (const OperatorSample& sample : record.operators) {
        const measure::PlanNodeFacts* node = cost::node_of(record, sample.node);
        if (sample.calls == 0) continue;
        const std::string kind = node == nullptr ? "unknown" : node->kind;
        const std::string variant = node == nullptr ? "" : node->variant;
        const double wall = cost::sample_wall_ns(sample);
        OperatorRow& by_kind = kinds[kind];
        by_kind.kind = kind;
        add_sample(by_kind, record, sample);
        kind_variants.add(kind, variant, wall);
        const std::string slice_key = sample.slice + "/" + kind;
        OperatorRow& by_slice = slices[slice_key];
        by_slice.kind = kind;
        by_slice.slice = sample.slice;
        add_sample(by_slice, record, sample);
        slice_variants.add(slice_key, variant, wall);
        OperatorRow& by_node = nodes[fmt::format("{:010}", sample.node)];
        by_node.kind = kind;
        by_node.name = node == nullptr ? fmt::format("node {}", sample.node) : node->name;
        by_node.variant = variant;
        add_sample(by_node, record, sample);
    }
    kind_variants.name(kinds);
    slice_variants.name(slices);
    out.operators = sorted_rows(std::move(kinds), out.steps_ns);
    out.operators_by_slice = sorted_rows(std::move(slices), out.steps_ns);
    out.nodes = sorted_rows(std::move(nodes), out.steps_ns);
}

// A step's tokens are seen by every node; the first node of the plan counts them once.
void add_sequence(const RunRecord& record, Breakdown& out) {
    std::map<std::string, SequenceRow> totals;
    std::map<std::pair<std::string, uint32_t>, SequenceRow> buckets;
    std::map<std::pair<std::string, uint32_t>, uint64_t> tokens;
    for (const OperatorSample& sample : record.operators) {
        const auto key = std::pair{sample.slice, sample.position_bucket};
        SequenceRow& row = buckets[key];
        row.slice = sample.slice;
        row.position_bucket = sample.position_bucket;
        row.wall_ns += cost::sample_wall_ns(sample);
        tokens[key] = std::max(tokens[key], sample.tokens);
    }
    for (auto& [key, row] : buckets) {
        row.tokens = tokens[key];
        row.share = out.steps_ns > 0 ? row.wall_ns / out.steps_ns : 0;
        SequenceRow& total = totals[row.slice];
        total.slice = row.slice;
        total.tokens += row.tokens;
        total.wall_ns += row.wall_ns;
        total.share += row.share;
        out.sequence_buckets.push_back(row);
    }
    for (const char* slice : {"prefill", "mixed", "decode"}) {
        const auto found = totals.find(slice);
        if (found != totals.end()) out.sequence.push_back(found->second);
    }
}

// How much longer the cold requests took than the median warm one.
double cold_excess(const RunRecord& record) {
    std::vector<double> warm;
    for (const RequestSample& request : record.requests) {
        if (request.phase == "warm" && std::isfinite(request.total_ns)) {
            warm.push_back(request.total_ns);
        }
    }
    const auto usual = measure::median(warm);
    if (!usual) return 0;
    double excess = 0;
    for (const RequestSample& request : record.requests) {
        if (request.phase != "cold" || !std::isfinite(request.total_ns)) continue;
        excess += std::max(0.0, request.total_ns - *usual);
    }
    return excess;
}

}  // namespace

std::optional<double> OperatorRow::roof_share() const {
    const auto bound = light.bound_ns();
    if (!bound || wall_ns <= 0) return std::nullopt;
    return *bound / wall_ns;
}

const Stage* Breakdown::stage(std::string_view id) const {
    for (const Stage& candidate : stages) {
        if (candidate.id == id) return &candidate;
    }
    return nullptr;
}

Breakdown break_down(const RunRecord& record) {
    Breakdown out;
    add_stages(record, out);
    double operators_ns = 0;
    for (const OperatorSample& sample : record.operators) {
        if (sample.calls > 0) operators_ns += cost::sample_wall_ns(sample);
    }
    // Operators may overlap the step's own clock by its resolution: never more than the whole.
    out.steps_ns = std::max(record.forward_wall_ns, operators_ns);
    add_operators(record, out);
    add_sequence(record, out);
    if (!record.operators.empty() && record.forward_wall_ns > 0) {
        out.unattributed_share = std::max(0.0, 1 - operators_ns / out.steps_ns);
    }
    out.cold_excess_ns = std::min(cold_excess(record), out.forward_ns);
    return out;
}

}  // namespace hone::diagnose
