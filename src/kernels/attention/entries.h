// Entry points of the attention variants, one namespace per ISA file; the contract is in
// attention/attention.h.
#pragma once

#include "kernels/attention/attention_args.h"

#define HONE_ATTENTION_DECLARE(variant)                          \
    namespace attention_##variant {                              \
        void rope_and_store(const RopeStoreArgs& args) noexcept; \
        void attend(const AttendArgs& args) noexcept;            \
        void merge(const AttendArgs& args) noexcept;             \
    }

namespace hone::kernels {

HONE_ATTENTION_DECLARE(reference)
HONE_ATTENTION_DECLARE(portable)
HONE_ATTENTION_DECLARE(avx2)
HONE_ATTENTION_DECLARE(avx512)

}  // namespace hone::kernels

#undef HONE_ATTENTION_DECLARE
