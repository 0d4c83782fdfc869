#include "kernels/ceiling/ceiling.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <vector>

#include "base/random.h"
#include "tensor/buffer.h"

namespace hone::kernels {
namespace {

// The variants this CPU can run; says which it cannot, because a pass without them proves less.
std::vector<const CeilingVariant*> runnable_ceiling() {
    std::vector<const CeilingVariant*> found;
    for (const CeilingVariant& variant : ceiling_variants()) {
        if (variant.isa <= machine::detect_isa()) {
            found.push_back(&variant);
        } else {
            std::printf("NOT RUN on this CPU: ceiling %s\n", variant.name);
        }
    }
    return found;
}

TEST(Ceiling, ReadSumsEveryWord) {
    constexpr size_t kBytes = 64 * 512;
    auto buffer = tensor::Buffer::allocate(kBytes);
    ASSERT_TRUE(buffer.has_value());
    base::Random random(7);
    uint64_t expected = 0;
    for (size_t at = 0; at < kBytes; at += 8) {
        const uint64_t word = random.next_u64();
        std::memcpy(buffer->data() + at, &word, 8);
    }
    for (const CeilingVariant* variant : runnable_ceiling()) {
        for (const size_t bytes : {size_t{0}, size_t{512}, size_t{1024}, kBytes}) {
            expected = 0;
            for (size_t at = 0; at < bytes; at += 8) {
                uint64_t word;
                std::memcpy(&word, buffer->data() + at, 8);
                expected += word;
            }
            EXPECT_EQ(variant->read(buffer->data(), bytes), expected) << variant->name << bytes;
        }
    }
}

TEST(Ceiling, WritesAndCopiesEveryByteAndNoneBeyond) {
    constexpr size_t kBytes = 8 * 512;
    auto from = tensor::Buffer::allocate(kBytes);
    auto to = tensor::Buffer::allocate(kBytes);
    ASSERT_TRUE(from.has_value() && to.has_value());
    base::Random random(9);
    for (std::byte& byte : from->span()) byte = static_cast<std::byte>(random.next_below(256));
    for (const CeilingVariant* variant : runnable_ceiling()) {
        SCOPED_TRACE(variant->name);
        for (const auto copy : {variant->copy, variant->copy_streaming}) {
            for (const size_t bytes : {size_t{0}, size_t{512}, kBytes - 512}) {
                std::memset(to->data(), 0x5a, kBytes);
                copy(to->data(), from->data(), bytes);
                EXPECT_EQ(std::memcmp(to->data(), from->data(), bytes), 0);
                for (size_t at = bytes; at < kBytes; ++at) {
                    ASSERT_EQ(to->data()[at], std::byte{0x5a}) << at;
                }
            }
        }
        for (const auto write : {variant->write, variant->write_streaming}) {
            std::memset(to->data(), 0x5a, kBytes);
            write(to->data(), 1024);
            // The sum of the words written, each 1, is their number.
            EXPECT_EQ(variant->read(to->data(), 1024), 128u);
            EXPECT_EQ(to->data()[1024], std::byte{0x5a});
        }
    }
}

TEST(Ceiling, ChainsAreFollowedToTheirEnd) {
    EXPECT_EQ(dependent_adds(0), 0u);
    EXPECT_EQ(dependent_adds(1), 64u);
    EXPECT_EQ(dependent_adds(6400), 6400u);
    const void* lines[3];
    lines[0] = &lines[2];
    lines[2] = &lines[1];
    lines[1] = &lines[0];
    EXPECT_EQ(chase(&lines[0], 0), &lines[0]);
    EXPECT_EQ(chase(&lines[0], 1), &lines[2]);
    EXPECT_EQ(chase(&lines[0], 3), &lines[0]);
    EXPECT_EQ(chase(&lines[0], 302), &lines[1]);
}

TEST(Ceiling, ArithmeticCountsGrowWithRoundsAndResultsAreUsed) {
    for (const CeilingVariant* variant : runnable_ceiling()) {
        SCOPED_TRACE(variant->name);
        float f32 = 0.0f;
        const double once = variant->f32_fma(1, &f32);
        EXPECT_GE(once, 2.0 * 8 * 4);
        // Each chain starts at 1 and goes on as x / 2 + 1: 1.5 after one round, near 2 after many.
        const float lanes = static_cast<float>(once / 2);
        EXPECT_FLOAT_EQ(f32, 1.5f * lanes);
        EXPECT_DOUBLE_EQ(variant->f32_fma(100, &f32), 100 * once);
        EXPECT_FLOAT_EQ(f32, 2.0f * lanes);

        int32_t first = 0;
        int32_t second = 0;
        const double dots = variant->int8_dot(1, &first);
        EXPECT_DOUBLE_EQ(variant->int8_dot(3, &second), 3 * dots);
        EXPECT_NE(first, second);
    }
}

TEST(Ceiling, Bf16DotsOnlyWhereTheIsaHasThem) {
    for (const CeilingVariant& variant : ceiling_variants()) {
        EXPECT_EQ(variant.bf16_dot != nullptr, variant.isa == machine::Isa::avx512bf16);
    }
    for (const CeilingVariant* variant : runnable_ceiling()) {
        if (variant->bf16_dot == nullptr) continue;
        float sum = 0.0f;
        const double operations = variant->bf16_dot(10, &sum);
        EXPECT_FLOAT_EQ(sum, static_cast<float>(operations / 2));
    }
}

TEST(Ceiling, SelectsTheBestAndRefusesWhatCannotRun) {
    EXPECT_STREQ((*select_ceiling(machine::Isa::avx512bf16))->name, "avx512bf16");
    EXPECT_STREQ((*select_ceiling(machine::Isa::avx2))->name, "avx2");
    EXPECT_STREQ((*select_ceiling(machine::Isa::avx512, "portable"))->name, "portable");
    const auto missing = select_ceiling(machine::Isa::avx2, "avx512");
    ASSERT_FALSE(missing.has_value());
    EXPECT_EQ(missing.error().code, base::ErrorCode::unsupported);
}

}  // namespace
}  // namespace hone::kernels
