#include "cost/utilization.h"

#include <algorithm>
#include <cmath>

#include "cost/kernel_curve.h"
#include "cost/speed_of_light.h"

namespace hone::cost {
namespace {

// Sizes nearer than this (in log2) count as the same size: 1 %.
constexpr double kSameSize = 0.0144;
// A doubling of the rows changes a kernel's path more than one of the matrix.
constexpr double kSizeWeight = 0.5;
// Relative errors, one standard deviation. AIConfigurator, the model for all this, reports 7 to 15
// % for sizes between samples (one left out), and 24 % across formats.
constexpr double kErrorOtherRun = 0.05;
constexpr double kErrorOtherSize = 0.05;
constexpr double kErrorBeyond = 0.05;  // for each doubling away from the last sample
constexpr double kDoublingsMax = 6;
constexpr double kErrorCurve = 0.10;      // carried over between two measured points of kernels
constexpr double kErrorCurveSize = 0.15;  // between their sizes
constexpr double kErrorNoCurve = 0.30;

bool same(double a, double b) {
    return std::fabs(a - b) < kSameSize;
}

struct Between {
    double utilization = 0;  // log2
    double error = 0;
};

// Between two samples at log2 distances `gap` (of different signs) from the wanted size.
Between between(double y1, double gap1, double y2, double gap2, bool straight) {
    const double t = gap1 / (gap1 - gap2);
    // A curve between two points leaves the straight line by a part of their difference.
    const double apart = std::fabs(y2 - y1) * std::log(2.0);
    const double error = kErrorOtherSize + 0.5 * apart * std::min(t, 1 - t);
    if (straight) return {y1 + t * (y2 - y1), error};
    const double z1 = std::exp2(-gap1);
    const double z2 = std::exp2(-gap2);
    const double share = (z1 - 1) / (z1 - z2);
    const double inverse = (1 - share) * std::exp2(-y1) + share * std::exp2(-y2);
    return {-std::log2(inverse), kErrorOtherSize + 0.2 * apart * std::min(t, 1 - t)};
}

// Rows and work per row of an average call; tokens stand for both where the record has no shapes.
struct CallSize {
    double rows = 0;
    double size = 0;
};

CallSize size_of(const measure::PlanNodeFacts& node, const measure::OperatorSample& sample) {
    const auto calls = static_cast<double>(sample.calls);
    CallSize out{static_cast<double>(sample.tokens) / calls, 0};
    const auto desc = desc_of(node);
    if (!desc) return out;
    double visible = 0;
    if (desc->kind == OpKind::attend && sample.tokens > 0) {
        const double pair_flops = desc->n_heads * (4.0 * desc->head_dim + 5);
        visible =
            pair_flops > 0 ? sample.flops / static_cast<double>(sample.tokens) / pair_flops : 0;
    } else if (desc->per_output && desc->rows * desc->columns > 0) {
        const double row_flops =
            2.0 * static_cast<double>(desc->rows) * static_cast<double>(desc->columns);
        if (sample.flops > 0) out.rows = sample.flops / calls / row_flops;
    }
    out.size = work_per_row(*desc, visible);
    return out;
}

}  // namespace

const char* provenance_name(Provenance tier) {
    switch (tier) {
        case Provenance::none:
            return "none";
        case Provenance::cross_format:
            return "cross_format";
        case Provenance::interpolated:
            return "interpolated";
        case Provenance::measured_shape:
            return "measured_shape";
        case Provenance::measured:
            return "measured";
    }
    return "none";
}

UtilizationClass utilization_class(const measure::PlanNodeFacts& node) {
    const VariantName variant = parse_variant(node.variant);
    return {node.kind, variant.format + (variant.f32_activations ? "/f32" : ""), variant.isa};
}

double work_per_row(const NodeDesc& node, double visible) {
    switch (node.kind) {
        case OpKind::linear:
        case OpKind::linear_gated:
        case OpKind::expert_linear:
            return static_cast<double>(node.rows) * static_cast<double>(node.columns);
        case OpKind::attend:
            return node.window > 0 ? std::min<double>(visible, node.window) : visible;
        default:
            return static_cast<double>(node.rows);
    }
}

UtilizationModel UtilizationModel::learn(const measure::RunRecord& record,
                                         std::span<const measure::RunRecord> others) {
    UtilizationModel model;
    model.machine_ = record.machine;
    model.threads_ = std::max(1, record.context.threads);
    model.streamed_bytes_ = cost::streamed_bytes(record);
    model.add(record, true);
    for (const measure::RunRecord& other : others) {
        const bool here = other.machine.fingerprint == record.machine.fingerprint &&
                          other.context.threads == record.context.threads;
        if (here) model.add(other, false);
    }
    return model;
}

void UtilizationModel::add(const measure::RunRecord& record, bool own) {
    for (const measure::OperatorSample& sample : record.operators) {
        const measure::PlanNodeFacts* node = node_of(record, sample.node);
        if (node == nullptr || sample.calls == 0 || sample.tokens == 0) continue;
        if (!(sample.compute_ns > 0)) continue;
        const auto bound = sample_light(record, sample).bound_ns();
        if (!bound || *bound <= 0) continue;
        const CallSize size = size_of(*node, sample);
        if (!(size.rows > 0)) continue;
        const UtilizationClass of = utilization_class(*node);
        const double kernel = curve(of, size.rows, threads_).value_or(Curve{}).log_utilization;
        add_sample(of, {std::log2(size.rows), size.size > 1 ? std::log2(size.size) : 0,
                        std::log2(*bound / sample.compute_ns) - kernel, sample.compute_ns, own});
    }
}

void UtilizationModel::add_sample(const UtilizationClass& of, const Sample& sample) {
    std::vector<Sample>& samples = samples_[of];
    const auto twin = std::find_if(samples.begin(), samples.end(), [&](const Sample& other) {
        return other.own == sample.own && same(other.rows, sample.rows) &&
               same(other.size, sample.size);
    });
    if (twin == samples.end()) {
        samples.push_back(sample);
        return;
    }
    // Nodes of one size: the mean in log space, weighted by time.
    const double weight = twin->weight_ns + sample.weight_ns;
    twin->utilization =
        (twin->utilization * twin->weight_ns + sample.utilization * sample.weight_ns) / weight;
    twin->weight_ns = weight;
}

std::optional<Utilization> UtilizationModel::nearest(const std::vector<Sample>& samples,
                                                     const Sample& wanted, bool straight) {
    const auto size_gap = [&](const Sample& sample) {
        const bool known = sample.size > 0 && wanted.size > 0;
        return known ? sample.size - wanted.size : 0.0;
    };
    const auto distance = [&](const Sample& sample) {
        // Between equals, one's own run.
        return std::fabs(sample.rows - wanted.rows) + kSizeWeight * std::fabs(size_gap(sample)) +
               (sample.own ? 0 : kSameSize);
    };
    const auto best_of = [&](auto&& allowed) -> const Sample* {
        const Sample* best = nullptr;
        for (const Sample& sample : samples) {
            if (!allowed(sample)) continue;
            if (best == nullptr || distance(sample) < distance(*best)) best = &sample;
        }
        return best;
    };
    const Sample* first = best_of([](const Sample&) { return true; });
    if (first == nullptr) return std::nullopt;
    double low = first->utilization;
    double high = low;
    for (const Sample& sample : samples) {
        low = std::min(low, sample.utilization);
        high = std::max(high, sample.utilization);
    }
    Utilization out{0, Provenance::interpolated, std::exp2(low), std::exp2(high)};
    const bool same_rows = same(first->rows, wanted.rows);
    const bool same_size = same(size_gap(*first), 0);
    Between y{first->utilization, first->own ? 0 : kErrorOtherRun};
    if (same_rows) {
        out.tier = same_size && first->own ? Provenance::measured : Provenance::measured_shape;
    }
    if (!same_rows || !same_size) {
        // The dimension in which the nearest one is off, and the nearest one beyond.
        const auto gap = [&](const Sample& sample) {
            return same_rows ? size_gap(sample) : sample.rows - wanted.rows;
        };
        const double own_gap = gap(*first);
        const Sample* second =
            best_of([&](const Sample& sample) { return gap(sample) * own_gap < 0; });
        y.error = kErrorOtherSize;
        if (second != nullptr) {
            y = between(first->utilization, own_gap, second->utilization, gap(*second), straight);
        } else {
            y.error += kErrorBeyond * std::min(kDoublingsMax, std::fabs(own_gap));
        }
        if (!same_rows) y.error += kErrorBeyond * kSizeWeight * std::fabs(size_gap(*first));
    }
    out.value = std::exp2(std::clamp(y.utilization, low, high));
    out.error = y.error;
    return out;
}

std::optional<UtilizationModel::Curve> UtilizationModel::curve(const UtilizationClass& of,
                                                               double rows, int threads) const {
    if (of.format.empty()) return std::nullopt;
    const bool f32 = of.format.ends_with("/f32");
    KernelQuery kernel;
    kernel.format = f32 ? of.format.substr(0, of.format.size() - 4) : of.format;
    kernel.int8 = !f32 && is_integer_format(kernel.format);
    kernel.isa = of.isa;
    kernel.threads = threads;
    const auto time = kernel_time(machine_, kernel, rows);
    const auto bytes = format_bytes_per_weight(kernel.format);
    if (!time || !bytes) return std::nullopt;
    // Of one weight: so many multiply-adds, and its bytes once.
    Work work;
    work.flops = 2 * rows;
    work.bytes = *bytes;
    RoofQuery roofs;
    roofs.arithmetic = kernel.int8 ? Arithmetic::int8 : Arithmetic::f32;
    roofs.format = kernel.format;
    roofs.isa = of.isa;
    roofs.threads = threads;
    roofs.working_set_bytes = streamed_bytes_;
    const auto bound = light_time(work, roofs, machine_).bound_ns();
    if (!bound || *bound <= 0) return std::nullopt;
    return Curve{std::log2(*bound / (time->ns * rows)), time->exact};
}

std::optional<Utilization> UtilizationModel::at(const UtilizationQuery& query) const {
    if (!(query.rows > 0)) return std::nullopt;
    const Sample wanted{std::log2(query.rows), query.size > 1 ? std::log2(query.size) : 0, 0, 0,
                        true};
    const int threads = query.threads > 0 ? query.threads : threads_;
    const auto kernel = curve(query.of, query.rows, threads);
    const bool straight = !query.of.format.empty();
    std::optional<Utilization> out;
    bool borrowed_curve = true;
    const auto found = samples_.find(query.of);
    const bool own = found != samples_.end() && threads == threads_;
    if (found != samples_.end()) {
        out = nearest(found->second, wanted, straight);
        borrowed_curve = curve(query.of, query.rows, threads_).has_value();
    } else {
        const auto* other = borrowed_from(query.of);
        if (other == nullptr) return std::nullopt;
        out = nearest(other->second, wanted, straight);
        borrowed_curve = curve(other->first, query.rows, threads_).has_value();
    }
    if (!out) return std::nullopt;
    if (!own) {
        // Distances from two curves can be carried over; utilizations without curves are a guess.
        const bool both = kernel && borrowed_curve;
        const bool exact = kernel && kernel->exact;
        const auto best = exact ? Provenance::measured_shape : Provenance::interpolated;
        out->error = std::hypot(out->error, !both   ? kErrorNoCurve
                                            : exact ? kErrorCurve
                                                    : kErrorCurveSize);
        out->tier = both ? std::min(out->tier, best) : Provenance::cross_format;
        if (!both && kernel.has_value() != borrowed_curve) return std::nullopt;
    }
    const double scale = std::exp2(kernel.value_or(Curve{}).log_utilization);
    out->value *= scale;
    out->low *= scale;
    out->high *= scale;
    return out;
}

// Another format or level of the same kind: rather of the same level.
const std::pair<const UtilizationClass, std::vector<UtilizationModel::Sample>>*
UtilizationModel::borrowed_from(const UtilizationClass& of) const {
    const std::pair<const UtilizationClass, std::vector<Sample>>* other = nullptr;
    for (const auto& entry : samples_) {
        const UtilizationClass& key = entry.first;
        if (key.kind != of.kind || key.format.empty() != of.format.empty()) continue;
        const bool better = other == nullptr || (other->first.isa != of.isa && key.isa == of.isa);
        if (better) other = &entry;
    }
    return other;
}

}  // namespace hone::cost
