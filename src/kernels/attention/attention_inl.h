// The attention kernels of one ISA, written once over Highway's static target. An ISA file defines
// HONE_ATTENTION_TARGET (its namespace), includes <hwy/highway.h> and kernels/attention/entries.h,
// defines in an anonymous namespace
//   kTileRows   queries that one tile keeps in registers together
//   kTileUnits  units of 16 values beside them in the score product
//   value_units  the same in the output product, by the number of rows: few rows leave registers
//               for more of V's row, which then is read in order
//   to_halves   f32 -> f16, round to nearest even, saturating
// and then includes this and rope_store_inl.h; nothing else may. hadamard_inl.h and product_inl.h
// are parts of this.
//
// Both products of attention are one loop (product_inl.h). With many queries the page is converted
// to f32 once; with few (decode) the loop converts while it loads. The order of operations of one
// query is the same in every tile shape, so results do not depend on the shape.
#include "kernels/attention/vector_inl.h"

// Of which these make use.
#include "kernels/attention/hadamard_inl.h"
#include "kernels/attention/product_inl.h"

HWY_BEFORE_NAMESPACE();
namespace hone::kernels::HONE_ATTENTION_TARGET {
namespace {

// 2^x for x <= 0; exactly 1 at 0 and exactly 0 below -126 (so also at minus infinity). With
// n = round(x), 2^x = 2^n 2^r, r in [-0.5, 0.5]; the polynomial interpolates (2^r - 1) / r at the
// Chebyshev nodes of degree 5: 1e-8 relative before rounding.
HWY_INLINE V exp2(V x) {
    const auto vanishes = hn::Lt(x, hn::Set(d, -126.0f));
    x = hn::Max(x, hn::Set(d, -126.0f));
    const auto n = hn::NearestInt(x);
    const V r = hn::Sub(x, hn::ConvertTo(d, n));
    V p = hn::Set(d, 0.000154531634f);
    p = hn::MulAdd(p, r, hn::Set(d, 0.00133908633f));
    p = hn::MulAdd(p, r, hn::Set(d, 0.00961808302f));
    p = hn::MulAdd(p, r, hn::Set(d, 0.0555035695f));
    p = hn::MulAdd(p, r, hn::Set(d, 0.240226507f));
    p = hn::MulAdd(p, r, hn::Set(d, 0.693147182f));
    p = hn::MulAdd(p, r, hn::Set(d, 1.0f));
    const V power = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(n, hn::Set(di, 127))));
    return hn::IfThenZeroElse(vanishes, hn::Mul(p, power));
}

// One work unit: its queries as rows (token-major, then the heads of the group) and their state in
// scratch. Sizes as attend_scratch_bytes has them.
struct Work {
    size_t dim;
    size_t n_queries;
    size_t state;        // floats of one query's state
    float* q;            // [n_queries][dim], times scale * log2(e): scores are exponents of 2
    float* chunk;        // [n_queries][state], of the chunk being done: see State
    float* total;        // [n_queries][state], of all chunks before
    uint32_t* begin;     // [n_queries], first visible position
    uint32_t* end;       // [n_queries], behind the last visible position
    float soft_cap;      // of scores as exponents of 2; 0: none
    float* probability;  // [kTileRows][kPageTokens]
    float* k_page;       // [kStrips][dim][16]
    float* v_page;       // [kPageTokens][dim]
};

// Parts of a query's state (attend_state_floats): what was summed relative to the largest score.
HWY_INLINE float* lane_sums(float* state, size_t dim) {
    return state + dim;  // [16], probabilities summed by key mod 16
}
HWY_INLINE float& largest(float* state, size_t dim) {
    return state[dim + kUnit];
}

HWY_INLINE size_t round_up(size_t n) {
    return (n + 15) / 16 * 16;
}

HWY_INLINE Work lay_out(const AttendArgs& args, size_t group) {
    Work w;
    w.dim = args.kv.layout.head_dim;
    w.n_queries = (args.token_end - args.token_begin) * group;
    w.state = w.dim + 2 * kUnit;
    w.soft_cap = args.soft_cap * kLog2E;
    float* at = reinterpret_cast<float*>(args.scratch);
    const auto take = [&at](size_t n) {
        float* const taken = at;
        at += round_up(n);
        return taken;
    };
    w.probability = take(kTileRows * kPageTokens);
    w.k_page = take(kPageTokens * w.dim);
    w.v_page = take(kPageTokens * w.dim);
    w.q = take(w.n_queries * w.dim);
    w.chunk = take(w.n_queries * w.state);
    w.total = take(w.n_queries * w.state);
    w.begin = reinterpret_cast<uint32_t*>(take(w.n_queries));
    w.end = reinterpret_cast<uint32_t*>(take(w.n_queries));
    return w;
}

