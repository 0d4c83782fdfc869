#include "cost/step_model.h"

#include <algorithm>
#include <map>

#include "cost/kernel_curve.h"
#include "machine/isa.h"

namespace hone::cost {
namespace {

using measure::OperatorSample;
using measure::RunRecord;

// Steps of more tokens than this wait at their barriers as prompt steps do.
constexpr double kDecodeTokensMax = 8;
// A part below this share of a step does not decide how sure the step is.
constexpr double kTierShareMin = 0.05;
// Of waiting for another number of threads, relative: threads of a step do not end together as
// those of an empty walk do.
constexpr double kErrorOverhead = 0.5;

const char* family_of(OpKind kind) {
    if (is_linear(kind)) return "linear";
    return kind == OpKind::attend ? "attention" : "rows";
}

bool same_shape(const NodeDesc& a, const NodeDesc& b) {
    return a.kind == b.kind && a.arithmetic == b.arithmetic && a.rows == b.rows &&
           a.columns == b.columns && a.weight_bytes == b.weight_bytes && a.format == b.format &&
           a.per_output == b.per_output && a.n_heads == b.n_heads && a.window == b.window &&
           (a.layer < 0) == (b.layer < 0);
}

struct Overheads {
    double ns = 0;
    double calls = 0;
    double mean() const { return calls > 0 ? ns / calls : 0; }
};
struct NodeOverheads {
    Overheads prefill;
    Overheads decode;
};

std::map<uint32_t, NodeOverheads> overheads_of(const RunRecord& record) {
    std::map<uint32_t, NodeOverheads> out;
    for (const OperatorSample& sample : record.operators) {
        if (sample.calls == 0) continue;
        const auto calls = static_cast<double>(sample.calls);
        const bool decode = static_cast<double>(sample.tokens) <= kDecodeTokensMax * calls;
        NodeOverheads& node = out[sample.node];
        Overheads& sum = decode ? node.decode : node.prefill;
        sum.ns += sample.barrier_ns + sample.dispatch_ns;
        sum.calls += calls;
    }
    return out;
}

}  // namespace

StepTime& StepTime::operator+=(const StepTime& other) {
    ns += other.ns;
    for (size_t kind = 0; kind < spread_ns.size(); ++kind) {
        spread_ns[kind] += other.spread_ns[kind];
    }
    tier = std::min(tier, other.tier);
    return *this;
}

StepTime StepTime::times(double count) const {
    StepTime out = *this;
    out.ns *= count;
    for (double& spread : out.spread_ns) spread *= count;
    return out;
}

std::optional<StepModel> StepModel::of(const RunRecord& record, std::span<const RunRecord> others,
                                       Note& reason) {
    if (record.operators.empty()) {
        reason = note("no_operator_samples");
        return std::nullopt;
    }
    StepModel model;
    model.record_ = &record;
    model.utilization_ = UtilizationModel::learn(record, others);
    if (model.utilization_.empty()) {
        reason = note("no_ceilings");
        return std::nullopt;
    }
    const auto overheads = overheads_of(record);
    for (const measure::PlanNodeFacts& node : record.nodes) {
        const auto found = overheads.find(node.index);
        if (found == overheads.end()) continue;  // folded, or never run
        const auto desc = desc_of(node);
        if (!desc) {
            reason = note("no_node_shapes");
            return std::nullopt;
        }
        auto group = std::find_if(model.groups_.begin(), model.groups_.end(), [&](const Group& g) {
            return g.facts.variant == node.variant && same_shape(g.desc, *desc);
        });
        if (group == model.groups_.end()) {
            model.groups_.push_back({*desc, node, 0, 0, 0});
            group = model.groups_.end() - 1;
        }
        const NodeOverheads& own = found->second;
        group->count += 1;
        // A kind of step that was never seen waits as the other does.
        group->prefill_overhead_ns +=
            own.prefill.calls > 0 ? own.prefill.mean() : own.decode.mean();
        group->decode_overhead_ns += own.decode.calls > 0 ? own.decode.mean() : own.prefill.mean();
    }
    return model;
}

// The level that the planner would choose: the best one up to the limit that has such a kernel.
std::string StepModel::level_after(const Group& group, const StepChange& change) const {
    const std::string own = parse_variant(group.facts.variant).isa;
    if (change.isa.empty()) return own;
    if (!change.isa_family.empty() && change.isa_family != family_of(group.desc.kind)) return own;
    KernelQuery kernel;
    kernel.format = change.format.empty() ? group.desc.format : change.format;
    kernel.int8 = linear_arithmetic(*record_, kernel.format) == Arithmetic::int8;
    kernel.threads = std::max(1, record_->context.threads);
    if (is_linear(group.desc.kind)) {
        return best_kernel_level(record_->machine, kernel, change.isa).value_or(change.isa);
    }
    // Row and attention kernels end at avx512.
    const auto level = machine::parse_isa(change.isa);
    if (!level || *level <= machine::Isa::avx512) return change.isa;
    return machine::isa_name(machine::Isa::avx512);
}

std::optional<StepModel::Part> StepModel::compute(const Group& group, const StepShape& shape,
                                                  const StepChange& change) const {
    NodeDesc desc = group.desc;
    const double rows = static_cast<double>(desc.per_output ? shape.outputs : shape.tokens);
    if (rows <= 0) return Part{};
    const bool linear = is_linear(desc.kind);
    UtilizationQuery query;
    query.of = utilization_class(group.facts);
    query.of.isa = level_after(group, change);
    query.rows = rows;
    const bool alone = done_by_every_thread(desc.kind, static_cast<double>(shape.tokens));
    query.threads = alone ? 0 : change.threads;
    const double visible =
        static_cast<double>(shape.attended_pairs) / static_cast<double>(shape.tokens);
    query.size = work_per_row(desc, visible);
    const bool head = desc.kind == OpKind::linear && desc.layer < 0;
    const std::string& format =
        head && !change.head_format.empty() ? change.head_format : change.format;
    if (linear && !format.empty()) {
        const auto own = format_bytes_per_weight(desc.format);
        const auto target = format_bytes_per_weight(format);
        if (own && target && *target < *own) {
            desc.weight_bytes =
                static_cast<uint64_t>(static_cast<double>(desc.weight_bytes) * *target / *own);
            desc.format = query.of.format = format;
            // Floats in an integer format are computed in integers from then on.
            desc.arithmetic = linear_arithmetic(*record_, format);
            const bool integers = is_integer_format(format);
            if (integers && desc.arithmetic == Arithmetic::f32) query.of.format += "/f32";
        }
    }
    if (change.kv_element_bytes > 0) desc.kv_element_bytes = change.kv_element_bytes;
    const Work work = node_work(desc, shape);
    RoofQuery roofs;
    roofs.arithmetic = desc.arithmetic;
    roofs.format = desc.format;
    roofs.isa = query.of.isa;
    roofs.threads = change.threads > 0 ? change.threads : std::max(1, record_->context.threads);
    if (alone) roofs.threads = 1;
    roofs.working_set_bytes = linear || desc.kind == OpKind::attend
                                  ? streamed_bytes(*record_)
                                  : static_cast<uint64_t>(work.bytes);
    const auto light = light_time(work, roofs, record_->machine).bound_ns();
    const auto utilization = utilization_.at(query);
    if (!light || !utilization || utilization->value <= 0) return std::nullopt;
    Part part{*light / utilization->value, utilization->error, utilization->tier};
    if (head) part.ns *= change.head_rows_share;
    return part;
}

StepModel::Part StepModel::overhead(const Group& group, const StepShape& shape,
                                    const StepChange& change) const {
    const bool decode = static_cast<double>(shape.tokens) <= kDecodeTokensMax;
    const double own = decode ? group.decode_overhead_ns : group.prefill_overhead_ns;
    const int threads = std::max(1, record_->context.threads);
    if (change.threads == 0 || change.threads == threads) return {own, 0};
    const auto before = record_->machine.overhead_ns("barrier", threads);
    const auto after = record_->machine.overhead_ns("barrier", change.threads);
    if (!before || !after || *before <= 0) return {own, 1};
    return {own * *after / *before, kErrorOverhead};
}

std::optional<StepTime> StepModel::node(const measure::PlanNodeFacts& facts, const StepShape& shape,
                                        const StepChange& change) const {
    const auto desc = desc_of(facts);
    if (!desc) return std::nullopt;
    const auto part = compute({*desc, facts, 1, 0, 0}, shape, change);
    if (!part) return std::nullopt;
    StepTime out;
    out.ns = part->ns;
    out.spread_ns[static_cast<size_t>(desc->kind)] = part->ns * part->error;
    out.tier = part->tier;
    return out;
}

std::optional<StepTime> StepModel::step(const StepShape& shape, const StepChange& change) const {
    StepTime out;
    std::vector<Part> parts;
    for (const Group& group : groups_) {
        auto part = compute(group, shape, change);
        if (!part) return std::nullopt;
        const double share = group.desc.layer >= 0 ? change.layers_share : 1;
        part->ns *= group.count * share;
        const Part waits = overhead(group, shape, change);
        out.ns += part->ns + waits.ns * share;
        out.spread_ns[static_cast<size_t>(group.desc.kind)] +=
            part->ns * part->error + waits.ns * share * waits.error;
        parts.push_back(*part);
    }
    for (const Part& part : parts) {
        if (part.ns >= kTierShareMin * out.ns) out.tier = std::min(out.tier, part.tier);
    }
    return out;
}

}  // namespace hone::cost
