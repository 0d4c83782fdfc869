#include <algorithm>

#include "graph/passes.h"
#include "kernels/linear/packed_matrix.h"

namespace hone::graph {
namespace {

bool is_quantized(const WeightPart& part) {
    return kernels::is_quantized(kernels::pack_format_for(part.dtype));
}

// The producer of `value` if it is a plain linear read by nobody else; nullptr otherwise.
const Node* lone_linear(const Graph& graph, const GraphIndex& index, ValueId value) {
    const Node* node = index.producer_node(graph, value);
    if (node == nullptr || node->kind != OpKind::linear || node->inputs.size() != 2) return nullptr;
    return index.used_once(value) ? node : nullptr;
}

ValueId merged_weight(Graph& graph, const std::vector<const Node*>& linears, MergeStyle style,
                      const std::string& name) {
    Value weight;
    weight.name = name;
    weight.type = ElementType::weight;
    weight.origin = ValueOrigin::weight;
    weight.merge = style;
    for (const Node* linear : linears) {
        const Value& part = graph.values[linear->inputs[1]];
        weight.parts.insert(weight.parts.end(), part.parts.begin(), part.parts.end());
    }
    return graph.add_value(std::move(weight));
}

// Rows of all but the last part must fill their tiles; one activation class must serve all parts.
bool can_concatenate(const Graph& graph, const std::vector<const Node*>& linears) {
    for (size_t i = 0; i < linears.size(); ++i) {
        const Value& weight = graph.values[linears[i]->inputs[1]];
        if (weight.parts.size() != 1 || linears[i]->inputs[0] != linears[0]->inputs[0])
            return false;
        const WeightPart& first = graph.values[linears[0]->inputs[1]].parts[0];
        if (is_quantized(weight.parts[0]) != is_quantized(first)) return false;
        if (i + 1 < linears.size() && weight.parts[0].rows % kernels::kTileRows != 0) return false;
    }
    return true;
}

// Rewrites node n in place; what it replaces goes to `merged`.
bool try_merge_qkv(Graph& graph, const GraphIndex& index, uint32_t n,
                   std::vector<uint32_t>& merged) {
    if (graph.nodes[n].kind != OpKind::concat) return false;
    std::vector<const Node*> linears;
    for (const ValueId input : graph.nodes[n].inputs) {
        const Node* linear = lone_linear(graph, index, input);
        if (linear == nullptr) return false;
        linears.push_back(linear);
    }
    if (!can_concatenate(graph, linears)) return false;
    Node& concat = graph.nodes[n];
    for (const ValueId input : concat.inputs) merged.push_back(index.producer[input]);
    const ValueId x = linears[0]->inputs[0];
    const std::string name = concat.name;
    const ValueId weight = merged_weight(graph, linears, MergeStyle::concatenate, name + ".weight");
    concat = Node{OpKind::linear, name, concat.layer, {x, weight}, concat.outputs, {}};
    return true;
}

bool try_merge_gate_up(Graph& graph, const GraphIndex& index, uint32_t n,
                       std::vector<uint32_t>& merged) {
    if (graph.nodes[n].kind != OpKind::gated) return false;
    const Node* gate = lone_linear(graph, index, graph.nodes[n].inputs[0]);
    const Node* up = lone_linear(graph, index, graph.nodes[n].inputs[1]);
    if (gate == nullptr || up == nullptr || gate == up || gate->inputs[0] != up->inputs[0]) {
        return false;
    }
    const auto& gate_parts = graph.values[gate->inputs[1]].parts;
    const auto& up_parts = graph.values[up->inputs[1]].parts;
    if (gate_parts.size() != 1 || up_parts.size() != 1) return false;
    if (gate_parts[0].dtype != up_parts[0].dtype || gate_parts[0].rows % 32 != 0) return false;
    Node& gated = graph.nodes[n];
    for (const ValueId input : gated.inputs) merged.push_back(index.producer[input]);
    const ValueId x = gate->inputs[0];
    const std::string name = gated.name;
    const ValueId weight =
        merged_weight(graph, {gate, up}, MergeStyle::interleave_32, name + ".weight");
    gated =
        Node{OpKind::linear_gated, name, gated.layer, {x, weight}, gated.outputs, gated.attributes};
    return true;
}

using Rewrite = bool (*)(Graph&, const GraphIndex&, uint32_t, std::vector<uint32_t>&);

// One index serves the whole sweep: a rewrite keeps its output value and its place in the list, and
// the linears that it replaces have no other reader, so nothing that another rewrite asks for
// changes.
int sweep(Graph& graph, Rewrite rewrite) {
    const GraphIndex index(graph);
    std::vector<uint32_t> merged;
    int rewrites = 0;
    for (uint32_t n = 0; n < graph.nodes.size(); ++n) {
        if (rewrite(graph, index, n, merged)) ++rewrites;
    }
    erase_nodes(graph, std::move(merged));
    return rewrites;
}

}  // namespace

int merge_qkv(Graph& graph) {
    return sweep(graph, try_merge_qkv);
}
int merge_gate_up(Graph& graph) {
    return sweep(graph, try_merge_gate_up);
}

int quantize_activations(Graph& graph) {
    std::vector<Node> nodes;
    int rewrites = 0;
    for (Node& node : graph.nodes) {
        if (cost::is_linear(node.kind)) {
            const auto& parts = graph.values[node.inputs[1]].parts;
            const Value x = graph.values[node.inputs[0]];
            if (x.type == ElementType::f32 &&
                std::all_of(parts.begin(), parts.end(), is_quantized)) {
                Value value = x;
                value.origin = ValueOrigin::node;
                value.type = ElementType::q8;
                value.name = node.name + ".input";
                const ValueId id = graph.add_value(value);
                nodes.push_back(
                    {OpKind::quantize, value.name, node.layer, {node.inputs[0]}, {id}, {}});
                node.inputs[0] = id;
                ++rewrites;
            }
        }
        nodes.push_back(std::move(node));
    }
    graph.nodes = std::move(nodes);
    return rewrites;
}

}  // namespace hone::graph
