// Argument structs of the attention kernels (contract: attention/attention.h). Apart from it so
// that ISA files include C types only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kv_view.h"

namespace hone::kernels {

enum class RopeStyle : uint8_t {
    none,
    adjacent,  // pairs (2i, 2i + 1): Llama as stored in GGUF
    halves,    // pairs (i, i + rope_dims / 2): NeoX
};

struct RopeStoreArgs {
    // [n_tokens][qkv_stride]: q heads, then k heads, then v heads; q rotated in place (q4: and
    // turned), k and v kept.
    float* qkv = nullptr;
    size_t qkv_stride = 0;
    uint32_t n_heads = 0;
    uint32_t n_tokens = 0;  // of one slice: consecutive positions
    uint32_t first_position = 0;
    RopeStyle style = RopeStyle::adjacent;
    uint32_t rope_dims = 0;          // leading dims of a head that rotate; even
    const float* cos_sin = nullptr;  // [position][rope_dims / 2][2] = cos, sin, from position 0
    // RMSNorm of every q and k head before the rotation; null: none. Both [head_dim].
    const float* q_norm = nullptr;
    const float* k_norm = nullptr;
    float norm_epsilon = 0.0f;
    KvView kv;
    // Work unit of this call: KV heads [kv_head_begin, kv_head_end) with their query groups.
    uint32_t kv_head_begin = 0;
    uint32_t kv_head_end = 0;
};

// Tokens of one work unit of attend, at most.
inline constexpr uint32_t kAttendTokensMax = 32;
// Positions that are summed together before they are merged with those before: always the same
// ones, so that who computes them does not show in the result. A multiple of kPageTokens.
inline constexpr uint32_t kAttendChunk = 512;

// State of one query after a chunk, in floats: output of each dim, 16 partial sums of
// probabilities, the largest score, and up to a whole line.
constexpr size_t attend_state_floats(size_t head_dim) {
    return head_dim + 32;
}

struct AttendArgs {
    const float* q = nullptr;  // [n_tokens][q_stride], as rope_and_store left it
    size_t q_stride = 0;
    uint32_t n_heads = 0;
    uint32_t n_tokens = 0;
    uint32_t first_position = 0;
    float scale = 1.0f;
    float soft_cap = 0.0f;  // > 0: a scaled score s becomes soft_cap * tanh(s / soft_cap)
    bool causal = true;     // false: every token sees the whole slice; without a window
    KvView kv;
    // Work unit: tokens [token_begin, token_end) of the slice x one KV head with its query group.
    uint32_t token_begin = 0;
    uint32_t token_end = 0;
    uint32_t kv_head = 0;
    float* out = nullptr;  // [n_tokens][out_stride], head-major like q
    size_t out_stride = 0;
    std::byte* scratch = nullptr;  // attend_scratch_bytes(), 64-byte aligned, one per thread
    // attend() with `partial` set computes chunk `chunk` alone and leaves the states of the unit's
    // queries there; merge() reads those of all chunks that the unit sees, one behind the other
    // from the first, and writes `out`: the same bits as attend() with `partial` null.
    float* partial = nullptr;
    uint32_t chunk = 0;
};

}  // namespace hone::kernels
