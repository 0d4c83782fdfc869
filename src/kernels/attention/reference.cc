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

// The q8 scale of a vector: its largest magnitude becomes code 127. NaN anywhere: 0.
float scale_of(const float* x, uint32_t dim) {
    float largest = 0.0f;
    for (uint32_t d = 0; d < dim; ++d) {
        if (std::isnan(x[d])) return 0.0f;
        largest = std::max(largest, std::min(std::fabs(x[d]), kHalfMax));
    }
    return largest / 127.0f;
}

int8_t to_code(float x, float scale) {
    if (scale == 0.0f) return 0;
    return static_cast<int8_t>(std::clamp(std::nearbyint(x / scale), -127.0f, 127.0f));
}

// One value out of a page: `index` within the head's K or V, `slot` the position within the page.
float value_at(const KvLayout& layout, const std::byte* head, size_t index, size_t slot) {
    if (layout.dtype == KvDtype::f16) {
        return tensor::f16_to_f32(reinterpret_cast<const uint16_t*>(head)[index]);
    }
    const auto* scales = reinterpret_cast<const float*>(head + layout.scales_offset());
    return scales[slot] * static_cast<float>(reinterpret_cast<const int8_t*>(head)[index]);
}

// Where dim d of the key in slot `slot` of a page lies: strips of kKeyStrip keys, dims, keys.
size_t key_index(uint32_t head_dim, size_t slot, uint32_t d) {
    return (slot / kKeyStrip * head_dim + d) * kKeyStrip + slot % kKeyStrip;
}

void store(const RopeStoreArgs& args, uint32_t position, uint32_t head, const float* k,
           const float* v) {
    const uint32_t dim = args.kv.layout.head_dim;
    const size_t slot = position % kPageTokens;
    std::byte* k_head = args.kv.k(position, head);
    std::byte* v_head = args.kv.v(position, head);
    if (args.kv.layout.dtype == KvDtype::q8) {
        const size_t at = args.kv.layout.scales_offset();
        float& k_scale = reinterpret_cast<float*>(k_head + at)[slot];
        float& v_scale = reinterpret_cast<float*>(v_head + at)[slot];
        k_scale = scale_of(k, dim);
        v_scale = scale_of(v, dim);
        for (uint32_t d = 0; d < dim; ++d) {
            reinterpret_cast<int8_t*>(k_head)[key_index(dim, slot, d)] = to_code(k[d], k_scale);
            reinterpret_cast<int8_t*>(v_head)[slot * dim + d] = to_code(v[d], v_scale);
        }
        return;
    }
    uint16_t* keys = half_at(k_head);
    uint16_t* values = half_at(v_head) + slot * dim;
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
        const std::byte* keys = args.kv.k(first, args.kv_head);
        const std::byte* values = args.kv.v(first, args.kv_head);
        float score[kPageTokens];
        float next = largest;
        for (size_t j = 0; j < kPageTokens; ++j) {
            float dot = 0.0f;
            for (uint32_t d = 0; d < dim; ++d) {
                dot += q[d] * value_at(args.kv.layout, keys, key_index(dim, j, d), j);
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
                out[d] += p * value_at(args.kv.layout, values, j * dim + d, j);
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
