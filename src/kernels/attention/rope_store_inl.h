// RoPE and KV store of one ISA; included after attention_inl.h, whose rules hold.
HWY_BEFORE_NAMESPACE();
namespace hone::kernels::HONE_ATTENTION_TARGET {
namespace {

// Rotates the leading dims of one head; cos_sin is that position's row.
HWY_INLINE void rotate(const RopeStoreArgs& args, const float* cos_sin, const float* x, float* y) {
    const size_t pairs = args.rope_dims / 2;
    size_t i = 0;
    if (args.style == RopeStyle::adjacent) {
        for (; i + kLanes <= 2 * pairs; i += kLanes) {
            const V v = hn::LoadU(d, x + i);
            const V table = hn::LoadU(d, cos_sin + i);
            const V turned = hn::Mul(hn::Reverse2(d, v), hn::DupOdd(table));
            const V cosine = hn::DupEven(table);
            hn::StoreU(hn::OddEven(hn::MulAdd(v, cosine, turned), hn::MulSub(v, cosine, turned)), d,
                       y + i);
        }
        for (i /= 2; i < pairs; ++i) {
            const float a = x[2 * i];
            const float b = x[2 * i + 1];
            y[2 * i] = a * cos_sin[2 * i] - b * cos_sin[2 * i + 1];
            y[2 * i + 1] = a * cos_sin[2 * i + 1] + b * cos_sin[2 * i];
        }
    } else if (args.style == RopeStyle::halves) {
        for (; i + kLanes <= pairs; i += kLanes) {
            V cosine;
            V sine;
            hn::LoadInterleaved2(d, cos_sin + 2 * i, cosine, sine);
            const V a = hn::LoadU(d, x + i);
            const V b = hn::LoadU(d, x + pairs + i);
            hn::StoreU(hn::MulSub(a, cosine, hn::Mul(b, sine)), d, y + i);
            hn::StoreU(hn::MulAdd(a, sine, hn::Mul(b, cosine)), d, y + pairs + i);
        }
        for (; i < pairs; ++i) {
            const float a = x[i];
            const float b = x[pairs + i];
            y[i] = a * cos_sin[2 * i] - b * cos_sin[2 * i + 1];
            y[pairs + i] = a * cos_sin[2 * i + 1] + b * cos_sin[2 * i];
        }
    }
}

// y = x / sqrt(mean(x^2) + epsilon) * weight for one head, whose dims are whole vectors; a copy
// without weights. y may be x.
HWY_INLINE void normalize_head(const float* weight, float epsilon, size_t dim, const float* x,
                               float* y) {
    V factor = hn::Set(d, 1.0f);
    if (weight != nullptr) {
        V sum = hn::Zero(d);
        for (size_t i = 0; i < dim; i += kLanes) {
            const V v = hn::LoadU(d, x + i);
            sum = hn::MulAdd(v, v, sum);
        }
        const V mean = hn::Div(hn::SumOfLanes(d, sum), hn::Set(d, static_cast<float>(dim)));
        factor = hn::Div(factor, hn::Sqrt(hn::Add(mean, hn::Set(d, epsilon))));
    }
    for (size_t i = 0; i < dim; i += kLanes) {
        const V v = hn::LoadU(d, x + i);
        const V normed =
            weight == nullptr ? v : hn::Mul(hn::Mul(v, factor), hn::LoadU(d, weight + i));
        hn::StoreU(normed, d, y + i);
    }
}

constexpr size_t kHeadDimMax = 256;

// Codes in [-127, 127] and the scale that turns them back. Beyond the f16 range values saturate, as
// they do in f16; a vector with a NaN becomes zeros.
HWY_INLINE float to_codes(const float* x, size_t dim, int8_t* codes) {
    const V limit = hn::Set(d, 65504.0f);
    V top = hn::Zero(d);
    auto numbers = hn::Eq(top, top);
    for (size_t i = 0; i < dim; i += kLanes) {
        const V v = hn::LoadU(d, x + i);
        numbers = hn::And(numbers, hn::Eq(v, v));
        top = hn::Max(top, hn::Min(hn::Abs(v), limit));
    }
    const float largest = hn::GetLane(hn::MaxOfLanes(d, top));
    const bool empty = largest == 0.0f || !hn::AllTrue(d, numbers);
    const V inverse = hn::Set(d, empty ? 0.0f : 127.0f / largest);
    int32_t wide[kHeadDimMax];
    for (size_t i = 0; i < dim; i += kLanes) {
        const auto n = hn::NearestInt(hn::Mul(hn::LoadU(d, x + i), inverse));
        hn::StoreU(hn::Min(hn::Max(n, hn::Set(di, -127)), hn::Set(di, 127)), di, wide + i);
    }
    for (size_t i = 0; i < dim; ++i) codes[i] = static_cast<int8_t>(empty ? 0 : wide[i]);
    return empty ? 0.0f : largest / 127.0f;
}

// The head within the f16 range, turned; y may be x. A NaN stays one.
HWY_INLINE void turn_within_range(const float* x, size_t dim, float* y) {
    const V limit = hn::Set(d, 65504.0f);
    for (size_t i = 0; i < dim; i += kLanes) {
        // In this operand order a NaN passes through both.
        hn::StoreU(hn::Min(limit, hn::Max(hn::Neg(limit), hn::LoadU(d, x + i))), d, y + i);
    }
    turn(y, dim, y);
}

// Codes in [-8, 7] of a turned head and the scale that turns them back: the value of the largest
// magnitude becomes -8, whatever its sign, so that all 16 codes are in use. A vector with a NaN
// becomes zeros.
HWY_INLINE float to_small_codes(const float* x, size_t dim, int32_t* codes) {
    V top = hn::Zero(d);
    V bottom = hn::Zero(d);
    auto numbers = hn::Eq(top, top);
    for (size_t i = 0; i < dim; i += kLanes) {
        const V v = hn::LoadU(d, x + i);
        numbers = hn::And(numbers, hn::Eq(v, v));
        top = hn::Max(top, v);
        bottom = hn::Min(bottom, v);
    }
    const float most = hn::GetLane(hn::MaxOfLanes(d, top));
    const float least = hn::GetLane(hn::MinOfLanes(d, bottom));
    const float farthest = most >= -least ? most : least;
    const bool empty = farthest == 0.0f || !hn::AllTrue(d, numbers);
    const V inverse = hn::Set(d, empty ? 0.0f : -8.0f / farthest);
    for (size_t i = 0; i < dim; i += kLanes) {
        const auto n = hn::NearestInt(hn::Mul(hn::LoadU(d, x + i), inverse));
        const auto code = hn::Min(hn::Max(n, hn::Set(di, -8)), hn::Set(di, 7));
        hn::StoreU(empty ? hn::Zero(di) : code, di, codes + i);
    }
    return empty ? 0.0f : farthest / -8.0f;
}

HWY_INLINE std::byte pair_of(int32_t low, int32_t high) {
    return static_cast<std::byte>((static_cast<uint32_t>(low) & 15u) | static_cast<uint32_t>(high)
                                                                           << 4);
}

// Writes one position of one KV head in q4 (kernels/kv_view.h); k is that after RoPE.
HWY_INLINE void store_turned(size_t dim, size_t slot, std::byte* k_page, std::byte* v_page,
                             const float* k, const float* v) {
    const size_t row = code_bytes(KvDtype::q4, dim);
    float turned[kHeadDimMax];
    // 16 zeros behind, for the half of the last byte of V that has no dim.
    int32_t codes[kHeadDimMax + kUnit] = {};
    turn_within_range(k, dim, turned);
    reinterpret_cast<float*>(k_page + kPageTokens * row)[slot] = to_small_codes(turned, dim, codes);
    std::byte* key = k_page + slot / kKeyStrip * row * kKeyStrip + slot % kKeyStrip;
    for (size_t i = 0; i < dim; i += 2) key[i / 2 * kKeyStrip] = pair_of(codes[i], codes[i + 1]);
    turn_within_range(v, dim, turned);
    reinterpret_cast<float*>(v_page + kPageTokens * row)[slot] = to_small_codes(turned, dim, codes);
    std::byte* value = v_page + slot * row;
    for (size_t i = 0; i < row; ++i) {
        const size_t at = i / kUnit * 32 + i % kUnit;
        value[i] = pair_of(codes[at], codes[at + kUnit]);
    }
}

// The key in slot `slot` goes across its strip.
template <class T>
HWY_INLINE void scatter_key(const T* key, size_t dim, size_t slot, T* page) {
    T* at = page + slot / kKeyStrip * dim * kKeyStrip + slot % kKeyStrip;
    for (size_t i = 0; i < dim; ++i) at[i * kKeyStrip] = key[i];
}

// Writes one position of one KV head: K across the strips, V as a row.
HWY_INLINE void store(const RopeStoreArgs& args, const float* cos_sin, size_t position,
                      std::byte* k_page, std::byte* v_page, const float* k, const float* v) {
    const size_t dim = args.kv.layout.head_dim;
    const size_t slot = position % kPageTokens;
    float rotated[kHeadDimMax];
    normalize_head(args.k_norm, args.norm_epsilon, dim, k, rotated);
    rotate(args, cos_sin, rotated, rotated);
    if (args.kv.layout.dtype == KvDtype::q4) {
        store_turned(dim, slot, k_page, v_page, rotated, v);
        return;
    }
    if (args.kv.layout.dtype == KvDtype::q8) {
        const auto scales = [dim](std::byte* page) {
            return reinterpret_cast<float*>(page + kPageTokens * dim);
        };
        int8_t codes[kHeadDimMax];
        scales(k_page)[slot] = to_codes(rotated, dim, codes);
        scatter_key(codes, dim, slot, reinterpret_cast<int8_t*>(k_page));
        scales(v_page)[slot] = to_codes(v, dim, reinterpret_cast<int8_t*>(v_page) + slot * dim);
        return;
    }
    uint16_t halves[kHeadDimMax];
    to_halves(rotated, dim, halves);
    scatter_key(halves, dim, slot, reinterpret_cast<uint16_t*>(k_page));
    to_halves(v, dim, reinterpret_cast<uint16_t*>(v_page) + slot * dim);
}

}  // namespace

void rope_and_store(const RopeStoreArgs& args) noexcept {
    const size_t dim = args.kv.layout.head_dim;
    const size_t n_kv_heads = args.kv.layout.n_kv_heads;
    const size_t group = args.n_heads / n_kv_heads;
    for (size_t head = args.kv_head_begin; head < args.kv_head_end; ++head) {
        const HeadOffsets offsets = head_offsets(args.kv, head);
        for (size_t token = 0; token < args.n_tokens; ++token) {
            const size_t position = args.first_position + token;
            const float* cos_sin = args.cos_sin + position * args.rope_dims;
            float* row = args.qkv + token * args.qkv_stride;
            for (size_t g = 0; g < group; ++g) {
                float* q = row + (head * group + g) * dim;
                if (args.q_norm != nullptr) {
                    normalize_head(args.q_norm, args.norm_epsilon, dim, q, q);
                }
                rotate(args, cos_sin, q, q);
                if (args.kv.layout.dtype == KvDtype::q4) turn(q, dim, q);
            }
            const float* k = row + (args.n_heads + head) * dim;
            std::byte* page = args.kv.pages[position / kPageTokens];
            store(args, cos_sin, position, page + offsets.k, page + offsets.v, k,
                  k + n_kv_heads * dim);
        }
    }
}

}  // namespace hone::kernels::HONE_ATTENTION_TARGET
HWY_AFTER_NAMESPACE();
