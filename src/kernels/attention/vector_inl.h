// What the attention kernels of one ISA share: vector types, loads, where a head lies in a page.
// Included by attention_inl.h and rope_store_inl.h, whose rules hold.
HWY_BEFORE_NAMESPACE();
namespace hone::kernels::HONE_ATTENTION_TARGET {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<float>;
using DI = hn::RebindToSigned<D>;
using DH = hn::Rebind<hwy::float16_t, D>;
using D8 = hn::Rebind<int8_t, D>;
using V = hn::Vec<D>;
using Half = hwy::float16_t;

constexpr D d;
constexpr DI di;
constexpr size_t kLanes = HWY_LANES(float);
constexpr size_t kUnit = 16;
constexpr size_t kUnitVectors = kUnit / kLanes;
constexpr size_t kStrips = kPageTokens / kKeyStrip;
constexpr size_t kPageVectors = kPageTokens / kLanes;
constexpr float kLog2E = 1.44269504f;
constexpr float kNegativeInfinity = -__builtin_inff();

HWY_INLINE V load_f32(const float* x) {
    return hn::LoadU(d, x);
}
HWY_INLINE V load_f32(const Half* x) {
    return hn::PromoteTo(d, hn::LoadU(DH(), x));
}
HWY_INLINE V load_f32(const int8_t* x) {
    return hn::ConvertTo(d, hn::PromoteTo(di, hn::LoadU(D8(), x)));
}

// Two codes of q4 in a byte.
struct Nibbles {
    int8_t pair;
};

// The low or the high halves of kLanes bytes.
HWY_INLINE V load_halves(const Nibbles* x, bool high) {
    const auto wide = hn::PromoteTo(di, hn::LoadU(D8(), &x->pair));
    return hn::ConvertTo(
        d, high ? hn::ShiftRight<4>(wide) : hn::ShiftRight<28>(hn::ShiftLeft<28>(wide)));
}

// Bytes of the codes of K or V of one position and head.
HWY_INLINE size_t code_bytes(KvDtype dtype, size_t dim) {
    if (dtype == KvDtype::q4) return (dim + 31) / 32 * 16;
    return dtype == KvDtype::q8 ? dim : 2 * dim;
}

// Where a page keeps one head's K, and V behind all K of the layer (kernels/kv_view.h); computed
// here because that header's functions are shared with other ISAs.
struct HeadOffsets {
    size_t k;
    size_t v;
};

HWY_INLINE HeadOffsets head_offsets(const KvView& kv, size_t head) {
    const size_t dim = kv.layout.head_dim;
    const KvDtype dtype = kv.layout.dtype;
    const size_t scale_bytes = dtype == KvDtype::f16 ? 0 : sizeof(float);
    const size_t head_bytes = kPageTokens * (code_bytes(dtype, dim) + scale_bytes);
    const size_t layer_bytes = 2 * kv.layout.n_kv_heads * head_bytes;
    const size_t k = kv.layer_in_group * layer_bytes + head * head_bytes;
    return {k, k + kv.layout.n_kv_heads * head_bytes};
}

}  // namespace
}  // namespace hone::kernels::HONE_ATTENTION_TARGET
HWY_AFTER_NAMESPACE();
