#include <map>

#include "graph/passes.h"

namespace hone::graph {

int fuse_residual(Graph& graph) {
    const GraphIndex index(graph);
    std::vector<uint32_t> erased;
    for (uint32_t n = 0; n < graph.nodes.size(); ++n) {
        Node& add = graph.nodes[n];
        if (add.kind != OpKind::add) continue;
        for (const size_t side : {size_t{1}, size_t{0}}) {
            const ValueId product = add.inputs[side];
            const Node* linear = index.producer_node(graph, product);
            if (linear == nullptr || linear->kind != OpKind::linear || linear->inputs.size() != 2 ||
                !index.used_once(product) || add.inputs[0] == add.inputs[1]) {
                continue;
            }
            const ValueId residual = add.inputs[1 - side];
            erased.push_back(index.producer[product]);
            add = Node{OpKind::linear, linear->name,
                       linear->layer,  {linear->inputs[0], linear->inputs[1], residual},
                       add.outputs,    {}};
            break;
        }
    }
    erase_nodes(graph, erased);
    return static_cast<int>(erased.size());
}

int fuse_norm_add(Graph& graph) {
    const GraphIndex index(graph);
    std::vector<uint32_t> erased;
    for (Node& add : graph.nodes) {
        if (add.kind != OpKind::add || add.inputs[0] == add.inputs[1]) continue;
        for (const size_t side : {size_t{1}, size_t{0}}) {
            const ValueId normed = add.inputs[side];
            const ValueId residual = add.inputs[1 - side];
            const Node* norm = index.producer_node(graph, normed);
            const bool rows = graph.values[residual].type == ElementType::f32;
            if (norm == nullptr || norm->kind != OpKind::rms_norm || !index.used_once(normed) ||
                !rows) {
                continue;
            }
            erased.push_back(index.producer[normed]);
            add = Node{OpKind::rms_norm_add, norm->name,
                       norm->layer,          {norm->inputs[0], norm->inputs[1], residual},
                       add.outputs,          norm->attributes};
            break;
        }
    }
    erase_nodes(graph, erased);
    return static_cast<int>(erased.size());
}

int fuse_norm_quantize(Graph& graph) {
    const GraphIndex index(graph);
    std::vector<uint32_t> erased;
    for (Node& node : graph.nodes) {
        if (node.kind != OpKind::quantize) continue;
        const Node* norm = index.producer_node(graph, node.inputs[0]);
        if (norm == nullptr || !index.used_once(node.inputs[0])) continue;
        const bool layer = norm->kind == OpKind::layer_norm;
        if (norm->kind != OpKind::rms_norm && !layer) continue;
        erased.push_back(index.producer[node.inputs[0]]);
        node = Node{layer ? OpKind::layer_norm_quantize : OpKind::rms_norm_quantize,
                    norm->name,
                    norm->layer,
                    norm->inputs,
                    node.outputs,
                    norm->attributes};
    }
    erase_nodes(graph, erased);
    return static_cast<int>(erased.size());
}

int fuse_gated_quantize(Graph& graph) {
    const GraphIndex index(graph);
    std::vector<uint32_t> erased;
    for (uint32_t n = 0; n < graph.nodes.size(); ++n) {
        const Node& node = graph.nodes[n];
        if (node.kind != OpKind::quantize) continue;
        const Node* product = index.producer_node(graph, node.inputs[0]);
        if (product == nullptr || product->kind != OpKind::linear_gated ||
            !index.used_once(node.inputs[0])) {
            continue;
        }
        graph.values[node.inputs[0]].type = ElementType::q8;
        replace_uses(graph, node.outputs[0], node.inputs[0]);
        erased.push_back(n);
    }
    erase_nodes(graph, erased);
    return static_cast<int>(erased.size());
}

int share_common(Graph& graph) {
    std::vector<uint32_t> erased;
    std::map<std::pair<OpKind, std::vector<ValueId>>, std::vector<uint32_t>> seen;
    for (uint32_t n = 0; n < graph.nodes.size(); ++n) {
        const Node& node = graph.nodes[n];
        // Writing to the cache is an effect: two stores are never one.
        if (node.kind == OpKind::rope_store) continue;
        auto& candidates = seen[{node.kind, node.inputs}];
        bool shared = false;
        for (const uint32_t c : candidates) {
            const Node& other = graph.nodes[c];
            const bool same_type =
                graph.values[other.outputs[0]].type == graph.values[node.outputs[0]].type;
            if (!(other.attributes == node.attributes) || !same_type) continue;
            // Copies: replace_uses rewrites the node lists while we hold references.
            const ValueId from = node.outputs[0];
            const ValueId to = other.outputs[0];
            replace_uses(graph, from, to);
            erased.push_back(n);
            shared = true;
            break;
        }
        if (!shared) candidates.push_back(n);
    }
    erase_nodes(graph, erased);
    return static_cast<int>(erased.size());
}

int dead_code(Graph& graph) {
    std::vector<bool> needed(graph.values.size(), false);
    needed[graph.output] = true;
    std::vector<uint32_t> erased;
    for (uint32_t n = static_cast<uint32_t>(graph.nodes.size()); n-- > 0;) {
        const Node& node = graph.nodes[n];
        bool used = false;
        for (const ValueId id : node.outputs) used = used || needed[id];
        if (!used) {
            erased.push_back(n);
            continue;
        }
        for (const ValueId id : node.inputs) needed[id] = true;
    }
    const int count = static_cast<int>(erased.size());
    erase_nodes(graph, std::move(erased));
    return count;
}

}  // namespace hone::graph
