// Small graphs and weights for the tests of this room: a Llama block of any size with random
// weights, and its plain evaluation in double precision. Test code only.
#pragma once

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "graph/graph.h"
#include "graph/weight_source.h"
#include "tensor/codec.h"
#include "tensor/view.h"

namespace hone::graph {

struct TinyShape {
    uint32_t n_embd = 64;
    uint32_t n_heads = 4;
    uint32_t n_kv_heads = 2;
    uint32_t head_dim = 16;
    uint32_t n_ff = 96;
    uint32_t n_vocab = 50;  // not a multiple of 16 on purpose
    uint32_t n_layers = 2;
    uint32_t context = 64;
    tensor::DType dtype = tensor::DType::q4_1;
};

class RandomWeights final : public WeightSource {
  public:
    void add(const std::string& name, tensor::DType dtype, uint64_t rows, uint64_t columns,
             base::Random& random) {
        std::vector<float> values(rows * columns);
        const bool vector = rows == 1;
        for (float& v : values) {
            v = vector ? 1.0f + 0.1f * static_cast<float>(random.next_normal())
                       : static_cast<float>(random.next_normal() / std::sqrt(double(columns)));
        }
        Stored& stored = stored_[name];
        stored.bytes.resize(tensor::row_bytes(dtype, columns).value() * rows);
        tensor::quantize(dtype, values.data(), values.size(), stored.bytes.data());
        stored.view.dtype = dtype;
        stored.view.dims = {columns, rows, 1, 1};
        stored.view.rank = rows == 1 ? 1 : 2;
        stored.view.data = stored.bytes.data();
        stored.view.bytes = stored.bytes.size();
    }
    base::Result<tensor::TensorView> tensor(const std::string& name) const override {
        const auto found = stored_.find(name);
        if (found == stored_.end()) return base::fail(base::ErrorCode::not_found, "no {}", name);
        return found->second.view;
    }
    void release(const std::string& name) const override { released_.push_back(name); }
    void release_all() const override { released_all_ = true; }
    bool released_all() const { return released_all_; }
    const std::vector<std::string>& released() const { return released_; }

  private:
    struct Stored {
        std::vector<std::byte> bytes;
        tensor::TensorView view;
    };
    std::map<std::string, Stored> stored_;
    mutable std::vector<std::string> released_;
    mutable bool released_all_ = false;
};

// The graph a model builder would make, and its weights.
Graph tiny_graph(const TinyShape& shape, RandomWeights& weights, uint64_t seed);

}  // namespace hone::graph
