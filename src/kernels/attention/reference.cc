// The formulas of attention/attention.h, key after key. Never optimized: tests compare with it.
#include <algorithm>
#include <bit>
#include <cmath>

#include "kernels/attention/entries.h"
#include "tensor/half.h"

namespace hone::kernels::attention_reference {
namespace {

constexpr uint32_t kHeadDimMax = 256;

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

// x / sqrt(mean(x^2) + epsilon) * weight, in place; nothing without weights.
void normalize_head(const float* weight, float epsilon, uint32_t dim, float* x) {
    if (weight == nullptr) return;
    double squares = 0.0;
    for (uint32_t d = 0; d < dim; ++d) squares += static_cast<double>(x[d]) * x[d];
    const auto factor = static_cast<float>(1.0 / std::sqrt(squares / dim + epsilon));
    for (uint32_t d = 0; d < dim; ++d) x[d] = x[d] * factor * weight[d];
}

uint16_t to_half(float x) {
    return tensor::f32_to_f16(std::clamp(x, -tensor::kHalfMax, tensor::kHalfMax));
}

uint16_t* half_at(std::byte* base) {
    return reinterpret_cast<uint16_t*>(base);
}

// The q8 scale of a vector: its largest magnitude becomes code 127. NaN anywhere: 0.
float scale_of(const float* x, uint32_t dim) {
    float largest = 0.0f;
    for (uint32_t d = 0; d < dim; ++d) {
        if (std::isnan(x[d])) return 0.0f;
        largest = std::max(largest, std::min(std::fabs(x[d]), tensor::kHalfMax));
    }
    return largest / 127.0f;
}

int8_t to_code(float x, float scale) {
    if (scale == 0.0f) return 0;
    return static_cast<int8_t>(std::clamp(std::nearbyint(x / scale), -127.0f, 127.0f));
}

// y[i] = sum over j of (-1)^popcount(i & j) x[j] / sqrt(n), in blocks of n dims, the largest power
// of two that divides dim; in place.
void turn(float* x, uint32_t dim) {
    const uint32_t n = dim & (~dim + 1);
    float y[kHeadDimMax];
    for (uint32_t i = 0; i < dim; ++i) {
        double sum = 0.0;
        for (uint32_t j = 0; j < n; ++j) {
            const double value = x[i / n * n + j];
            sum += std::popcount(i % n & j) % 2 == 0 ? value : -value;
        }
        y[i] = static_cast<float>(sum / std::sqrt(n));
    }
    std::copy(y, y + dim, x);
}

// The q4 scale of a vector: its value of the largest magnitude becomes code -8. NaN anywhere: 0.
float small_scale_of(const float* x, uint32_t dim) {
    float most = 0.0f;
    float least = 0.0f;
    for (uint32_t d = 0; d < dim; ++d) {
        if (std::isnan(x[d])) return 0.0f;
        most = std::max(most, x[d]);
        least = std::min(least, x[d]);
    }
    return (most >= -least ? most : least) / -8.0f;
}

uint8_t to_small_code(float x, float scale) {
    if (scale == 0.0f) return 0;
    return static_cast<uint8_t>(
        static_cast<int8_t>(std::clamp(std::nearbyint(x / scale), -8.0f, 7.0f)) & 15);
}

// Where a q4 code lies: its byte from the head's K or V, and the shift within it.
struct SmallCode {
    size_t byte;
    uint32_t shift;
};
SmallCode small_key(const KvLayout& layout, size_t slot, uint32_t d) {
    const size_t strip = slot / kKeyStrip * layout.code_bytes() * kKeyStrip;
    return {strip + d / 2 * kKeyStrip + slot % kKeyStrip, d % 2 * 4};
}
SmallCode small_value(const KvLayout& layout, size_t slot, uint32_t d) {
    return {slot * layout.code_bytes() + d / 32 * 16 + d % 16, d / 16 % 2 * 4};
}

float value_at(const KvLayout& layout, const std::byte* head, SmallCode code, size_t slot) {
    const auto* scales = reinterpret_cast<const float*>(head + layout.scales_offset());
    const int bits = std::to_integer<int>(head[code.byte]) >> code.shift & 15;
    return scales[slot] * static_cast<float>(bits < 8 ? bits : bits - 16);
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

float key_at(const KvLayout& layout, const std::byte* head, size_t slot, uint32_t d) {
    if (layout.dtype == KvDtype::q4)
        return value_at(layout, head, small_key(layout, slot, d), slot);
    return value_at(layout, head, key_index(layout.head_dim, slot, d), slot);
}

float output_at(const KvLayout& layout, const std::byte* head, size_t slot, uint32_t d) {
    if (layout.dtype == KvDtype::q4) {
        return value_at(layout, head, small_value(layout, slot, d), slot);
    }
    return value_at(layout, head, slot * layout.head_dim + d, slot);
}

// One head's k or v in q4, with where(layout, slot, d) as the place of a code.
template <class Where>
void store_small(const KvLayout& layout, size_t slot, const float* x, std::byte* head,
                 Where where) {
    float turned[kHeadDimMax];
    for (uint32_t d = 0; d < layout.head_dim; ++d) {
        turned[d] = std::isnan(x[d]) ? x[d] : std::clamp(x[d], -tensor::kHalfMax, tensor::kHalfMax);
    }
    turn(turned, layout.head_dim);
    float& scale = reinterpret_cast<float*>(head + layout.scales_offset())[slot];
    scale = small_scale_of(turned, layout.head_dim);
    for (uint32_t d = 0; d < layout.head_dim; ++d) {
        const SmallCode code = where(layout, slot, d);
        const auto others = static_cast<std::byte>(15u << (4 - code.shift));
        const auto bits = static_cast<std::byte>(to_small_code(turned[d], scale) << code.shift);
        head[code.byte] = (head[code.byte] & others) | bits;
    }
}

void store(const RopeStoreArgs& args, uint32_t position, uint32_t head, const float* k,
           const float* v) {
    const uint32_t dim = args.kv.layout.head_dim;
    const size_t slot = position % kPageTokens;
    std::byte* k_head = args.kv.k(position, head);
    std::byte* v_head = args.kv.v(position, head);
    if (args.kv.layout.dtype == KvDtype::q4) {
        store_small(args.kv.layout, slot, k, k_head, small_key);
        store_small(args.kv.layout, slot, v, v_head, small_value);
        return;
    }
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

// The state of a query, laid out as attend_state_floats() says: here the sum is in one lane.
struct State {
    float* out;
    float& sum;
    float& largest;

    State(float* at, uint32_t dim) : out(at), sum(at[dim]), largest(at[dim + 16]) {}
};

void clear(float* state, uint32_t dim) {
    std::fill(state, state + attend_state_floats(dim), 0.0f);
    State(state, dim).largest = -INFINITY;
}

// One query over the keys of [begin, end) that lie in `chunk`, online over pages.
void attend_chunk(const AttendArgs& args, const float* q, size_t begin, size_t end, size_t chunk,
                  float* state) {
    const uint32_t dim = args.kv.layout.head_dim;
    clear(state, dim);
    State s(state, dim);
    begin = std::max<size_t>(begin, chunk * kAttendChunk);
    end = std::min<size_t>(end, (chunk + 1) * kAttendChunk);
    for (size_t page = begin / kPageTokens; page * kPageTokens < end; ++page) {
        const size_t first = page * kPageTokens;
        const std::byte* keys = args.kv.k(first, args.kv_head);
        const std::byte* values = args.kv.v(first, args.kv_head);
        float score[kPageTokens];
        float next = s.largest;
        for (size_t j = 0; j < kPageTokens; ++j) {
            float dot = 0.0f;
            for (uint32_t d = 0; d < dim; ++d) {
                dot += q[d] * key_at(args.kv.layout, keys, j, d);
            }
            const bool visible = first + j >= begin && first + j < end;
            float scaled = dot * args.scale;
            if (args.soft_cap > 0.0f) scaled = args.soft_cap * std::tanh(scaled / args.soft_cap);
            score[j] = visible ? scaled : -INFINITY;
            next = std::max(next, score[j]);
        }
        const float shrink = std::exp(s.largest - next);
        for (uint32_t d = 0; d < dim; ++d) s.out[d] *= shrink;
        s.sum *= shrink;
        for (size_t j = 0; j < kPageTokens; ++j) {
            const float p = std::exp(score[j] - next);
            s.sum += p;
            for (uint32_t d = 0; d < dim; ++d) {
                s.out[d] += p * output_at(args.kv.layout, values, j, d);
            }
        }
        s.largest = next;
    }
}

void merge_state(uint32_t dim, float* from_floats, float* to_floats) {
    const State from(from_floats, dim);
    State to(to_floats, dim);
    const float next = std::max(from.largest, to.largest);
    const float keep = to.largest == next ? 1.0f : std::exp(to.largest - next);
    const float take = from.largest == next ? 1.0f : std::exp(from.largest - next);
    if (from.sum == 0.0f) return;
    for (uint32_t d = 0; d < dim; ++d) to.out[d] = to.out[d] * keep + from.out[d] * take;
    to.sum = to.sum * keep + from.sum * take;
    to.largest = next;
}

// The queries of a work unit, one after the other: visit(row, q, begin, end, out).
template <class Visit>
void each_query(const AttendArgs& args, Visit visit) {
    const uint32_t dim = args.kv.layout.head_dim;
    const uint32_t group = args.n_heads / args.kv.layout.n_kv_heads;
    const size_t window = args.kv.layout.window;
    size_t row = 0;
    for (uint32_t token = args.token_begin; token < args.token_end; ++token) {
        const size_t end = size_t{args.first_position} + (args.causal ? token + 1 : args.n_tokens);
        const size_t begin = window != 0 && end > window ? end - window : 0;
        for (uint32_t g = 0; g < group; ++g, ++row) {
            const size_t offset = size_t{args.kv_head * group + g} * dim;
            visit(row, args.q + token * args.q_stride + offset, begin, end,
                  args.out + token * args.out_stride + offset);
        }
    }
}

// The first chunk of a merge: the one that the unit's first query begins in.
size_t first_chunk(const AttendArgs& args) {
    const size_t window = args.kv.layout.window;
    const size_t end = size_t{args.first_position} + args.token_begin + 1;
    return (window != 0 && end > window ? end - window : 0) / kAttendChunk;
}

void normalize(const KvLayout& layout, const float* state, float* out) {
    const uint32_t dim = layout.head_dim;
    for (uint32_t d = 0; d < dim; ++d) out[d] = state[d] / state[dim];
    if (layout.dtype == KvDtype::q4) turn(out, dim);
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
                float* q = row + (head * group + g) * dim;
                normalize_head(args.q_norm, args.norm_epsilon, dim, q);
                rotate(args, cos_sin, q);
                if (args.kv.layout.dtype == KvDtype::q4) turn(q, dim);
            }
            const float* k = row + (args.n_heads + head) * dim;
            const float* v = k + args.kv.layout.n_kv_heads * dim;
            float rotated[kHeadDimMax];
            std::copy(k, k + dim, rotated);
            normalize_head(args.k_norm, args.norm_epsilon, dim, rotated);
            rotate(args, cos_sin, rotated);
            store(args, position, head, rotated, v);
        }
    }
}

void attend(const AttendArgs& args) noexcept {
    const uint32_t dim = args.kv.layout.head_dim;
    const size_t floats = attend_state_floats(dim);
    each_query(args, [&](size_t row, const float* q, size_t begin, size_t end, float* out) {
        if (args.partial != nullptr) {
            return attend_chunk(args, q, begin, end, args.chunk, args.partial + row * floats);
        }
        float chunk_state[attend_state_floats(kHeadDimMax)];
        float total[attend_state_floats(kHeadDimMax)];
        clear(total, dim);
        for (size_t chunk = begin / kAttendChunk; chunk * kAttendChunk < end; ++chunk) {
            attend_chunk(args, q, begin, end, chunk, chunk_state);
            merge_state(dim, chunk_state, total);
        }
        normalize(args.kv.layout, total, out);
    });
}

void merge(const AttendArgs& args) noexcept {
    const uint32_t dim = args.kv.layout.head_dim;
    const size_t floats = attend_state_floats(dim);
    const size_t queries =
        size_t{args.token_end - args.token_begin} * (args.n_heads / args.kv.layout.n_kv_heads);
    each_query(args, [&](size_t row, const float*, size_t, size_t end, float* out) {
        float total[attend_state_floats(kHeadDimMax)];
        clear(total, dim);
        float* state = args.partial + row * floats;
        for (size_t chunk = first_chunk(args); chunk * kAttendChunk < end; ++chunk) {
            merge_state(dim, state, total);
            state += queries * floats;
        }
        normalize(args.kv.layout, total, out);
    });
}

}  // namespace hone::kernels::attention_reference
