#include "cost/speed_of_light.h"

#include <algorithm>

#include "machine/isa.h"

namespace hone::cost {
namespace {

// Up to this many tokens a row operator costs less than the barrier it would need: one row of 1000
// values takes about 0.1 us per thread, a barrier about 0.3 us and more under load.
constexpr double kEveryThreadTokensMax = 4;

constexpr std::string_view kIntegerFormats[] = {"u4", "u4m", "u5",  "u5m", "u6", "u2m",
                                                "t2", "t3",  "t3h", "t4",  "s8"};
constexpr std::string_view kFloatFormats[] = {"f32", "f16", "bf16"};

template <size_t N>
bool one_of(std::string_view name, const std::string_view (&list)[N]) {
    return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

// "u4m+u6": a merged linear whose parts are stored differently.
bool is_format(std::string_view text) {
    return is_integer_format(text) || one_of(text, kFloatFormats) ||
           text.find('+') != std::string_view::npos;
}

std::optional<double> add(std::optional<double> a, std::optional<double> b) {
    if (!a || !b) return std::nullopt;
    return *a + *b;
}

// The roof of the best arithmetic a kernel for this format could use on this machine.
std::optional<double> best_peak(const RoofQuery& query, const machine::MachineProfile& profile) {
    const auto f32 = profile.peak_g_per_s("f32_fma", query.threads);
    std::optional<double> other;
    if (is_integer_format(query.format) || query.arithmetic == Arithmetic::int8) {
        other = profile.peak_g_per_s("int8_dot", query.threads);
    } else if (query.format == "bf16") {
        other = profile.peak_g_per_s("bf16_dot", query.threads);
    }
    if (!f32) return other;
    return std::max(*f32, other.value_or(0));
}

// Kinds whose operands are the model's weights or its KV: they stream through the caches.
bool streams(const std::string& kind) {
    return kind == "linear" || kind == "linear_gated" || kind == "attend";
}

constexpr std::string_view kRoundsActivations = "quantize_activations";

bool pass_is_off(const measure::RunRecord& record, std::string_view name) {
    for (const measure::PassRun& pass : record.passes) {
        if (pass.name == name) return !pass.enabled;
    }
    return false;
}

const char* peak_name(Arithmetic arithmetic) {
    return arithmetic == Arithmetic::int8 ? "int8_dot" : "f32_fma";
}

}  // namespace

bool is_integer_format(std::string_view format) {
    const std::string_view first = format.substr(0, format.find('+'));
    return one_of(first, kIntegerFormats);
}

VariantName parse_variant(std::string_view variant) {
    VariantName out;
    std::string_view rest = variant;
    const size_t slash = rest.find('/');
    if (slash != std::string_view::npos && is_format(rest.substr(0, slash))) {
        out.format = std::string(rest.substr(0, slash));
        rest.remove_prefix(slash + 1);
    }
    if (rest.substr(0, 4) == "f32/") {
        out.f32_activations = true;
        rest.remove_prefix(4);
    }
    out.isa = std::string(rest);
    return out;
}

Arithmetic variant_arithmetic(const VariantName& variant) {
    return is_integer_format(variant.format) && !variant.f32_activations ? Arithmetic::int8
                                                                         : Arithmetic::f32;
}

std::optional<double> LightTime::bound_ns() const {
    if (bound_sum_ns) return bound_sum_ns;
    if (!compute_ns || !memory_ns) return std::nullopt;
    return std::max(*compute_ns, *memory_ns);
}

std::optional<double> LightTime::bound_best_ns() const {
    if (bound_best_sum_ns) return bound_best_sum_ns;
    if (!compute_best_ns || !memory_ns) return std::nullopt;
    return std::max(*compute_best_ns, *memory_ns);
}

LightTime& LightTime::operator+=(const LightTime& other) {
    const auto bound = add(bound_ns(), other.bound_ns());
    const auto bound_best = add(bound_best_ns(), other.bound_best_ns());
    bound_sum_ns = bound;
    bound_best_sum_ns = bound_best;
    compute_ns = add(compute_ns, other.compute_ns);
    compute_best_ns = add(compute_best_ns, other.compute_best_ns);
    memory_ns = add(memory_ns, other.memory_ns);
    return *this;
}

LightTime light_time(const Work& work, const RoofQuery& query,
                     const machine::MachineProfile& profile) {
    LightTime out;
    // Names that are no level ("plain", "reference") are compiled for the baseline.
    std::string isa = query.isa;
    if (!isa.empty() && !machine::parse_isa(isa)) isa = machine::isa_name(machine::Isa::portable);
    const auto peak = profile.peak_g_per_s(peak_name(query.arithmetic), query.threads, isa);
    const auto best = best_peak(query, profile);
    const auto bandwidth = profile.bandwidth_gb_per_s(query.working_set_bytes, query.threads);
    // 1e9 operations or bytes per second are 1 per ns.
    if (work.flops <= 0) {
        out.compute_ns = out.compute_best_ns = 0;
    } else {
        if (peak && *peak > 0) out.compute_ns = work.flops / *peak;
        if (best && *best > 0) out.compute_best_ns = work.flops / *best;
    }
    if (work.bytes <= 0) {
        out.memory_ns = 0;
    } else if (bandwidth && *bandwidth > 0) {
        out.memory_ns = work.bytes / *bandwidth;
    }
    return out;
}

std::optional<double> light_step_ns(std::span<const NodeDesc> nodes, const StepShape& step,
                                    const machine::MachineProfile& profile, int threads,
                                    uint64_t working_set_bytes, const std::string& isa) {
    double sum = 0;
    for (const NodeDesc& node : nodes) {
        const Work work = node_work(node, step);
        RoofQuery query;
        query.arithmetic = node.arithmetic;
        query.format = node.format;
        query.isa = isa;
        const bool alone = done_by_every_thread(node.kind, static_cast<double>(step.tokens));
        query.threads = alone ? 1 : threads;
        query.working_set_bytes = streams(op_kind_name(node.kind))
                                      ? working_set_bytes
                                      : static_cast<uint64_t>(work.bytes);
        const auto bound = light_time(work, query, profile).bound_ns();
        if (!bound) return std::nullopt;
        sum += *bound;
    }
    return sum;
}

const measure::PlanNodeFacts* node_of(const measure::RunRecord& record, uint32_t index) {
    if (index < record.nodes.size() && record.nodes[index].index == index) {
        return &record.nodes[index];
    }
    for (const measure::PlanNodeFacts& node : record.nodes) {
        if (node.index == index) return &node;
    }
    return nullptr;
}

uint64_t streamed_bytes(const measure::RunRecord& record) {
    return record.memory.weights_bytes;
}

double sample_wall_ns(const measure::OperatorSample& sample) {
    return sample.compute_ns + sample.barrier_ns + sample.dispatch_ns;
}

bool done_by_every_thread(OpKind kind, double tokens) {
    switch (kind) {
        case OpKind::rms_norm:
        case OpKind::layer_norm:
        case OpKind::rms_norm_add:
        case OpKind::quantize:
        case OpKind::rms_norm_quantize:
        case OpKind::layer_norm_quantize:
            return tokens <= kEveryThreadTokensMax;
        default:
            return false;
    }
}

Arithmetic linear_arithmetic(const measure::RunRecord& record, std::string_view format) {
    const bool rounded = is_integer_format(format) && !pass_is_off(record, kRoundsActivations);
    return rounded ? Arithmetic::int8 : Arithmetic::f32;
}

bool changes_arithmetic(const measure::RunRecord& record, std::string_view format) {
    const Arithmetic after = linear_arithmetic(record, format);
    return std::any_of(record.nodes.begin(), record.nodes.end(), [&](const auto& node) {
        const std::string own = parse_variant(node.variant).format;
        const auto kind = op_kind_of(node.kind);
        return kind && is_linear(*kind) && linear_arithmetic(record, own) != after;
    });
}

LightTime sample_light(const measure::RunRecord& record, const measure::OperatorSample& sample) {
    const measure::PlanNodeFacts* node = node_of(record, sample.node);
    if (node == nullptr || sample.calls == 0) return {};
    const VariantName variant = parse_variant(node->variant);
    Work work;
    work.bytes = sample.bytes;
    work.flops = sample.flops;
    RoofQuery query;
    query.arithmetic = variant_arithmetic(variant);
    // Without that pass integer weights meet f32 activations, which the variant does not say.
    if (pass_is_off(record, kRoundsActivations)) query.arithmetic = Arithmetic::f32;
    query.format = variant.format;
    query.isa = variant.isa;
    const auto kind = op_kind_of(node->kind);
    const double tokens = static_cast<double>(sample.tokens) / static_cast<double>(sample.calls);
    const bool alone = kind && done_by_every_thread(*kind, tokens);
    query.threads = alone ? 1 : std::max(1, record.context.threads);
    query.working_set_bytes =
        streams(node->kind)
            ? streamed_bytes(record)
            : static_cast<uint64_t>(sample.bytes / static_cast<double>(sample.calls));
    return light_time(work, query, record.machine);
}

}  // namespace hone::cost