HWY_INLINE void start(const AttendArgs& args, size_t group, const Work& w) {
    const V factor = hn::Set(d, args.scale * kLog2E);
    const uint32_t window = args.kv.layout.window;
    size_t row = 0;
    for (uint32_t token = args.token_begin; token < args.token_end; ++token) {
        const uint32_t end = args.first_position + (args.causal ? token + 1 : args.n_tokens);
        const float* q = args.q + token * args.q_stride + args.kv_head * group * w.dim;
        for (size_t g = 0; g < group; ++g, ++row, q += w.dim) {
            for (size_t i = 0; i < w.dim; i += kLanes) {
                hn::StoreU(hn::Mul(hn::LoadU(d, q + i), factor), d, w.q + row * w.dim + i);
            }
            w.begin[row] = window != 0 && end > window ? end - window : 0;
            w.end[row] = end;
        }
    }
}

// The states of queries that have seen nothing.
HWY_INLINE void clear(const Work& w, float* states) {
    for (size_t row = 0; row < w.n_queries; ++row, states += w.state) {
        for (size_t i = 0; i < w.state; i += kLanes) hn::StoreU(hn::Zero(d), d, states + i);
        largest(states, w.dim) = kNegativeInfinity;
    }
}

// Adds the state `from` of a chunk to the state `to` of those before. One that has seen nothing
// changes nothing, bit for bit: its factor is 0 and the other's 1.
HWY_INLINE void merge_state(size_t dim, const float* from, float* to) {
    const V mine = hn::Set(d, to[dim + kUnit]);
    const V other = hn::Set(d, from[dim + kUnit]);
    const V top = hn::Max(mine, other);
    const V base = hn::IfThenZeroElse(hn::Eq(top, hn::Set(d, kNegativeInfinity)), top);
    const V keep = exp2(hn::Sub(mine, base));
    const V take = exp2(hn::Sub(other, base));
    for (size_t i = 0; i < dim + kUnit; i += kLanes) {
        const V added = hn::Mul(hn::LoadU(d, from + i), take);
        hn::StoreU(hn::MulAdd(hn::LoadU(d, to + i), keep, added), d, to + i);
    }
    to[dim + kUnit] = hn::GetLane(top);
}

// Hides the keys outside [begin, end) of the page that starts at position `first`.
HWY_INLINE void mask(V (&scores)[kPageVectors], int32_t first, int32_t begin, int32_t end) {
    const auto low = hn::Set(di, begin - first);
    const auto high = hn::Set(di, end - first - 1);
    for (size_t v = 0; v < kPageVectors; ++v) {
        const auto slot = hn::Iota(di, static_cast<int32_t>(v * kLanes));
        const auto hidden = hn::Or(hn::Lt(slot, low), hn::Gt(slot, high));
        scores[v] =
            hn::IfThenElse(hn::RebindMask(d, hidden), hn::Set(d, kNegativeInfinity), scores[v]);
    }
}

// cap * tanh(s / cap) = cap * (1 - e) / (1 + e) with e = exp(-2 |s| / cap), the sign of s restored:
// within 4e-7 of the cap.
HWY_INLINE void cap(V (&scores)[kPageVectors], float limit) {
    const V factor = hn::Set(d, -2.0f * kLog2E / limit);
    const V one = hn::Set(d, 1.0f);
    for (size_t v = 0; v < kPageVectors; ++v) {
        const V e = exp2(hn::Mul(hn::Abs(scores[v]), factor));
        const V t = hn::Div(hn::Sub(one, e), hn::Add(one, e));
        scores[v] = hn::CopySign(hn::Mul(t, hn::Set(d, limit)), scores[v]);
    }
}

// Turns the page's scores of one query into probabilities relative to the largest score so far,
// and returns the factor by which everything summed before shrinks.
HWY_INLINE float soften(const Work& w, size_t row, size_t first, float* scores) {
    V s[kPageVectors];
    for (size_t v = 0; v < kPageVectors; ++v) s[v] = hn::LoadU(d, scores + v * kLanes);
    if (w.soft_cap > 0.0f) cap(s, w.soft_cap);
    if (w.begin[row] > first || w.end[row] < first + kPageTokens) {
        mask(s, static_cast<int32_t>(first), static_cast<int32_t>(w.begin[row]),
             static_cast<int32_t>(w.end[row]));
    }
    V top = s[0];
    for (size_t v = 1; v < kPageVectors; ++v) top = hn::Max(top, s[v]);
    float* state = w.chunk + row * w.state;
    const V before = hn::Set(d, largest(state, w.dim));
    const V after = hn::Max(before, hn::MaxOfLanes(d, top));
    // While nothing was visible yet, 0 stands in for minus infinity, whose difference is no number.
    const V base = hn::IfThenZeroElse(hn::Eq(after, hn::Set(d, kNegativeInfinity)), after);
    const V shrink = exp2(hn::Sub(before, base));

    V sums[kUnitVectors];
    float* lanes = lane_sums(state, w.dim);
    for (size_t v = 0; v < kUnitVectors; ++v) {
        sums[v] = hn::Mul(hn::LoadU(d, lanes + v * kLanes), shrink);
    }
    for (size_t v = 0; v < kPageVectors; ++v) {
        const V p = exp2(hn::Sub(s[v], base));
        hn::StoreU(p, d, scores + v * kLanes);
        sums[v % kUnitVectors] = hn::Add(sums[v % kUnitVectors], p);
    }
    for (size_t v = 0; v < kUnitVectors; ++v) hn::StoreU(sums[v], d, lanes + v * kLanes);
    largest(state, w.dim) = hn::GetLane(after);
    return hn::GetLane(shrink);
}

