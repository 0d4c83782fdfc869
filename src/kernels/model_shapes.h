// The models whose shapes the benches of this room measure: one table for all families. Facts of
// their published configurations; no weights. For benches only.
#pragma once

#include <array>
#include <cstddef>

namespace hone::kernels {

struct ModelShape {
    const char* name;
    size_t n_embd;
    size_t n_heads;
    size_t n_kv_heads;
    size_t head_dim;
    size_t n_ff;
    size_t n_vocab;
};

inline constexpr ModelShape kModelShapes[] = {
    {"smollm2-135m", 576, 9, 3, 64, 1536, 49152},
    {"gemma3-270m", 640, 4, 1, 256, 2048, 262144},
    {"qwen2.5-0.5b", 896, 14, 2, 64, 4864, 151936},
    {"qwen2.5-1.5b", 1536, 12, 2, 128, 8960, 151936},
    {"llama3.2-1b", 2048, 32, 8, 64, 8192, 128256},
    {"llama3-8b", 4096, 32, 8, 128, 14336, 128256},
};

struct LinearShape {
    const char* name;
    size_t rows;
    size_t columns;
};

// The products of one layer, merged as the passes merge them, and the head.
constexpr std::array<LinearShape, 5> linear_shapes(const ModelShape& model) {
    const size_t q_width = model.n_heads * model.head_dim;
    const size_t kv_width = model.n_kv_heads * model.head_dim;
    return {{{"qkv", q_width + 2 * kv_width, model.n_embd},
             {"attn_output", model.n_embd, q_width},
             {"gate_up", 2 * model.n_ff, model.n_embd},
             {"down", model.n_embd, model.n_ff},
             {"head", model.n_vocab, model.n_embd}}};
}

}  // namespace hone::kernels
