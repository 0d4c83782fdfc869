#include <algorithm>

#include "base/check.h"
#include "graph/passes.h"
#include "graph/plan.h"
#include "graph/screen.h"

namespace hone::graph {
namespace {

using base::ErrorCode;
using base::fail;

// Token counts that get a binding of their own, below the step maximum.
constexpr uint32_t kStepClasses[] = {1, 4, 16, 64};

std::string variant_for(const PrepareOptions& options, std::string_view family) {
    for (const auto& [name, variant] : options.variants) {
        if (name == family) return variant;
    }
    return {};
}

base::Status check_families(const PrepareOptions& options) {
    for (const auto& [family, name] : options.variants) {
        if (family != "linear" && family != "rows" && family != "attention") {
            return fail(ErrorCode::invalid_argument,
                        "unknown kernel family '{}'; families: linear, rows, attention", family);
        }
    }
    return {};
}

// One segment per part, or a single one for an interleaved pair (same format by construction).
base::Result<std::vector<PlanSegment>> select_segments(const Value& weight, ElementType input,
                                                       const PrepareOptions& options) {
    const auto activation = input == ElementType::q8 ? kernels::ActivationClass::quantized
                                                     : kernels::ActivationClass::f32;
    std::vector<PlanSegment> segments;
    for (const WeightPart& part : weight.parts) {
        if (weight.merge == MergeStyle::interleave_32 && !segments.empty()) {
            segments[0].rows += part.rows;
            segments[0].parts.push_back(part);
            continue;
        }
        PlanSegment segment;
        segment.format = kernels::pack_format_for(part.dtype);
        segment.rows = part.rows;
        segment.parts = {part};
        if (kernels::is_quantized(segment.format) && part.columns % 32 != 0) {
            return fail(ErrorCode::unsupported, "{}: {} columns are not a multiple of 32",
                        part.name, part.columns);
        }
        HONE_TRY(segment.variant, kernels::select_linear(options.isa, segment.format, activation,
                                                         variant_for(options, "linear")));
        segments.push_back(std::move(segment));
    }
    return segments;
}

cost::NodeDesc describe(const Graph& graph, const Node& node,
                        const std::vector<PlanSegment>& segments) {
    cost::NodeDesc desc;
    const Value& out = graph.values[node.outputs[0]];
    const Value& in = graph.values[node.inputs[0]];
    desc.kind = node.kind;
    desc.layer = node.layer;
    desc.rows = out.width();
    desc.columns = in.width();
    desc.per_output = !out.dims.empty() && out.dims.front().symbol == Symbol::outputs;
    if (node.kind == OpKind::embedding) {
        const WeightPart& part = in.parts.at(0);
        desc.weight_bytes = tensor::row_bytes(part.dtype, part.columns).value_or(0);
        desc.columns = part.columns;
    }
    if (node.kind == OpKind::rope_table) {
        desc.rows = out.dims.front().factor;
        desc.columns = out.width();
    }
    if (node.kind == OpKind::gather || node.kind == OpKind::combine) {
        // Values of all experts of a row.
        const uint64_t used = std::get<ExpertAttributes>(node.attributes).n_used;
        (node.kind == OpKind::gather ? desc.rows : desc.columns) *= used;
    }
    if (const auto* a = std::get_if<AttentionAttributes>(&node.attributes)) {
        desc.n_heads = a->n_heads;
        desc.n_kv_heads = a->n_kv_heads;
        desc.head_dim = a->head_dim;
        desc.window = a->window;
        const kernels::KvLayout layout{.head_dim = a->head_dim, .dtype = a->kv_dtype};
        desc.kv_element_bytes = static_cast<double>(layout.value_bytes()) / a->head_dim;
    }
    // A screened linear reads few of its rows, and which is the text's secret.
    if (segments.empty() || node.kind == OpKind::linear_screened) return desc;
    desc.rows = 0;
    for (const PlanSegment& segment : segments) {
        const uint64_t columns = segment.parts[0].columns;
        desc.rows += segment.rows;
        desc.weight_bytes +=
            (segment.rows + 15) / 16 * kernels::packed_tile_bytes(segment.format, columns);
        const std::string format = kernels::pack_format_name(segment.format);
        if (desc.format.find(format) == std::string::npos) {
            desc.format += (desc.format.empty() ? "" : "+") + format;
        }
    }
    if (const auto* experts = std::get_if<ExpertAttributes>(&node.attributes)) {
        desc.rows = desc.rows / experts->n_experts * experts->n_used;
        desc.weight_bytes = desc.weight_bytes / experts->n_experts * experts->n_used;
    }
    desc.arithmetic = in.type == ElementType::q8 ? cost::Arithmetic::int8 : cost::Arithmetic::f32;
    return desc;
}

base::Result<PlanNode> plan_node(const Plan& plan, const Node& node) {
    PlanNode out;
    out.node = node;
    const bool linear = cost::is_linear(node.kind);
    const bool screened = node.kind == OpKind::linear_screened;
    if (linear || screened) {
        HONE_TRY(out.segments,
                 select_segments(plan.graph.values[node.inputs[1]],
                                 plan.graph.values[node.inputs[0]].type, plan.options));
    }
    out.desc = describe(plan.graph, node, out.segments);
    if (linear) {
        out.variant = out.desc.format + "/" + out.segments[0].variant->name;
    } else if (screened) {
        out.variant = out.segments[0].variant->name;
    } else if (node.kind == OpKind::rope_store || node.kind == OpKind::attend) {
        out.variant = plan.attention->name;
    } else if (uses_rows_kernels(node.kind)) {
        out.variant = plan.rows->name;
    } else {
        out.variant = "plain";
    }
    return out;
}

// Rows of the smallest table that tokens index.
uint32_t token_rows(const Graph& graph) {
    uint64_t rows = UINT32_MAX;
    for (const Node& node : graph.nodes) {
        if (node.kind != OpKind::embedding) continue;
        if (graph.values[node.inputs[1]].origin != ValueOrigin::input_tokens) continue;
        rows = std::min(rows, graph.values[node.inputs[0]].parts.at(0).rows);
    }
    return static_cast<uint32_t>(rows);
}

}  // namespace

base::Result<Plan> prepare(Graph graph, const PrepareOptions& options, const base::Clock& clock) {
    HONE_CHECK_GT(options.tokens_max, 0u);
    HONE_CHECK_GT(options.outputs_max, 0u);
    HONE_TRY_STATUS(check_families(options));
    Plan plan;
    plan.options = options;
    for (Node& node : graph.nodes) {
        auto* attention = std::get_if<AttentionAttributes>(&node.attributes);
        if (attention != nullptr) attention->kv_dtype = options.kv_dtype;
    }
    HONE_TRY(plan.passes, run_passes(graph, options.disabled_passes, clock));
    if (options.screen_head) {
        HONE_TRY_STATUS(screen_head(graph));
        HONE_TRY_STATUS(verify(graph));
    }
    plan.graph = std::move(graph);
    HONE_TRY(plan.rows, kernels::select_rows(options.isa, variant_for(options, "rows")));
    HONE_TRY(plan.attention,
             kernels::select_attention(options.isa, variant_for(options, "attention")));
    for (const Node& node : plan.graph.nodes) {
        HONE_TRY(PlanNode planned, plan_node(plan, node));
        plan.nodes.push_back(std::move(planned));
    }
    plan.vocab = static_cast<uint32_t>(plan.graph.values[plan.graph.output].width());
    plan.tokens_end = token_rows(plan.graph);
    // Without last_position_logits every token's logits are computed before the selection.
    std::vector<uint32_t> classes;
    for (const uint32_t tokens : kStepClasses) {
        if (tokens < options.tokens_max) classes.push_back(tokens);
    }
    classes.push_back(options.tokens_max);
    for (const uint32_t tokens : classes) {
        plan.bindings.push_back(
            plan_memory(plan.graph, plan.nodes, tokens, options.outputs_max, options.threads));
    }
    return plan;
}

const Binding& Plan::binding_for(uint32_t tokens) const {
    for (const Binding& binding : bindings) {
        if (tokens <= binding.tokens_max) return binding;
    }
    HONE_CHECK_LE(tokens, bindings.back().tokens_max);
    return bindings.back();
}

int Plan::barriers(uint32_t tokens) const {
    const Binding& binding = binding_for(tokens);
    return static_cast<int>(std::count_if(binding.nodes.begin(), binding.nodes.end(),
                                          [](const NodeBinding& node) { return node.barrier; }));
}

std::vector<measure::PlanNodeFacts> Plan::facts() const {
    std::vector<measure::PlanNodeFacts> out;
    for (uint32_t n = 0; n < nodes.size(); ++n) {
        measure::PlanNodeFacts fact;
        fact.index = n;
        fact.name = nodes[n].node.name;
        fact.kind = cost::op_kind_name(nodes[n].node.kind);
        fact.variant = nodes[n].variant;
        fact.layer = nodes[n].node.layer;
        fact.shape = cost::shape_of(nodes[n].desc);
        out.push_back(std::move(fact));
    }
    return out;
}

std::string to_string(const Plan& plan) {
    std::string out;
    const Binding& decode = plan.bindings.front();
    for (size_t n = 0; n < plan.nodes.size(); ++n) {
        const PlanNode& node = plan.nodes[n];
        out += fmt::format("{:4} {:18} {:24} {:20} {:>10} B {}\n", n,
                           cost::op_kind_name(node.node.kind), node.node.name, node.variant,
                           node.desc.weight_bytes, decode.nodes[n].barrier ? "barrier" : "");
    }
    for (const Binding& binding : plan.bindings) {
        out += fmt::format("up to {} tokens: workspace {} B\n", binding.tokens_max, binding.bytes);
    }
    return out;
}

}  // namespace hone::graph
