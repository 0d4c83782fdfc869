// The product loop of attention and the pages it reads; included by attention_inl.h, whose rules
// hold.
//
// C[rows][16 u] = A[rows][depth] B[depth][16 u], with A broadcast value by value and B loaded as
// vectors. Scores: A = q, B = a page of K (depth = dims, units = the two strips of 16 keys).
// Output: A = probabilities, B = the page's V (depth = keys, units = dims).
HWY_BEFORE_NAMESPACE();
namespace hone::kernels::HONE_ATTENTION_TARGET {
namespace {

// One head's K and V in a page: codes of type T, times a scale per position unless that is null.
template <class T>
struct Page {
    size_t first;  // position
    const T* k;
    const T* v;
    const float* k_scales;
    const float* v_scales;
};

// B as the loop reads it, kDepth rows at a time: vector v of row p of those is load(p, v).
template <class T>
struct Rows {
    static constexpr size_t kDepth = 1;
    const T* at;
    size_t step;  // from one row to the next
    size_t unit;  // from one unit of 16 to the next

    HWY_INLINE V load(size_t, size_t v) const {
        return load_f32(at + v / kUnitVectors * unit + v % kUnitVectors * kLanes);
    }
    HWY_INLINE void next() { at += step; }
};

// One strip of q4 keys: a byte has two dims of a key.
struct KeyNibbles {
    static constexpr size_t kDepth = 2;
    const Nibbles* at;

    HWY_INLINE V load(size_t p, size_t v) const { return load_halves(at + v * kLanes, p == 1); }
    HWY_INLINE void next() { at += kKeyStrip; }
};

// Rows of q4 values from unit kFirst of the 32 dims at `at`: 16 bytes have two units.
template <size_t kFirst>
struct ValueNibbles {
    static constexpr size_t kDepth = 1;
    const Nibbles* at;
    size_t step;

    HWY_INLINE V load(size_t, size_t v) const {
        const size_t unit = kFirst + v / kUnitVectors;
        return load_halves(at + unit / 2 * kUnit + v % kUnitVectors * kLanes, unit % 2 == 1);
    }
    HWY_INLINE void next() { at += step; }
};

template <class T>
HWY_INLINE Rows<T> keys_of(const Page<T>& page, size_t dim, size_t strip) {
    return {page.k + strip * dim * kKeyStrip, kKeyStrip, dim * kKeyStrip};
}
HWY_INLINE KeyNibbles keys_of(const Page<Nibbles>& page, size_t dim, size_t strip) {
    return {page.k + strip * kKeyStrip * code_bytes(KvDtype::q4, dim)};
}

// From unit kFirst of those that begin at dim `at`, a multiple of 32.
template <size_t kFirst, class T>
HWY_INLINE Rows<T> values_of(const Page<T>& page, size_t dim, size_t at) {
    return {page.v + at + kFirst * kUnit, dim, kUnit};
}
template <size_t kFirst>
HWY_INLINE ValueNibbles<kFirst> values_of(const Page<Nibbles>& page, size_t dim, size_t at) {
    return {page.v + at / 2, code_bytes(KvDtype::q4, dim)};
}

// The page in f32: k [kStrips][dim][16], v [kPageTokens][dim].
template <class T>
HWY_INLINE void widen(const Page<T>& page, size_t dim, float* k, float* v) {
    for (size_t i = 0; i < kPageTokens * dim; i += kLanes) {
        hn::StoreU(load_f32(page.k + i), d, k + i);
        hn::StoreU(load_f32(page.v + i), d, v + i);
    }
}
HWY_INLINE void widen(const Page<Nibbles>& page, size_t dim, float* k, float* v) {
    for (size_t strip = 0; strip < kStrips; ++strip) {
        KeyNibbles keys = keys_of(page, dim, strip);
        for (size_t i = 0; i < dim; ++i, k += kKeyStrip) {
            for (size_t n = 0; n < kUnitVectors; ++n) {
                hn::StoreU(keys.load(i % 2, n), d, k + n * kLanes);
            }
            if (i % 2 == 1) keys.next();
        }
    }
    const size_t step = code_bytes(KvDtype::q4, dim);
    for (size_t slot = 0; slot < kPageTokens; ++slot, v += dim) {
        for (size_t i = 0; i < dim; i += kLanes) {
            const Nibbles* at = page.v + slot * step + i / 32 * kUnit + i % kUnit;
            hn::StoreU(load_halves(at, i / kUnit % 2 == 1), d, v + i);
        }
    }
}

// C[i][u] = shrink[i] * C[i][u] + sum over k of A[i][k] * B[k][u], or without the first term where
// shrink is null; depth is a multiple of B's kDepth.
template <size_t kRows, size_t kUnits, class B>
HWY_INLINE void multiply(const float* a, size_t a_stride, size_t depth, B b, const float* shrink,
                         float* c, size_t c_stride) {
    constexpr size_t kVectors = kUnits * kUnitVectors;
    V sums[kRows][kVectors];
    HWY_UNROLL(8)
    for (size_t i = 0; i < kRows; ++i) {
        HWY_UNROLL(8)
        for (size_t v = 0; v < kVectors; ++v) {
            sums[i][v] = shrink == nullptr ? hn::Zero(d)
                                           : hn::Mul(hn::LoadU(d, c + i * c_stride + v * kLanes),
                                                     hn::Set(d, shrink[i]));
        }
    }
    for (size_t k = 0; k < depth; k += B::kDepth) {
        HWY_UNROLL(2)
        for (size_t p = 0; p < B::kDepth; ++p) {
            V right[kVectors];
            HWY_UNROLL(8)
            for (size_t v = 0; v < kVectors; ++v) right[v] = b.load(p, v);
            HWY_UNROLL(8)
            for (size_t i = 0; i < kRows; ++i) {
                const V left = hn::Set(d, a[i * a_stride + k + p]);
                HWY_UNROLL(8)
                for (size_t v = 0; v < kVectors; ++v) {
                    sums[i][v] = hn::MulAdd(left, right[v], sums[i][v]);
                }
            }
        }
        b.next();
    }
    HWY_UNROLL(8)
    for (size_t i = 0; i < kRows; ++i) {
        HWY_UNROLL(8)
        for (size_t v = 0; v < kVectors; ++v) {
            hn::StoreU(sums[i][v], d, c + i * c_stride + v * kLanes);
        }
    }
}

}  // namespace
}  // namespace hone::kernels::HONE_ATTENTION_TARGET
HWY_AFTER_NAMESPACE();
