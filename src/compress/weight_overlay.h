// A model with some of its weights replaced: what an experiment on single tensors runs.
//
// A WeightSource over another one. Replaced tensors keep their shape and may have another type; the
// plan must be made from a graph that overlay() has told so. Owns the replacements, borrows the
// rest. Const while an executor packs from it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "graph/weight_source.h"

namespace hone::compress {

class WeightOverlay final : public graph::WeightSource {
  public:
    explicit WeightOverlay(const graph::WeightSource& source) : source_(source) {}

    // `bytes` are the whole tensor in that type.
    base::Status replace(const std::string& name, tensor::DType type, std::vector<std::byte> bytes);
    // Gives the parts of the graph's weights their new types.
    void retype(graph::Graph& graph) const;

    base::Result<tensor::TensorView> tensor(const std::string& name) const override;
    void release(const std::string& name) const override;
    void release_all() const override { source_.release_all(); }

  private:
    struct Replacement {
        tensor::DType type;
        std::vector<std::byte> bytes;
    };
    const graph::WeightSource& source_;
    std::map<std::string, Replacement> replacements_;
};

}  // namespace hone::compress
