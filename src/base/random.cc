#include "base/random.h"

#include <bit>
#include <cmath>

#include "base/check.h"

namespace hone::base {

Random::Random(uint64_t seed) {
    for (uint64_t& word : state_) {
        seed += 0x9E3779B97F4A7C15u;
        uint64_t z = seed;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        word = z ^ (z >> 31);
    }
}

uint64_t Random::next_u64() {
    const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
}

uint64_t Random::next_below(uint64_t bound) {
    HONE_CHECK_GT(bound, uint64_t{0});
    // Rejection keeps every value equally likely.
    const uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
    uint64_t value = next_u64();
    while (value >= limit) value = next_u64();
    return value % bound;
}

double Random::next_double() {
    return static_cast<double>(next_u64() >> 11) * 0x1.0p-53;
}

double Random::next_normal() {
    const double u = 1.0 - next_double();  // (0, 1]: the logarithm stays finite
    const double v = next_double();
    return std::sqrt(-2.0 * std::log(u)) * std::cos(6.283185307179586 * v);
}

}  // namespace hone::base
