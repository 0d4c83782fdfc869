#include "kernels/attention/attention.h"
#include "kernels/attention/entries.h"

namespace hone::kernels {
namespace {

#define HONE_ATTENTION_LINE(name, isa)                                                        \
    AttentionVariant {                                                                        \
#name, machine::Isa::isa, attention_##name::rope_and_store, attention_##name::attend, \
            attention_##name::merge                                                           \
    }

constexpr AttentionVariant kAttentionVariants[] = {
    HONE_ATTENTION_LINE(avx512, avx512),
    HONE_ATTENTION_LINE(avx2, avx2),
    HONE_ATTENTION_LINE(portable, portable),
    HONE_ATTENTION_LINE(reference, portable),
};

#undef HONE_ATTENTION_LINE

}  // namespace

std::span<const char* const> kv_dtype_names() {
    static constexpr const char* kNames[] = {"f16", "q8", "q4"};
    return kNames;
}

size_t attend_scratch_bytes(uint32_t group, uint32_t head_dim) {
    // See the layout in attention_inl.h: q rows, two states (of the chunk and of all before) and
    // the visible range of each query, the probabilities of one query tile, one page of K and V in
    // f32.
    const size_t queries = size_t{group} * kAttendTokensMax;
    const size_t floats = queries * (head_dim + 2 * attend_state_floats(head_dim)) +
                          16 * kPageTokens + 2 * kPageTokens * size_t{head_dim} +
                          2 * (queries + 16);
    return floats * sizeof(float);
}

std::span<const AttentionVariant> attention_variants() {
    return kAttentionVariants;
}

base::Result<const AttentionVariant*> select_attention(machine::Isa have, std::string_view name) {
    for (const AttentionVariant& variant : kAttentionVariants) {
        const bool wanted = name.empty() || name == variant.name;
        if (wanted && variant.isa <= have) return &variant;
    }
    return base::fail(base::ErrorCode::unsupported, "no attention kernel '{}' for {}", name,
                      machine::isa_name(have));
}

}  // namespace hone::kernels
