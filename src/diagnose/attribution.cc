#include "diagnose/attribution.h"

#include <algorithm>
#include <cmath>

#include "cost/predict.h"
#include "diagnose/cold_start.h"
#include "diagnose/disturbance.h"
#include "diagnose/operator_class.h"
#include "diagnose/waste.h"

namespace hone::diagnose {
namespace {

using cost::note;
using measure::RunRecord;

// Less waiting for storage than this is not worth a line.
constexpr double kIoShareMin = 0.05;

struct Shares {
    const RunRecord& record;
    const Breakdown& breakdown;
    double forward = 0;   // of wall, to be split over the operators
    double steps_ns = 0;  // what the forward share stands for
    std::vector<Attribution> out{};
    // What findings over whole steps leave to the operators.
    double prefill_left = 1;
    double decode_left = 1;
};

void push(Shares& shares, std::string subject, Bottleneck bottleneck, double confidence,
          double share, std::vector<cost::Note> evidence) {
    if (!(share > 0)) return;
    Attribution item;
    item.subject = std::move(subject);
    item.bottleneck = bottleneck;
    item.confidence = confidence;
    item.time_share = share;
    item.evidence = std::move(evidence);
    shares.out.push_back(std::move(item));
}

double stage_share(const Breakdown& breakdown, std::string_view id) {
    const Stage* stage = breakdown.stage(id);
    return stage == nullptr ? 0 : stage->share;
}

// I/O when pages did come from storage: the part that would have gone with the file in memory, as
// far as an experiment says, else all of it.
void attribute_cold(Shares& shares, const char* subject, double took_ns, double share,
                    std::vector<cost::Note> evidence) {
    const ColdStart start = find_cold_start(shares.record, subject, took_ns);
    evidence.insert(evidence.end(), start.evidence.begin(), start.evidence.end());
    double io_share = start.from_storage ? 1 : 0;
    if (start.left) io_share *= 1 - start.left->value;
    if (io_share < kIoShareMin) io_share = 0;
    const double sure = start.left ? 0.9 : start.from_storage ? 0.7 : 0.6;
    push(shares, subject, Bottleneck::startup_overhead, sure, share * (1 - io_share), evidence);
    push(shares, subject, Bottleneck::io, sure, share * io_share, std::move(evidence));
}

void attribute_load(Shares& shares) {
    const Stage* load = shares.breakdown.stage("load");
    if (load == nullptr || !load->ns) return;
    std::vector<cost::Note> evidence;
    if (!load->parts.empty()) {
        evidence.push_back(note("load_part")
                               .with("part", load->parts[0].name)
                               .with("part_ns", load->parts[0].ns)
                               .with("load_ns", *load->ns));
    }
    attribute_cold(shares, "load", *load->ns, load->share, std::move(evidence));
}

// Stages outside the graph have no roof: their time is stated, not explained.
void attribute_stages(Shares& shares) {
    for (const char* id : {"network", "queue", "pre_processing", "post_processing"}) {
        push(shares, id, Bottleneck::unexplained, 0, stage_share(shares.breakdown, id),
             {note("stage_without_roof").with("stage", id)});
    }
    const Stage* forward = shares.breakdown.stage("forward");
    double sampling = 0;
    if (forward != nullptr) {
        for (const StagePart& part : forward->parts) {
            if (part.name == "sample" || part.name == "sampling") sampling += part.share;
        }
    }
    push(shares, "sampling", Bottleneck::unexplained, 0, sampling,
         {note("stage_without_roof").with("stage", "sampling")});
    shares.forward = std::max(0.0, stage_share(shares.breakdown, "forward") - sampling);
}

void attribute_first_runs(Shares& shares) {
    const double wall = shares.breakdown.wall_ns;
    if (wall <= 0) return;
    const double excess = std::min(shares.forward, shares.breakdown.cold_excess_ns / wall);
    if (excess <= 0) return;
    shares.forward -= excess;
    const double excess_ns = shares.breakdown.cold_excess_ns;
    attribute_cold(shares, "first_run", excess_ns, excess,
                   {note("cold_excess").with("excess_ns", excess_ns)});
}

double to_wall(const Shares& shares, double ns) {
    return shares.steps_ns > 0 ? ns / shares.steps_ns * shares.forward : 0;
}

// Time of work that need not be done, taken out of the operators that do it.
struct Redundant {
    uint32_t node = 0;
    std::string kind;  // "" = nothing is
    double prefill_ns = 0;
};

Redundant attribute_redundancy(Shares& shares) {
    Redundant redundant;
    const auto head = cost::find_wasted_head(shares.record);
    if (!head) return redundant;
    const auto* node = cost::node_of(shares.record, head->node);
    redundant.node = head->node;
    redundant.kind = node->kind;
    redundant.prefill_ns = head->wasted_ns;
    push(shares, "prefill/" + node->name, Bottleneck::structural_redundancy, 0.95,
         to_wall(shares, head->wasted_ns),
         {note("wasted_logits")
              .with("node", node->name)
              .with("rows_x", head->rows_per_call)
              .with("wasted_ns", head->wasted_ns)});
    return redundant;
}

bool is_constant_kind(const std::string& kind) {
    return kind == cost::op_kind_name(cost::OpKind::rope_table) ||
           kind == cost::op_kind_name(cost::OpKind::scale);
}

// The row as its other nodes make it, so that the waste of one is not blamed on all.
OperatorRow row_without(const RunRecord& record, const OperatorRow& row, uint32_t node) {
    RunRecord rest = record;
    std::erase_if(rest.operators, [&](const measure::OperatorSample& sample) {
        return sample.node == node && sample.slice == row.slice;
    });
    for (OperatorRow& other : break_down(rest).operators_by_slice) {
        if (other.kind == row.kind && other.slice == row.slice) return std::move(other);
    }
    return row;
}

// The row's own time: without the rows of the head that nobody reads.
double needed_ns(const OperatorRow& row, const Redundant& redundant) {
    const bool wasteful = row.slice == "prefill" && row.kind == redundant.kind;
    return row.wall_ns - (wasteful ? redundant.prefill_ns : 0);
}

// Findings over whole steps take their part of every operator, each of what the earlier ones left,
// so that overlapping ones never claim more than there is.
void attribute_waste(Shares& shares, const Redundant& redundant, const Waste& traffic) {
    double prefill_ns = 0;
    double decode_ns = 0;
    for (const OperatorRow& row : shares.breakdown.operators_by_slice) {
        if (is_constant_kind(row.kind)) continue;
        (row.slice == "decode" ? decode_ns : prefill_ns) += needed_ns(row, redundant);
    }
    std::vector<Waste> all = find_waste(shares.record, shares.breakdown);
    if (!traffic.subject.empty()) all.insert(all.begin(), traffic);
    for (Waste& waste : all) {
        const double ns = prefill_ns * shares.prefill_left * waste.prefill_share +
                          decode_ns * shares.decode_left * waste.decode_share;
        shares.prefill_left *= 1 - waste.prefill_share;
        shares.decode_left *= 1 - waste.decode_share;
        push(shares, std::move(waste.subject), waste.bottleneck, waste.confidence,
             to_wall(shares, ns), std::move(waste.evidence));
    }
}

void attribute_operators(Shares& shares, const Redundant& redundant) {
    for (const OperatorRow& row : shares.breakdown.operators_by_slice) {
        const std::string subject = row.slice + "/" + row.kind;
        if (is_constant_kind(row.kind)) {
            push(shares, subject, Bottleneck::structural_redundancy, 0.95,
                 to_wall(shares, row.wall_ns),
                 {note("constant_recomputed")
                      .with("kind", row.kind)
                      .with("calls", static_cast<int64_t>(row.calls))});
            continue;
        }
        const bool wasteful = row.slice == "prefill" && row.kind == redundant.kind;
        const double left = row.slice == "decode" ? shares.decode_left : shares.prefill_left;
        const double ns = needed_ns(row, redundant) * left;
        OperatorClass found = classify_operator(
            shares.record, wasteful ? row_without(shares.record, row, redundant.node) : row);
        const size_t before = shares.out.size();
        push(shares, subject, found.bottleneck, found.confidence, to_wall(shares, ns),
             std::move(found.evidence));
        if (shares.out.size() == before) continue;
        shares.out.back().kind = row.kind;
        shares.out.back().slice = row.slice;
    }
}

// What nobody claimed: gaps in requests, and in steps between the operators.
void attribute_rest(Shares& shares) {
    double operators_ns = 0;
    for (const OperatorRow& row : shares.breakdown.operators_by_slice) operators_ns += row.wall_ns;
    const double steps =
        shares.steps_ns > 0 ? shares.forward - to_wall(shares, operators_ns) : shares.forward;
    const double requests = stage_share(shares.breakdown, "unattributed");
    push(shares, "unattributed", Bottleneck::unexplained, 0, std::max(0.0, steps) + requests,
         {note("unattributed")
              .with("steps_share", std::max(0.0, steps))
              .with("requests_share", requests)});
}

// A disturbed machine takes its part of everything: all other shares shrink.
void attribute_interference(Shares& shares, Disturbance& found) {
    if (found.lost_share <= 0 || shares.out.empty()) return;
    for (Attribution& item : shares.out) item.time_share *= 1 - found.lost_share;
    push(shares, "machine", Bottleneck::interference, 0.9, found.lost_share,
         std::move(found.evidence));
}

}  // namespace

const char* bottleneck_name(Bottleneck bottleneck) {
    switch (bottleneck) {
        case Bottleneck::compute_bound:
            return "compute_bound";
        case Bottleneck::memory_bandwidth:
            return "memory_bandwidth";
        case Bottleneck::io:
            return "io";
        case Bottleneck::startup_overhead:
            return "startup_overhead";
        case Bottleneck::structural_redundancy:
            return "structural_redundancy";
        case Bottleneck::kernel_inefficiency:
            return "kernel_inefficiency";
        case Bottleneck::interference:
            return "interference";
        case Bottleneck::unexplained:
            return "unexplained";
    }
    return "unexplained";
}

std::vector<Attribution> attribute(const RunRecord& record, const Breakdown& breakdown,
                                   const MeasurementGrade& grade) {
    Shares shares{record, breakdown, 0, breakdown.steps_ns};
    attribute_load(shares);
    attribute_stages(shares);
    attribute_first_runs(shares);
    const Redundant redundant = attribute_redundancy(shares);
    Disturbance disturbance = find_disturbance(record, breakdown);
    attribute_waste(shares, redundant, disturbance.traffic);
    attribute_operators(shares, redundant);
    attribute_rest(shares);
    attribute_interference(shares, disturbance);
    for (Attribution& item : shares.out) {
        // That the machine was disturbed is surer, not less sure, in a disturbed measurement.
        if (item.bottleneck != Bottleneck::interference) {
            item.confidence *= grade.confidence_factor();
        }
    }
    std::stable_sort(
        shares.out.begin(), shares.out.end(),
        [](const Attribution& a, const Attribution& b) { return a.time_share > b.time_share; });
    return std::move(shares.out);
}

std::vector<double> shares_by_class(const std::vector<Attribution>& attributions) {
    std::vector<double> shares(kBottleneckCount, 0.0);
    for (const Attribution& item : attributions) {
        shares[static_cast<size_t>(item.bottleneck)] += item.time_share;
    }
    return shares;
}

}  // namespace hone::diagnose
