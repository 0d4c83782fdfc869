// Causal attention over paged KV with grouped-query heads, and the step before it: RoPE and KV
// store.
//
//   rope_and_store: for each new token t at position p: rotate q and k, write k and v to the pages.
//   attend: out[t][h] = sum_j softmax_j(scale * q[t][h] . K[j][h / group]) V[j][h / group],
//           j over the visible positions: max(0, p - window + 1) .. p (window 0: from 0).
// The softmax is online over blocks of kPageTokens positions, always in the same order, so the
// result of a token depends on nothing but its own q and the cache: not on the slice, tile or
// thread split. f32 arithmetic on f16 K and V. Head dims are multiples of 16, at most 256.
// Reference for online softmax: Milakov and Gimelshein 2018; tiling: Dao et al. 2022
// (FlashAttention).
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/result.h"
#include "kernels/kv_view.h"
#include "machine/isa.h"

namespace hone::kernels {

enum class RopeStyle : uint8_t {
    none,
    adjacent,  // pairs (2i, 2i + 1): Llama as stored in GGUF
    halves,    // pairs (i, i + d / 2): NeoX
};

struct RopeStoreArgs {
    float* qkv =
        nullptr;  // [n_tokens][qkv_stride]: q heads, then k heads, then v heads; q rotated in place
    size_t qkv_stride = 0;
    uint32_t n_heads = 0;
    uint32_t n_tokens = 0;  // of one slice: consecutive positions
    uint32_t first_position = 0;
    RopeStyle style = RopeStyle::adjacent;
    uint32_t rope_dims = 0;          // leading dims of a head that rotate
    const float* cos_sin = nullptr;  // [position][rope_dims / 2][2] = cos, sin, from position 0
    KvView kv;
    // Work unit of this call: KV heads [kv_head_begin, kv_head_end) with their query groups.
    uint32_t kv_head_begin = 0;
    uint32_t kv_head_end = 0;
};

struct AttendArgs {
    const float* q = nullptr;  // [n_tokens][q_stride], rotated
    size_t q_stride = 0;
    uint32_t n_heads = 0;
    uint32_t n_tokens = 0;
    uint32_t first_position = 0;
    float scale = 1.0f;
    KvView kv;
    // Work unit: tokens [token_begin, token_end) of the slice x one KV head with its query group.
    uint32_t token_begin = 0;
    uint32_t token_end = 0;
    uint32_t kv_head = 0;
    float* out = nullptr;  // [n_tokens][out_stride], head-major like q
    size_t out_stride = 0;
    std::byte* scratch = nullptr;  // attend_scratch_bytes(), 64-byte aligned, one per thread
};

// Scratch for a call with up to kAttendTokensMax tokens per work unit.
inline constexpr uint32_t kAttendTokensMax = 32;
size_t attend_scratch_bytes(uint32_t group, uint32_t head_dim);

using RopeStoreFn = void (*)(const RopeStoreArgs&) noexcept;
using AttendFn = void (*)(const AttendArgs&) noexcept;

struct AttentionVariant {
    const char* name;
    machine::Isa isa;
    RopeStoreFn rope_and_store;
    AttendFn attend;
};

std::span<const AttentionVariant> attention_variants();
base::Result<const AttentionVariant*> select_attention(machine::Isa have,
                                                       std::string_view name = {});

}  // namespace hone::kernels
