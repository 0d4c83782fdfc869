// What an attention kernel may know of the KV cache: page pointers, layout, window. Not the pool.
//
// A page holds kPageTokens consecutive positions of one sequence, for all layers of a layer group.
// For one layer and one KV head a page stores
//   K transposed in strips of 16 positions: [kPageTokens / 16][head_dim][16]
//     (scores vectorize over keys)
//   V position-major:                       [kPageTokens][head_dim]
//     (output vectorizes over dims)
// in f16, or in q8: int8 codes, and behind each of the two its f32 scales [kPageTokens], one for
// all dims of a position, so that a value is scale * code with |code| <= 127. Or in q4: the same
// with codes in -8 .. 7, two in a byte and both of one position, so that no two writers share a
// byte, of K and V turned by a Hadamard matrix (attention/attention.h):
//   K  [kPageTokens / 16][row][16]  row = head_dim rounded up to 32, / 2; byte i of a key has dim
//                                   2i in its low and dim 2i + 1 in its high half
//   V  [kPageTokens][row]           byte 16g + i has dim 32g + i low and dim 32g + 16 + i high
// Pages start zeroed, so positions not yet written contribute exact zeros under a masked softmax.
// Pages below the window of a windowed group may be null: a kernel never touches them.
// Borrowed; valid for one step.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hone::kernels {

inline constexpr size_t kPageTokens = 32;
inline constexpr size_t kKeyStrip = 16;

enum class KvDtype : uint8_t { f16, q8, q4 };

// How one layer group lays out a page. Offsets in bytes from the page's start.
struct KvLayout {
    uint32_t n_kv_heads = 0;
    uint32_t head_dim = 0;  // a multiple of 16
    uint32_t layers = 0;    // layers in the group
    uint32_t window = 0;    // 0: every earlier position is visible; else only the last `window`

    KvDtype dtype = KvDtype::f16;

    // K or V of one position and head, without and with its scale.
    size_t code_bytes() const {
        if (dtype == KvDtype::q4) return (size_t{head_dim} + 31) / 32 * 16;
        return dtype == KvDtype::q8 ? head_dim : head_dim * sizeof(uint16_t);
    }
    size_t scale_bytes() const { return dtype == KvDtype::f16 ? 0 : sizeof(float); }
    size_t value_bytes() const { return code_bytes() + scale_bytes(); }
    size_t head_bytes() const { return kPageTokens * value_bytes(); }  // K or V, one head
    // Of a head's scales, from where its K or V begins.
    size_t scales_offset() const { return kPageTokens * code_bytes(); }
    size_t position_bytes() const { return size_t{layers} * 2 * n_kv_heads * value_bytes(); }
    size_t layer_bytes() const { return 2 * n_kv_heads * head_bytes(); }
    size_t page_bytes() const { return layers * layer_bytes(); }
    size_t k_offset(uint32_t layer, uint32_t head) const {
        return layer * layer_bytes() + head * head_bytes();
    }
    size_t v_offset(uint32_t layer, uint32_t head) const {
        return k_offset(layer, head) + n_kv_heads * head_bytes();
    }
};

// One sequence in one layer group.
struct KvView {
    KvLayout layout;
    std::byte* const* pages = nullptr;  // [ceil(positions / kPageTokens)]
    uint32_t layer_in_group = 0;

    std::byte* k(size_t position, uint32_t head) const {
        return pages[position / kPageTokens] + layout.k_offset(layer_in_group, head);
    }
    std::byte* v(size_t position, uint32_t head) const {
        return pages[position / kPageTokens] + layout.v_offset(layer_in_group, head);
    }
};

}  // namespace hone::kernels
