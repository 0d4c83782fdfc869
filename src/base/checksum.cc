#include "base/checksum.h"

#include <array>
#include <cstring>

namespace hone::base {
namespace {

constexpr uint64_t kMultiplier = 0x9e3779b97f4a7c15u;  // 2^64 / the golden ratio, odd
// Eight multiplications are under way at once, which hides their latency.
constexpr size_t kLanes = 8;
constexpr size_t kWordBytes = sizeof(uint64_t);

// A product moves differences upwards only, so its upper half is added to the lower one.
constexpr uint64_t step(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * kMultiplier;
    return hash ^ (hash >> 32);
}

// The finalizer of MurmurHash3 (Appleby): a bijection after which every bit depends on all.
constexpr uint64_t mix(uint64_t hash) {
    hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccdu;
    hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53u;
    return hash ^ (hash >> 33);
}

uint64_t word_at(const std::byte* from, size_t bytes = kWordBytes) {
    uint64_t word = 0;
    std::memcpy(&word, from, bytes);
    return word;
}

}  // namespace

uint64_t checksum(std::span<const std::byte> bytes) {
    std::array<uint64_t, kLanes> lanes;
    for (size_t lane = 0; lane < kLanes; ++lane) lanes[lane] = lane;
    const std::byte* at = bytes.data();
    size_t left = bytes.size();
    for (; left >= kLanes * kWordBytes; left -= kLanes * kWordBytes) {
        for (size_t lane = 0; lane < kLanes; ++lane) {
            lanes[lane] = step(lanes[lane], word_at(at + lane * kWordBytes));
        }
        at += kLanes * kWordBytes;
    }
    uint64_t hash = mix(bytes.size());
    for (; left >= kWordBytes; left -= kWordBytes) {
        hash = mix(hash ^ word_at(at));
        at += kWordBytes;
    }
    if (left > 0) hash = mix(hash ^ word_at(at, left));
    for (const uint64_t lane : lanes) hash = mix(hash ^ lane);
    return hash;
}

}  // namespace hone::base