HWY_INLINE void scale_keys(const float* scales, float* row) {
    for (size_t i = 0; i < kPageTokens; i += kLanes) {
        hn::StoreU(hn::Mul(hn::LoadU(d, row + i), hn::LoadU(d, scales + i)), d, row + i);
    }
}

// Queries [row, row + kRows) over a page. Scales are applied to scores and to probabilities, once
// per key and not once per value, in every tile shape alike.
template <size_t kRows, class T>
HWY_NOINLINE void tile(const Work& w, size_t row, const Page<T>& page) {
    const size_t first = page.first;
    // A page that no query of the tile sees changes nothing: all its probabilities would be 0 and
    // all factors 1.
    if (first >= w.end[row + kRows - 1] || first + kPageTokens <= w.begin[row]) return;
    const size_t dim = w.dim;
    const float* q = w.q + row * dim;
    // Codes and halves come straight from the cache pages in memory: strip after strip is one
    // stream, which the hardware prefetches; both strips at once were two streams and half the
    // bandwidth.
    constexpr size_t kScoreUnits = sizeof(T) < sizeof(float) ? 1 : kTileUnits;
    for (size_t strip = 0; strip < kStrips; strip += kScoreUnits) {
        multiply<kRows, kScoreUnits>(q, dim, dim, keys_of(page, dim, strip), nullptr,
                                     w.probability + strip * kKeyStrip, kPageTokens);
    }
    float shrink[kRows];
    for (size_t i = 0; i < kRows; ++i) {
        float* scores = w.probability + i * kPageTokens;
        if (page.k_scales != nullptr) scale_keys(page.k_scales, scores);
        shrink[i] = soften(w, row + i, first, scores);
        if (page.v_scales != nullptr) scale_keys(page.v_scales, scores);
    }
    float* out = w.chunk + row * w.state;
    size_t at = 0;
    constexpr size_t kValueUnits = value_units(kRows);
    static_assert(kValueUnits == 1 || kValueUnits % 2 == 0, "units pair up in Nibbles");
    for (; kValueUnits > 1 && at + kValueUnits * kUnit <= dim; at += kValueUnits * kUnit) {
        multiply<kRows, kValueUnits>(w.probability, kPageTokens, kPageTokens,
                                     values_of<0>(page, dim, at), shrink, out + at, w.state);
    }
    for (; at < dim; at += 2 * kUnit) {
        multiply<kRows, 1>(w.probability, kPageTokens, kPageTokens, values_of<0>(page, dim, at),
                           shrink, out + at, w.state);
        if (at + kUnit == dim) return;
        multiply<kRows, 1>(w.probability, kPageTokens, kPageTokens, values_of<1>(page, dim, at),
                           shrink, out + at + kUnit, w.state);
    }
}

// The rest of a page's queries that do not fill a tile.
template <size_t kRows, class T>
HWY_INLINE void partial_tile(const Work& w, size_t row, const Page<T>& page) {
    if (w.n_queries - row == kRows) {
        tile<kRows>(w, row, page);
    } else if constexpr (kRows > 1) {
        partial_tile<kRows - 1>(w, row, page);
    }
}

template <class T>
HWY_INLINE void all_tiles(const Work& w, const Page<T>& page) {
    size_t row = 0;
    for (; row + kTileRows <= w.n_queries; row += kTileRows) tile<kTileRows>(w, row, page);
    if (row < w.n_queries) partial_tile<kTileRows>(w, row, page);
}

// With few queries the products convert while they load; with many, the page is converted once.
template <class T>
HWY_INLINE void visit(const Work& w, const Page<T>& page) {
    if (w.n_queries <= kTileRows) {
        all_tiles(w, page);
        return;
    }
    widen(page, w.dim, w.k_page, w.v_page);
    all_tiles(w, Page<float>{page.first, w.k_page, w.v_page, page.k_scales, page.v_scales});
}

