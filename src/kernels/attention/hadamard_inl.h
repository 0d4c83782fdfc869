// The Hadamard turn of one head, before K and V are kept in 4 bits; included by attention_inl.h,
// whose rules hold.
//
//   y[i] = sum over j of (-1)^popcount(i & j) x[j] / sqrt(n), in blocks of n dims, the largest
//   power of two that divides head_dim (64 of 64, 16 of 80).
// Orthonormal and symmetric: it keeps dot products and undoes itself. One outlier among n dims
// becomes n values of the same size, so that the scale of the codes no longer serves it alone.
// n log2(n) additions (fast Walsh-Hadamard transform); as a way to fewer bits: Ashkboos et al. 2024
// (QuaRot).
HWY_BEFORE_NAMESPACE();
namespace hone::kernels::HONE_ATTENTION_TARGET {
namespace {

// Every lane's partner, whose index differs in the bit kStep.
template <size_t kStep>
HWY_INLINE V partner(V v) {
    if constexpr (kStep == 1) {
        return hn::Shuffle2301(v);
    } else if constexpr (kStep == 2) {
        return hn::Shuffle1032(v);
    } else if constexpr (2 * kStep == kLanes) {
        return hn::ConcatLowerUpper(d, v, v);
    } else {
        return hn::SwapAdjacentBlocks(v);
    }
}

// a + b in the lanes of a, a - b in those of b.
template <size_t kStep>
HWY_INLINE V butterfly(V v) {
    if constexpr (kStep < kLanes) {
        const auto bit = hn::Set(di, static_cast<int32_t>(kStep));
        const auto second = hn::Eq(hn::And(hn::Iota(di, 0), bit), bit);
        const V other = partner<kStep>(v);
        return hn::IfThenElse(hn::RebindMask(d, second), hn::Sub(other, v), hn::Add(other, v));
    } else {
        return v;
    }
}

// y = H x for one head; y may be x.
HWY_INLINE void turn(const float* x, size_t dim, float* y) {
    const size_t n = dim & (~dim + 1);
    const V factor = hn::Div(hn::Set(d, 1.0f), hn::Sqrt(hn::Set(d, static_cast<float>(n))));
    for (size_t i = 0; i < dim; i += kLanes) {
        V v = hn::Mul(hn::LoadU(d, x + i), factor);
        v = butterfly<1>(v);
        v = butterfly<2>(v);
        v = butterfly<4>(v);
        v = butterfly<8>(v);
        hn::StoreU(v, d, y + i);
    }
    for (size_t step = kLanes; step < n; step *= 2) {
        for (size_t i = 0; i < dim; i += 2 * step) {
            for (size_t j = i; j < i + step; j += kLanes) {
                const V a = hn::LoadU(d, y + j);
                const V b = hn::LoadU(d, y + j + step);
                hn::StoreU(hn::Add(a, b), d, y + j);
                hn::StoreU(hn::Sub(a, b), d, y + j + step);
            }
        }
    }
}

}  // namespace
}  // namespace hone::kernels::HONE_ATTENTION_TARGET
HWY_AFTER_NAMESPACE();
