// Two loops as one would write them by hand, to hold the measured roofs against
// (ceilings_bench.cc).
//
// Not the loops of kernels/ceiling, on purpose. For CPUs with AVX2 and FMA only; pure.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hone::probe {

// Reads `count` words, a multiple of 16.
uint64_t plain_read(const uint64_t* words, size_t count);
// `rounds` times ten independent multiply-adds of 8 lanes: 160 operations each.
float plain_fma(size_t rounds);

}  // namespace hone::probe
