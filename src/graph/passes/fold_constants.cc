#include "graph/constant_ops.h"
#include "graph/passes.h"

namespace hone::graph {
namespace {

Value folded(const Graph& graph, const Node& node) {
    const Value& input = graph.values[node.inputs[0]];
    Value out = graph.values[node.outputs[0]];
    out.origin = ValueOrigin::constant;
    size_t count = 1;
    for (const Dim& dim : out.dims) count *= dim.factor;
    std::vector<float> data(count);
    if (node.kind == OpKind::scale) {
        scale_values(*input.data, std::get<ScaleAttributes>(node.attributes).factor, data);
    } else {
        const auto& table = std::get<RopeTableAttributes>(node.attributes);
        rope_table_values(*input.data, table.positions, table.magnitude, data);
    }
    out.data = std::make_shared<const std::vector<float>>(std::move(data));
    return out;
}

}  // namespace

int fold_constants(Graph& graph) {
    std::vector<uint32_t> done;
    for (uint32_t n = 0; n < graph.nodes.size(); ++n) {
        const Node& node = graph.nodes[n];
        const bool foldable = node.kind == OpKind::scale || node.kind == OpKind::rope_table;
        if (!foldable || graph.values[node.inputs[0]].origin != ValueOrigin::constant) continue;
        // The value itself becomes the constant, so later nodes in this same sweep fold too.
        graph.values[node.outputs[0]] = folded(graph, node);
        done.push_back(n);
    }
    erase_nodes(graph, done);
    return static_cast<int>(done.size());
}

}  // namespace hone::graph
