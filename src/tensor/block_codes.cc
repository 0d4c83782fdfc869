#include "tensor/block_codes.h"

#include <array>
#include <cstring>

#include "tensor/block_fields.h"

namespace hone::tensor {

void store_nibbles(std::byte* to, const int* q) {
    for (int i = 0; i < 16; ++i) {
        to[i] = static_cast<std::byte>((q[i] & 15) | (q[i + 16] & 15) << 4);
    }
}

void store_five_bits(std::byte* to, const int* q) {
    uint32_t high = 0;
    for (int i = 0; i < 32; ++i) high |= static_cast<uint32_t>(q[i] >> 4 & 1) << i;
    store_field(to, high);
    store_nibbles(to + 4, q);
}

void store_six_bit_scales(std::byte* to, const int* scale, const int* min) {
    std::array<int, 12> packed{};
    for (size_t g = 0; g < 8; ++g) {
        const int sc = scale[g], mn = min[g];
        if (g < 4) {
            packed[g] |= sc;
            packed[g + 4] |= mn;
        } else {
            packed[g + 4] |= (sc & 15) | (mn & 15) << 4;
            packed[g - 4] |= (sc >> 4) << 6;
            packed[g] |= (mn >> 4) << 6;
        }
    }
    for (size_t i = 0; i < 12; ++i) to[i] = static_cast<std::byte>(packed[i]);
}

void store_k_codes(std::byte* to, const int* q, bool five_bits) {
    // Bit g of byte l is bit 4 of element 32 g + l.
    for (int l = 0; five_bits && l < 32; ++l) {
        int bits = 0;
        for (int g = 0; g < 8; ++g) bits |= (q[32 * g + l] >> 4 & 1) << g;
        to[l] = static_cast<std::byte>(bits);
    }
    if (five_bits) to += 32;
    for (int i = 0; i < 128; ++i) {
        const int low = i / 32 * 64 + i % 32;
        to[i] = static_cast<std::byte>((q[low] & 15) | (q[low + 32] & 15) << 4);
    }
}

void store_q6_codes(std::byte* to, const int* q) {
    std::memset(to, 0, 192);
    for (int i = 0; i < 256; ++i) {
        const int half = i / 128, k = i % 128 / 32, l = i % 32;
        to[64 * half + 32 * (k % 2) + l] |= static_cast<std::byte>((q[i] & 15) << (k < 2 ? 0 : 4));
        to[128 + 32 * half + l] |= static_cast<std::byte>((q[i] >> 4 & 3) << (2 * k));
    }
}

}  // namespace hone::tensor
