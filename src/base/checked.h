// Integer arithmetic on sizes that came from outside: every sum and product is checked, so that no
// wrapped size ever reaches an allocation or a pointer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace hone::base {

template <class T>
constexpr std::optional<T> checked_add(T a, T b) {
    T out{};
    if (__builtin_add_overflow(a, b, &out)) return std::nullopt;
    return out;
}

template <class T>
constexpr std::optional<T> checked_mul(T a, T b) {
    T out{};
    if (__builtin_mul_overflow(a, b, &out)) return std::nullopt;
    return out;
}

// Rounds up to a multiple of `alignment` (a power of two); nullopt when that wraps.
constexpr std::optional<uint64_t> checked_align(uint64_t value, uint64_t alignment) {
    auto sum = checked_add<uint64_t>(value, alignment - 1);
    if (!sum) return std::nullopt;
    return *sum & ~(alignment - 1);
}

constexpr size_t ceil_div(size_t a, size_t b) {
    return (a + b - 1) / b;
}
constexpr size_t round_up(size_t a, size_t b) {
    return ceil_div(a, b) * b;
}

}  // namespace hone::base
