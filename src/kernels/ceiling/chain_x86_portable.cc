#include <cstddef>

#include "kernels/ceiling/ceiling.h"

namespace hone::kernels {

size_t dependent_adds(size_t count) noexcept {
    constexpr size_t kAddsPerRound = 64;
    const size_t rounds = (count + kAddsPerRound - 1) / kAddsPerRound;
    uint64_t sum = 0;
    const uint64_t one = 1;
    // Between registers: some cores add small constants for free while renaming.
    for (size_t i = 0; i < rounds; ++i) {
        asm volatile(
            ".rept 64\n\t"
            "add %1, %0\n\t"
            ".endr"
            : "+r"(sum)
            : "r"(one)
            : "cc");
    }
    return static_cast<size_t>(sum);
}

const void* chase(const void* start, size_t steps) noexcept {
    const void* at = start;
    for (size_t i = 0; i < steps; ++i) {
        at = *static_cast<const void* const*>(at);
        asm volatile("" : "+r"(at));
    }
    return at;
}

}  // namespace hone::kernels
