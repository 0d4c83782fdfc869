// A fast 64-bit checksum against damaged files: bits that flipped, parts that are missing, bytes of
// another file. Not cryptographic: whoever wants to can forge it. Pure; safe from any thread.
//
// Eight lanes take turns with words of eight bytes; a word is added by exclusive or, a
// multiplication and an exclusive or of the halves. Length, lanes and what is left over are then
// mixed into one. Every step is a bijection of what it adds to and of what it adds, so two inputs
// of one length that differ in one word never agree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace hone::base {

// The same on every machine of the same byte order.
uint64_t checksum(std::span<const std::byte> bytes);

}  // namespace hone::base
