// Attention over paged KV with grouped-query heads, and the step before it: RoPE and KV
// store.
//
//   rope_and_store: for each new token t at position p: normalize the heads of q and k (where the
//   model does), rotate them, write k and v to the pages.
//   attend: out[t][h] = sum_j softmax_j(scale * q[t][h] . K[j][h / group]) V[j][h / group],
//           j over the visible positions: max(0, p - window + 1) .. p (window 0: from 0), or,
//           not causal (encoders), every position of the sequence, all of them in this slice;
//           with a soft cap, softmax_j(cap * tanh(score / cap)).
// The softmax is online over blocks of kPageTokens positions within chunks of kAttendChunk, and
// chunks are merged in order, so the result of a token depends on nothing but its own q and the
// cache: not on the slice, tile or thread split, nor on who computed which chunk. f32 arithmetic on
// f16, q8 or q4 K and V (kernels/kv_view.h). In q4, rope_and_store turns the heads of q and k,
// after RoPE, and those of v by an orthonormal Hadamard matrix, which leaves scores as they are and
// spreads outliers, and attend turns its output back. Head dims are multiples of 16, at most 256.
// Values beyond the f16 range are stored as +-65504, so that a masked key (probability exactly 0)
// cannot turn an earlier token into NaN. Reference for online softmax: Milakov and Gimelshein 2018;
// tiling: Dao et al. 2022 (FlashAttention).
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/result.h"
#include "kernels/attention/attention_args.h"
#include "machine/isa.h"

namespace hone::kernels {

// Names of KvDtype in its order: "f16", "q8", "q4".
std::span<const char* const> kv_dtype_names();

// Scratch of one thread for calls with up to kAttendTokensMax tokens per work unit.
size_t attend_scratch_bytes(uint32_t group, uint32_t head_dim);

using RopeStoreFn = void (*)(const RopeStoreArgs&) noexcept;
using AttendFn = void (*)(const AttendArgs&) noexcept;

struct AttentionVariant {
    const char* name;
    machine::Isa isa;
    RopeStoreFn rope_and_store;
    AttendFn attend;
    AttendFn merge;
};

std::span<const AttentionVariant> attention_variants();
base::Result<const AttentionVariant*> select_attention(machine::Isa have,
                                                       std::string_view name = {});

}  // namespace hone::kernels
