// What a test does with bytes that claim to be a file of packed weights: parse them and touch
// everything that a caller could touch. Shared by the fuzzer and the tests; not for production
// code.
#pragma once

#include <cstddef>
#include <span>

#include "runtime/packed_file.h"

namespace hone::runtime {

// True where the file is whole.
inline bool exercise_packed_file(std::span<const std::byte> bytes) {
    const auto view = parse_packed_file(bytes);
    if (!view) return false;
    bool whole = true;
    for (size_t i = 0; i < view->pieces(); ++i) whole = view->check(i) && whole;
    size_t lines = 0;
    for (const char c : view->description) lines += c == '\n' ? 1 : 0;
    return whole && lines <= view->description.size();
}

}  // namespace hone::runtime
