// The formulas of attention/attention.h, key after key. Never optimized: tests compare with it.
#include <algorithm>
#include <cmath>

#include "kernels/attention/entries.h"
#include "tensor/half.h"

namespace hone::kernels::attention_reference {
namespace {

constexpr uint32_t kHeadDimMax = 256;
constexpr float kHalfMax = 65504.0f;

void rotate(const RopeStoreArgs& args, const float* cos_sin, float* x) {
    if (args.style == RopeStyle::none) return;
    const uint32_t pairs = args.rope_dims / 2;
    const bool adjacent = args.style == RopeStyle::adjacent;
    for (uint32_t i = 0; i < pairs; ++i) {
        float& a = x[adjacent ? 2 * i : i];
        float& b = x[adjacent ? 2 * i + 1 : i + pairs];
        const float rotated_a = a * cos_sin[2 * i] - b * cos_sin[2 * i + 1];
        const float rotated_b = a * cos_sin[2 * i + 1] + b * cos_sin[2 * i];
        a = rotated_a;
        b = rotated_b;
    }
}

uint16_t to_half(float x) {
    return tensor::f32_to_f16(std::clamp(x, -kHalfMax, kHalfMax));
}

uint16_t* half_at(std::byte* base) {
    return reinterpret_cast<uint16_t*>(base);
}

// Where dim d of the key in slot `slot` of a page lies: strips of kKeyStrip keys, dims, keys.
size_t key_index(uint32_t head_dim, size_t slot, uint32_t d) {
    return (slot / kKeyStrip * head_dim + d) * kKeyStrip + slot % kKeyStrip;
}

void store(const RopeStoreArgs& args, uint32_t position, uint32_t head, const float* k,
           const float* v) {
    const uint32_t dim = args.kv.layout.head_dim;
    const size_t slot = position % kPageTokens;
    uint16_t* keys = half_at(args.kv.k(position, head));
    uint16_t* values = half_at(args.kv.v(position, head)) + slot * dim;
    for (uint32_t d = 0; d < dim; ++d) {
        keys[key_index(dim, slot, d)] = to_half(k[d]);
        values[d] = to_half(v[d]);
    }
}

// One query over keys [begin, end), online over pages as the contract says.
void attend_one(const AttendArgs& args, const float* q, size_t begin, size_t end, float* out) {
    const uint32_t dim = args.kv.layout.head_dim;
    float largest = -INFINITY;
    float sum = 0.0f;
    std::fill(out, out + dim, 0.0f);
    for (size_t page = begin / kPageTokens; page * kPageTokens < end; ++page) {
        const size_t first = page * kPageTokens;
        const uint16_t* keys = half_at(args.kv.k(first, args.kv_head));
        const uint16_t* values = half_at(args.kv.v(first, args.kv_head));
        float score[kPageTokens];
        float next = largest;
        for (size_t j = 0; j < kPageTokens; ++j) {
            float dot = 0.0f;
            for (uint32_t d = 0; d < dim; ++d) {
                dot += q[d] * tensor::f16_to_f32(keys[key_index(dim, j, d)]);
            }
            const bool visible = first + j >= begin && first + j < end;
            score[j] = visible ? dot * args.scale : -INFINITY;
            next = std::max(next, score[j]);
        }
        const float shrink = std::exp(largest - next);
        for (uint32_t d = 0; d < dim; ++d) out[d] *= shrink;
        sum *= shrink;
        for (size_t j = 0; j < kPageTokens; ++j) {
            const float p = std::exp(score[j] - next);
            sum += p;
            for (uint32_t d = 0; d < dim; ++d) {
                out[d] += p * tensor::f16_to_f32(values[j * dim + d]);
            }
        }
        largest = next;
    }
    for (uint32_t d = 0; d < dim; ++d) out[d] /= sum;
}

}  // namespace

void rope_and_store(const RopeStoreArgs& args) noexcept {
    const uint32_t dim = args.kv.layout.head_dim;
    const uint32_t group = args.n_heads / args.kv.layout.n_kv_heads;
    for (uint32_t token = 0; token < args.n_tokens; ++token) {
        const uint32_t position = args.first_position + token;
        float* row = args.qkv + token * args.qkv_stride;
        const float* cos_sin = args.cos_sin + size_t{position} * args.rope_dims;
        for (uint32_t head = args.kv_head_begin; head < args.kv_head_end; ++head) {
            for (uint32_t g = 0; g < group; ++g) {
                rotate(args, cos_sin, row + (head * group + g) * dim);
            }
            const float* k = row + (args.n_heads + head) * dim;
            const float* v = k + args.kv.layout.n_kv_heads * dim;
            float rotated[kHeadDimMax];
            std::copy(k, k + dim, rotated);
            rotate(args, cos_sin, rotated);
            store(args, position, head, rotated, v);
        }
    }
}

void attend(const AttendArgs& args) noexcept {
    const uint32_t dim = args.kv.layout.head_dim;
    const uint32_t group = args.n_heads / args.kv.layout.n_kv_heads;
    const size_t window = args.kv.layout.window;
    for (uint32_t token = args.token_begin; token < args.token_end; ++token) {
        const size_t end = size_t{args.first_position} + token + 1;
        const size_t begin = window != 0 && end > window ? end - window : 0;
        for (uint32_t g = 0; g < group; ++g) {
            const size_t offset = size_t{args.kv_head * group + g} * dim;
            attend_one(args, args.q + token * args.q_stride + offset, begin, end,
                       args.out + token * args.out_stride + offset);
        }
    }
}

}  // namespace hone::kernels::attention_reference
