#include "compress/scale_groups.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "compress/input_statistics.h"

namespace hone::compress {
namespace {

using graph::Graph;
using graph::Node;
using graph::OpKind;
using graph::ValueId;
using graph::WeightPart;

class Search {
  public:
    explicit Search(const Graph& graph) : graph_(graph), index_(graph) {
        for (uint32_t n = 0; n < graph.nodes.size(); ++n) {
            for (const ValueId input : graph.nodes[n].inputs) {
                for (const WeightPart& part : graph.values[input].parts) {
                    uses_[part.name].push_back({n, part.first_row, part.first_row + part.rows});
                }
            }
        }
    }

    ScaleGroups run() {
        for (const Node& node : graph_.nodes) {
            if (node.kind == OpKind::rms_norm || node.kind == OpKind::layer_norm) add_norm(node);
            if (node.kind == OpKind::gated) add_gated(node);
            if (node.kind == OpKind::attend) add_values(node);
        }
        return std::move(out_);
    }

  private:
    struct Use {
        uint32_t node;
        uint64_t begin, end;  // rows
    };
    // The matrices that read a value; or why they cannot be scaled.
    struct Readers {
        std::vector<std::string> tensors;
        std::set<uint32_t> nodes;
        std::string other;  // what else reads it
    };

    void add_norm(const Node& node) {
        ScaleGroup group = make_group(node.name, graph_.values[node.outputs[0]].width());
        for (size_t i = 1; i < node.inputs.size(); ++i) {
            for (const WeightPart& part : graph_.values[node.inputs[i]].parts) {
                group.makers.push_back({part.name, 0, true});
            }
        }
        add(std::move(group), readers_of(node.outputs[0]), {node_number(node)});
    }

    void add_gated(const Node& node) {
        const Node* up = index_.producer_node(graph_, node.inputs[1]);
        if (up == nullptr) return;
        const WeightPart& part = graph_.values[up->inputs[1]].parts.front();
        ScaleGroup group = make_group(up->name, graph_.values[node.outputs[0]].width());
        if (up->kind != OpKind::linear) {
            return skip(group.name, "every expert has hidden units of its own");
        }
        group.makers.push_back({part.name, part.first_row, false});
        std::set<uint32_t> makers = {node_number(*up)};
        if (!index_.used_once(node.inputs[1])) return skip(group.name, "has other readers");
        add(std::move(group), readers_of(node.outputs[0]), makers);
    }

    void add_values(const Node& node) {
        const auto& heads = std::get<graph::AttentionAttributes>(node.attributes);
        const uint64_t first = uint64_t{heads.n_heads + heads.n_kv_heads} * heads.head_dim;
        ScaleGroup group = make_group(node.name, uint64_t{heads.n_kv_heads} * heads.head_dim);
        group.run = heads.head_dim;
        group.repeats = heads.n_heads / heads.n_kv_heads;
        std::set<uint32_t> makers;
        const Node* store = index_.producer_node(graph_, node.inputs[0]);
        if (store == nullptr || store->kind != OpKind::rope_store ||
            !find_makers(store->inputs[0], first, group.channels, group.makers, makers)) {
            return skip(group.name, "its values are not made by matrices alone");
        }
        add(std::move(group), readers_of(node.outputs[0]), makers);
    }

    // What makes elements [first, first + count) of a value by matrices, sums with vectors, and
    // laying values side by side.
    bool find_makers(ValueId value, uint64_t first, uint64_t count, std::vector<ScaledRows>& out,
                     std::set<uint32_t>& nodes) const {
        const Node* node = index_.producer_node(graph_, value);
        if (node == nullptr || !index_.used_once(value)) return false;
        if (node->kind == OpKind::concat) {
            for (const ValueId input : node->inputs) {
                const uint64_t width = graph_.values[input].width();
                if (first < width) {
                    return first + count <= width && find_makers(input, first, count, out, nodes);
                }
                first -= width;
            }
            return false;
        }
        if (node->kind == OpKind::linear && node->inputs.size() == 2) {
            const WeightPart& part = graph_.values[node->inputs[1]].parts.front();
            out.push_back({part.name, part.first_row + first, false});
            nodes.insert(node_number(*node));
            return true;
        }
        if (node->kind != OpKind::add) return false;
        if (!find_makers(node->inputs[0], first, count, out, nodes)) return false;
        nodes.insert(node_number(*node));
        for (const WeightPart& part : graph_.values[node->inputs[1]].parts) {
            if (first < part.columns) {
                out.push_back({part.name, first, true});
                return part.rows == 1 && first + count <= part.columns;
            }
            first -= part.columns;
        }
        return false;
    }

