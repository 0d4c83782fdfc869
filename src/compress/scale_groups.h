// Which channels of a model can be scaled against each other without changing what it computes.
//
// A group is a product that is linear on both sides: something makes a value (elements of a norm's
// weight, rows of a matrix), only matrices read it (columns). Channel c of the makers divided by
// s[c], the same columns of the readers times s[c]: the same function, for any s > 0. Three kinds,
// found in the graph of the model, not by names, so that what holds for an architecture holds by
// its formulas:
//
//   norm     weight (and bias) of a norm -> every matrix that reads it: Q, K and V; gate and up;
//            a router and its experts
//   gated    rows of up -> columns of down:  down(act(gate x) * up x) is linear in up
//   values   rows of V (and its bias) -> columns of the attention output; a channel of a KV head
//            is a column of each query head that shares it
//
// A value that something else reads too, or a matrix that has another use (a head that is the
// embedding), is no group and is listed with the reason. Not the factors
// (compress/channel_scales.h). Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "graph/graph.h"
#include "models/model.h"

namespace hone::compress {

// One tensor on the making side: channel c is its row (a vector: its element) first + c.
struct ScaledRows {
    std::string tensor;
    uint64_t first = 0;
    bool vector = false;
};

struct ScaleGroup {
    std::string name;  // of a node: "blk.0.attn_norm", "blk.0.ffn_up", "blk.0.attend"
    uint64_t channels = 0;
    std::vector<ScaledRows> makers;
    std::vector<std::string> readers;  // each once, by tensor
    // Of the readers' columns: runs of `run` channels, each repeated `repeats` times.
    uint64_t run = 0;
    uint64_t repeats = 1;

    uint64_t columns() const { return channels * repeats; }
    uint64_t channel_of(uint64_t column) const {
        return column / (run * repeats) * run + column % run;
    }
};

struct UnscaledGroup {
    std::string name;
    std::string reason;
};

struct ScaleGroups {
    std::vector<ScaleGroup> groups;  // in the order of the graph
    std::vector<UnscaledGroup> unscaled;
};

// Of the graph as the architecture builds it (models::Model::build_graph), before any pass.
ScaleGroups scale_groups(const graph::Graph& graph);
// The same of a model; errors of its graph.
base::Result<ScaleGroups> scale_groups(const models::Model& model);

}  // namespace hone::compress
