#include "graph/graph.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace hone::graph {

ValueId Graph::add_value(Value value) {
    values.push_back(std::move(value));
    return static_cast<ValueId>(values.size() - 1);
}

std::vector<ValueId> Graph::add_node(OpKind kind, std::string name, int layer,
                                     std::vector<ValueId> inputs, Attributes attributes) {
    Node node{kind, std::move(name), layer, std::move(inputs), {}, std::move(attributes)};
    auto outputs = infer_outputs(*this, node);
    if (!outputs) {
        base::check_failed(__FILE__, __LINE__, "infer_outputs", outputs.error().message);
    }
    for (Value& value : *outputs) node.outputs.push_back(add_value(std::move(value)));
    nodes.push_back(node);
    return node.outputs;
}

ValueId Graph::add_op(OpKind kind, std::string name, int layer, std::vector<ValueId> inputs,
                      Attributes attributes) {
    return add_node(kind, std::move(name), layer, std::move(inputs), std::move(attributes)).front();
}

GraphIndex::GraphIndex(const Graph& graph)
    : producer(graph.values.size(), kNone), users(graph.values.size()) {
    for (uint32_t n = 0; n < graph.nodes.size(); ++n) {
        for (const ValueId id : graph.nodes[n].outputs) producer[id] = n;
        for (const ValueId id : graph.nodes[n].inputs) {
            if (users[id].empty() || users[id].back() != n) users[id].push_back(n);
        }
    }
}

const Node* GraphIndex::producer_node(const Graph& graph, ValueId value) const {
    return producer[value] == kNone ? nullptr : &graph.nodes[producer[value]];
}

void replace_uses(Graph& graph, ValueId from, ValueId to) {
    for (Node& node : graph.nodes) {
        std::replace(node.inputs.begin(), node.inputs.end(), from, to);
    }
    if (graph.output == from) graph.output = to;
}

void erase_nodes(Graph& graph, std::vector<uint32_t> nodes) {
    std::sort(nodes.begin(), nodes.end());
    std::vector<Node> kept;
    kept.reserve(graph.nodes.size());
    for (uint32_t n = 0; n < graph.nodes.size(); ++n) {
        if (!std::binary_search(nodes.begin(), nodes.end(), n)) {
            kept.push_back(std::move(graph.nodes[n]));
        }
    }
    graph.nodes = std::move(kept);
}

namespace {

std::string dims_text(const Value& value) {
    std::string out = "[";
    for (const Dim& dim : value.dims) {
        if (out.size() > 1) out += ", ";
        if (dim.symbol == Symbol::tokens) out += "tokens";
        if (dim.symbol == Symbol::outputs) out += "outputs";
        if (dim.symbol == Symbol::one || dim.factor != 1) out += fmt::format("{}", dim.factor);
    }
    return out + "]";
}

const char* type_name(ElementType type) {
    switch (type) {
        case ElementType::f32:
            return "f32";
        case ElementType::i32:
            return "i32";
        case ElementType::q8:
            return "q8";
        case ElementType::kv:
            return "kv";
        case ElementType::routes:
            return "routes";
        case ElementType::weight:
            return "weight";
    }
    return "?";
}

}  // namespace

std::string to_string(const Graph& graph) {
    std::string out;
    for (const Node& node : graph.nodes) {
        std::string outputs;
        for (const ValueId id : node.outputs) {
            const Value& value = graph.values[id];
            outputs += fmt::format("{}%{}:{}{}", outputs.empty() ? "" : ", ", id,
                                   type_name(value.type), dims_text(value));
        }
        std::string inputs;
        for (const ValueId id : node.inputs) {
            const Value& value = graph.values[id];
            inputs += inputs.empty() ? "" : ", ";
            inputs += value.origin == ValueOrigin::node ? fmt::format("%{}", id) : value.name;
        }
        out += fmt::format("{} = {}({})  # {}\n", outputs, cost::op_kind_name(node.kind), inputs,
                           node.name);
    }
    return out;
}

}  // namespace hone::graph
