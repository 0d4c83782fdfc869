// The loops of one ISA, written once over the names that the ISA file defines before the include,
// in the same namespace:
//   F, I              float and integer vectors of kVectorBytes bytes
//   load, store       unaligned, of I;  stream: non-temporal, aligned;   set_f: broadcast;  store_f
//   add64, add32      I + I
//   hide(x)           makes x opaque to the compiler
//   fma(a, x, y)      a * x + y
//   dot(acc, u, s)    acc + kDotMacs products of u8 x s8 per call, in the ISA's best form
// Each chain depends only on itself and there are enough of them to cover the latency of the
// instruction (FMA: 4 cycles x 2 pipes = 8 chains on current cores, 5 x 2 on older ones).
#ifndef HONE_KERNELS_CEILING_INL
#define HONE_KERNELS_CEILING_INL

namespace {

constexpr size_t kChains = 12;

uint64_t sum_words(I total) noexcept {
    uint64_t words[kVectorBytes / 8];
    store(words, total);
    uint64_t sum = 0;
    for (uint64_t word : words) sum += word;
    return sum;
}

}  // namespace

uint64_t read(const std::byte* data, size_t bytes) noexcept {
    const uint64_t zeros[8] = {};
    I sums[8];
    for (I& sum : sums) sum = load(zeros);
    for (size_t at = 0; at < bytes; at += sizeof(sums)) {
        for (size_t i = 0; i < 8; ++i) sums[i] = add64(sums[i], load(data + at + i * kVectorBytes));
    }
    I total = sums[0];
    for (size_t i = 1; i < 8; ++i) total = add64(total, sums[i]);
    return sum_words(total);
}

void write(std::byte* data, size_t bytes) noexcept {
    const uint64_t ones[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    I value = load(ones);
    // Opaque, or the loop would become a call of memset, which chooses its own stores.
    hide(value);
    for (size_t at = 0; at < bytes; at += 8 * kVectorBytes) {
        for (size_t i = 0; i < 8; ++i) store(data + at + i * kVectorBytes, value);
    }
}

void write_streaming(std::byte* data, size_t bytes) noexcept {
    const uint64_t ones[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    I value = load(ones);
    hide(value);
    for (size_t at = 0; at < bytes; at += 8 * kVectorBytes) {
        for (size_t i = 0; i < 8; ++i) stream(data + at + i * kVectorBytes, value);
    }
    _mm_sfence();
}

void copy(std::byte* to, const std::byte* from, size_t bytes) noexcept {
    for (size_t at = 0; at < bytes; at += 8 * kVectorBytes) {
        I values[8];
        for (size_t i = 0; i < 8; ++i) values[i] = load(from + at + i * kVectorBytes);
        for (size_t i = 0; i < 8; ++i) {
            hide(values[i]);
            store(to + at + i * kVectorBytes, values[i]);
        }
    }
}

void copy_streaming(std::byte* to, const std::byte* from, size_t bytes) noexcept {
    for (size_t at = 0; at < bytes; at += 8 * kVectorBytes) {
        I values[8];
        for (size_t i = 0; i < 8; ++i) values[i] = load(from + at + i * kVectorBytes);
        for (size_t i = 0; i < 8; ++i) stream(to + at + i * kVectorBytes, values[i]);
    }
    _mm_sfence();
}

double f32_fma(size_t iterations, float* sink) noexcept {
    F x = set_f(0.5f);
    F y = set_f(1.0f);
    hide(x);
    hide(y);
    F sums[kChains];
    for (F& sum : sums) sum = y;
    for (size_t round = 0; round < iterations; ++round) {
        for (F& sum : sums) sum = fma(sum, x, y);
    }
    float lanes[kVectorBytes / 4];
    float total = 0.0f;
    for (const F& sum : sums) {
        store_f(lanes, sum);
        for (float lane : lanes) total += lane;
    }
    *sink = total;
    return static_cast<double>(iterations) * kChains * (kVectorBytes / 4) * 2;
}

double int8_dot(size_t iterations, int32_t* sink) noexcept {
    const uint64_t ones[8] = {0x0101010101010101u, 0x0101010101010101u, 0x0101010101010101u,
                              0x0101010101010101u, 0x0101010101010101u, 0x0101010101010101u,
                              0x0101010101010101u, 0x0101010101010101u};
    I u = load(ones);
    I s = load(ones);
    hide(u);
    hide(s);
    I sums[kDotChains];
    for (I& sum : sums) sum = s;
    for (size_t round = 0; round < iterations; ++round) {
        for (I& sum : sums) sum = dot(sum, u, s);
    }
    I total = sums[0];
    for (size_t i = 1; i < kDotChains; ++i) total = add32(total, sums[i]);
    *sink = static_cast<int32_t>(sum_words(total));
    return static_cast<double>(iterations) * kDotChains * kDotMacs * 2;
}

#endif  // HONE_KERNELS_CEILING_INL
