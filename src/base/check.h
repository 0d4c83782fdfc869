// HONE_CHECK: how Hone reports that it is wrong itself. Always on; prints both operands and aborts.
// HONE_DCHECK is for inner loops: on in dev and sanitizer builds, free in release.
#pragma once

#include <fmt/core.h>

#include <string>
#include <type_traits>

namespace hone::base {

[[noreturn]] void check_failed(const char* file, int line, const char* expression,
                               const std::string& operands);

template <class T>
std::string check_operand(const T& value) {
    if constexpr (std::is_enum_v<T>) {
        return fmt::format("{}", static_cast<long long>(value));
    } else if constexpr (std::is_pointer_v<T>) {
        return fmt::format("{}", static_cast<const void*>(value));
    } else {
        return fmt::format("{}", value);
    }
}

}  // namespace hone::base

#define HONE_CHECK(condition)                                                          \
    do {                                                                               \
        if (!(condition)) [[unlikely]]                                                 \
            ::hone::base::check_failed(__FILE__, __LINE__, #condition, std::string()); \
    } while (false)

#define HONE_CHECK_OP(a, op, b)                                                       \
    do {                                                                              \
        const auto hone_a = (a);                                                      \
        const auto hone_b = (b);                                                      \
        if (!(hone_a op hone_b)) [[unlikely]]                                         \
            ::hone::base::check_failed(__FILE__, __LINE__, #a " " #op " " #b,         \
                                       ::hone::base::check_operand(hone_a) + " vs " + \
                                           ::hone::base::check_operand(hone_b));      \
    } while (false)

#define HONE_CHECK_EQ(a, b) HONE_CHECK_OP(a, ==, b)
#define HONE_CHECK_NE(a, b) HONE_CHECK_OP(a, !=, b)
#define HONE_CHECK_LE(a, b) HONE_CHECK_OP(a, <=, b)
#define HONE_CHECK_LT(a, b) HONE_CHECK_OP(a, <, b)
#define HONE_CHECK_GE(a, b) HONE_CHECK_OP(a, >=, b)
#define HONE_CHECK_GT(a, b) HONE_CHECK_OP(a, >, b)

#ifdef HONE_DCHECKS
#define HONE_DCHECK(condition) HONE_CHECK(condition)
#else
#define HONE_DCHECK(condition) \
    do {                       \
    } while (false)
#endif
