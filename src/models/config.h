// What a model file says about its architecture, checked and within limits: a plain value.
//
// Which of the fields count is decided by the file of the architecture (models/architecture.h).
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "models/rope.h"

namespace hone::models {

// Layers that share a window and so a page table. Window 0 = global.
struct LayerGroup {
    uint32_t window = 0;
    std::vector<uint32_t> layers;
};

// How the values of a text's tokens become one embedding.
enum class Pooling : uint8_t {
    none,  // they do not: one for each token
    mean,
    cls,  // the first token's
    last,
};

struct ModelConfig {
    std::string architecture;
    std::string name;
    uint32_t n_layers = 0;
    uint32_t n_embd = 0;
    uint32_t n_heads = 0;
    uint32_t n_kv_heads = 0;
    uint32_t head_dim = 0;
    uint32_t n_ff = 0;
    uint32_t n_vocab = 0;
    uint32_t context_max = 0;
    float norm_epsilon = 1e-5f;
    kernels::RopeStyle rope_style = kernels::RopeStyle::adjacent;
    float rope_base = 10000.0f;
    RopeScaling rope_scaling;
    float rope_base_windowed = 10000.0f;  // of windowed layers, which are never scaled
    uint32_t rope_dims = 0;
    float attention_scale = 0.0f;     // of scores
    float attention_soft_cap = 0.0f;  // of scaled scores; 0 = none
    float logit_soft_cap = 0.0f;      // of logits; 0 = none
    uint32_t n_experts = 0;
    uint32_t n_experts_used = 0;  // of one token
    uint32_t n_ff_expert = 0;
    bool tied_embeddings = false;
    bool rope_factors = false;  // the file divides each frequency by a factor of its own
    bool qkv_bias = false;
    bool head_norms = false;         // q and k are normalized head by head before the rotation
    bool parallel_residual = false;  // attention and feed-forward read the same normalized input
    bool linear_bias = false;        // the output projections and feed-forward linears have biases
    bool causal = true;              // false: an encoder; its tokens see each other, it has no head
    Pooling pooling = Pooling::mean;       // of an encoder
    uint32_t n_token_types = 0;            // of an encoder
    std::vector<uint32_t> removed_layers;  // ascending; the file has them, the graph does not
    std::vector<LayerGroup> groups;        // of the others

    uint64_t q_width() const { return uint64_t{n_heads} * head_dim; }
    uint64_t kv_width() const { return uint64_t{n_kv_heads} * head_dim; }
    // By their numbers in the file, in order.
    std::vector<int> layers_in_use() const {
        std::vector<int> layers;
        for (uint32_t layer = 0; layer < n_layers; ++layer) {
            if (std::binary_search(removed_layers.begin(), removed_layers.end(), layer)) continue;
            layers.push_back(static_cast<int>(layer));
        }
        return layers;
    }
    // Layers of a group that need keys and values of their own. Those of an encoder are read in the
    // step that makes them and never again, so all its layers take turns with one.
    uint32_t kv_layers(const LayerGroup& group) const {
        return causal ? static_cast<uint32_t>(group.layers.size()) : 1;
    }
};

}  // namespace hone::models
