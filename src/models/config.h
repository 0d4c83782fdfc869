// What a model file says about its architecture, checked and within limits: a plain value.
//
// Which of the fields count is decided by the file of the architecture (models/architecture.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.h"

namespace hone::models {

// Layers that share a window and so a page table. Window 0 = global.
struct LayerGroup {
    uint32_t window = 0;
    std::vector<uint32_t> layers;
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
    float rope_scale = 1.0f;              // linear position scaling factor, 1 = none
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
    std::vector<LayerGroup> groups;

    uint64_t q_width() const { return uint64_t{n_heads} * head_dim; }
    uint64_t kv_width() const { return uint64_t{n_kv_heads} * head_dim; }
};

}  // namespace hone::models