    Readers readers_of(ValueId value) const {
        Readers readers;
        if (value == graph_.output) readers.other = "the output";
        for (const uint32_t n : index_.users[value]) {
            const Node& user = graph_.nodes[n];
            const bool matrix = (user.kind == OpKind::linear && user.inputs.size() == 2) ||
                                user.kind == OpKind::expert_linear;
            if (matrix && user.inputs[0] == value) {
                const auto& name = graph_.values[user.inputs[1]].parts.front().name;
                const auto end = readers.tensors.end();
                if (std::find(readers.tensors.begin(), end, name) == end) {
                    readers.tensors.push_back(name);
                }
                readers.nodes.insert(n);
            } else if (user.kind == OpKind::gather) {
                // The same rows, once for each expert that is to read them.
                Readers behind = readers_of(user.outputs[0]);
                readers.tensors.insert(readers.tensors.end(), behind.tensors.begin(),
                                       behind.tensors.end());
                readers.nodes.merge(behind.nodes);
                if (!behind.other.empty()) readers.other = behind.other;
            } else {
                readers.other = user.name;
            }
        }
        return readers;
    }

    // A use of these rows of a tensor by another node.
    std::optional<std::string> other_use(const std::string& tensor, uint64_t begin, uint64_t end,
                                         const std::set<uint32_t>& nodes) const {
        for (const Use& use : uses_.at(tensor)) {
            if (use.begin < end && begin < use.end && nodes.count(use.node) == 0) {
                return graph_.nodes[use.node].name;
            }
        }
        return std::nullopt;
    }

    void add(ScaleGroup group, const Readers& readers, const std::set<uint32_t>& makers) {
        if (readers.tensors.empty()) return;  // nothing that scaling could help
        if (!readers.other.empty()) {
            return skip(group.name, fmt::format("'{}' reads it too", readers.other));
        }
        group.readers = readers.tensors;
        for (const std::string& tensor : group.readers) {
            if (const auto use = other_use(tensor, 0, UINT64_MAX, readers.nodes)) {
                return skip(group.name, fmt::format("'{}' is also used by '{}'", tensor, *use));
            }
        }
        for (const ScaledRows& maker : group.makers) {
            const uint64_t begin = maker.vector ? 0 : maker.first;
            const uint64_t end = maker.vector ? 1 : maker.first + group.channels;
            if (const auto use = other_use(maker.tensor, begin, end, makers)) {
                return skip(group.name,
                            fmt::format("'{}' is also used by '{}'", maker.tensor, *use));
            }
        }
        out_.groups.push_back(std::move(group));
    }

    static ScaleGroup make_group(const std::string& name, uint64_t channels) {
        ScaleGroup group;
        group.name = name;
        group.channels = channels;
        group.run = channels;
        return group;
    }

    void skip(const std::string& name, std::string reason) {
        out_.unscaled.push_back({name, std::move(reason)});
    }

    uint32_t node_number(const Node& node) const {
        return static_cast<uint32_t>(&node - graph_.nodes.data());
    }

    const Graph& graph_;
    graph::GraphIndex index_;
    std::map<std::string, std::vector<Use>> uses_;
    ScaleGroups out_;
};

}  // namespace

ScaleGroups scale_groups(const Graph& graph) {
    return Search(graph).run();
}

base::Result<ScaleGroups> scale_groups(const models::Model& model) {
    // Of any context: groups know no positions.
    HONE_TRY(const auto graph, model.build_graph(kCalibrationTokensMin));
    return scale_groups(graph);
}

}  // namespace hone::compress