// Normalizes what was summed and hands it out, turned back where V was turned.
HWY_INLINE void finish(const AttendArgs& args, size_t group, const Work& w) {
    size_t row = 0;
    for (uint32_t token = args.token_begin; token < args.token_end; ++token) {
        float* out = args.out + token * args.out_stride + args.kv_head * group * w.dim;
        for (size_t g = 0; g < group; ++g, ++row, out += w.dim) {
            float* state = w.total + row * w.state;
            V sum = hn::LoadU(d, lane_sums(state, w.dim));
            for (size_t v = 1; v < kUnitVectors; ++v) {
                sum = hn::Add(sum, hn::LoadU(d, lane_sums(state, w.dim) + v * kLanes));
            }
            const V inverse = hn::Div(hn::Set(d, 1.0f), hn::SumOfLanes(d, sum));
            for (size_t i = 0; i < w.dim; i += kLanes) {
                hn::StoreU(hn::Mul(hn::LoadU(d, state + i), inverse), d, out + i);
            }
            if (args.kv.layout.dtype == KvDtype::q4) turn(out, w.dim, out);
        }
    }
}

// `codes`: bytes of the head's K or V before its scales.
template <class T>
HWY_INLINE void visit_page(const Work& w, size_t first, const std::byte* k, const std::byte* v,
                           size_t codes) {
    const auto scales = [&](const std::byte* head) {
        return sizeof(T) == 1 ? reinterpret_cast<const float*>(head + codes) : nullptr;
    };
    visit(w, Page<T>{first, reinterpret_cast<const T*>(k), reinterpret_cast<const T*>(v), scales(k),
                     scales(v)});
}

// The chunk's states of all queries, from the pages of it that one of them sees.
HWY_INLINE void run_chunk(const AttendArgs& args, const Work& w, size_t chunk) {
    clear(w, w.chunk);
    const HeadOffsets offsets = head_offsets(args.kv, args.kv_head);
    const KvDtype dtype = args.kv.layout.dtype;
    const size_t codes = kPageTokens * code_bytes(dtype, w.dim);
    const size_t begin = chunk * kAttendChunk;
    const size_t end = begin + kAttendChunk;
    const size_t first = w.begin[0] > begin ? w.begin[0] : begin;
    const size_t last = w.end[w.n_queries - 1] < end ? w.end[w.n_queries - 1] : end;
    for (size_t page = first / kPageTokens; page * kPageTokens < last; ++page) {
        const std::byte* k = args.kv.pages[page] + offsets.k;
        const std::byte* v = args.kv.pages[page] + offsets.v;
        if (dtype == KvDtype::q4) {
            visit_page<Nibbles>(w, page * kPageTokens, k, v, codes);
        } else if (dtype == KvDtype::q8) {
            visit_page<int8_t>(w, page * kPageTokens, k, v, codes);
        } else {
            visit_page<Half>(w, page * kPageTokens, k, v, codes);
        }
    }
}

}  // namespace

void attend(const AttendArgs& args) noexcept {
    if (args.token_begin >= args.token_end) return;
    const size_t group = args.n_heads / args.kv.layout.n_kv_heads;
    const Work w = lay_out(args, group);
    start(args, group, w);
    if (args.partial != nullptr) {
        run_chunk(args, w, args.chunk);
        const size_t n = w.n_queries * w.state;
        for (size_t i = 0; i < n; i += kLanes) {
            hn::StoreU(hn::LoadU(d, w.chunk + i), d, args.partial + i);
        }
        return;
    }
    clear(w, w.total);
    const size_t end = w.end[w.n_queries - 1];
    for (size_t chunk = w.begin[0] / kAttendChunk; chunk * kAttendChunk < end; ++chunk) {
        run_chunk(args, w, chunk);
        for (size_t row = 0; row < w.n_queries; ++row) {
            merge_state(w.dim, w.chunk + row * w.state, w.total + row * w.state);
        }
    }
    finish(args, group, w);
}

void merge(const AttendArgs& args) noexcept {
    const size_t group = args.n_heads / args.kv.layout.n_kv_heads;
    const Work w = lay_out(args, group);
    start(args, group, w);
    clear(w, w.total);
    const float* state = args.partial;
    const size_t end = w.end[w.n_queries - 1];
    for (size_t chunk = w.begin[0] / kAttendChunk; chunk * kAttendChunk < end; ++chunk) {
        for (size_t row = 0; row < w.n_queries; ++row, state += w.state) {
            merge_state(w.dim, state, w.total + row * w.state);
        }
    }
    finish(args, group, w);
}

}  // namespace hone::kernels::HONE_ATTENTION_TARGET
HWY_AFTER_NAMESPACE();
