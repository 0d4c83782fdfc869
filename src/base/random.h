// A small deterministic generator (xoshiro256**, Blackman and Vigna 2018, seeded by splitmix64).
// The same seed gives the same numbers on every machine and compiler, which the standard library's
// distributions do not promise. Not for cryptography. One owner at a time.
#pragma once

#include <array>
#include <cstdint>

namespace hone::base {

class Random {
  public:
    explicit Random(uint64_t seed);

    uint64_t next_u64();
    // Uniform in [0, bound), bound > 0.
    uint64_t next_below(uint64_t bound);
    // Uniform in [0, 1) with 53 bits.
    double next_double();
    // Normal with mean 0 and variance 1 (sum of uniforms would be too light in the tails:
    // Box-Muller).
    double next_normal();

  private:
    std::array<uint64_t, 4> state_;
};

}  // namespace hone::base
