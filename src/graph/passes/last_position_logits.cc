#include <map>

#include "graph/passes.h"

namespace hone::graph {
namespace {

// Each row of the result depends on the same row of the inputs alone (or, with experts, on those
// that the row became).
bool row_wise(OpKind kind) {
    switch (kind) {
        case OpKind::linear:
        case OpKind::rms_norm:
        case OpKind::layer_norm:
        case OpKind::add:
        case OpKind::gated:
        case OpKind::activate:
        case OpKind::soft_cap:
        case OpKind::route:
        case OpKind::gather:
        case OpKind::expert_linear:
        case OpKind::combine:
            return true;
        default:
            return false;
    }
}

// Nodes whose results are read only through the final selection, in any number of steps.
std::vector<bool> only_selected(const Graph& graph, uint32_t select) {
    const GraphIndex index(graph);
    std::vector<bool> selected(graph.nodes.size(), false);
    for (uint32_t n = static_cast<uint32_t>(graph.nodes.size()); n-- > 0;) {
        const Node& node = graph.nodes[n];
        if (!row_wise(node.kind) || node.outputs[0] == graph.output) continue;
        const auto& users = index.users[node.outputs[0]];
        bool all = !users.empty();
        for (const uint32_t user : users) all = all && (user == select || selected[user]);
        selected[n] = all;
    }
    return selected;
}

}  // namespace

int last_position_logits(Graph& graph) {
    const GraphIndex index(graph);
    const uint32_t select = index.producer[graph.output];
    if (select == GraphIndex::kNone || graph.nodes[select].kind != OpKind::select_rows) return 0;
    const ValueId rows = graph.nodes[select].inputs[1];
    const std::vector<bool> selected = only_selected(graph, select);

    std::vector<Node> nodes;
    std::map<ValueId, ValueId> selected_value;
    int rewrites = 0;
    for (uint32_t n = 0; n < graph.nodes.size(); ++n) {
        Node node = graph.nodes[n];
        if (!selected[n]) {
            nodes.push_back(std::move(node));
            continue;
        }
        for (ValueId& input : node.inputs) {
            if (graph.values[input].type != ElementType::f32) continue;
            if (graph.values[input].dims.front().symbol != Symbol::tokens) continue;
            if (!selected_value.contains(input)) {
                Value value = graph.values[input];
                value.origin = ValueOrigin::node;
                value.name += ".selected";
                value.dims.front() = Dim{1, Symbol::outputs};
                const ValueId id = graph.add_value(value);
                nodes.push_back(
                    {OpKind::select_rows, value.name, node.layer, {input, rows}, {id}, {}});
                selected_value[input] = id;
            }
            input = selected_value[input];
        }
        graph.values[node.outputs[0]].dims.front().symbol = Symbol::outputs;
        nodes.push_back(std::move(node));
        ++rewrites;
    }
    if (rewrites == 0) return 0;
    graph.nodes = std::move(nodes);
    // The last selection now selects from rows that are selected already: it goes away.
    const GraphIndex after(graph);
    const uint32_t last = after.producer[graph.output];
    const ValueId input = graph.nodes[last].inputs[0];
    replace_uses(graph, graph.output, input);
    erase_nodes(graph, {last});
    return rewrites;
}

}  // namespace hone::graph
