#include "tensor/buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>

namespace hone::tensor {
namespace {

bool all_zero(const Buffer& buffer) {
    return std::all_of(buffer.span().begin(), buffer.span().end(),
                       [](std::byte b) { return b == std::byte{0}; });
}

TEST(Buffer, ZeroedAndAlignedAroundTheHugePageEdge) {
    for (size_t bytes : {size_t{1}, size_t{63}, size_t{64}, kHugePageBytes - 1, kHugePageBytes,
                         kHugePageBytes + 1, 3 * kHugePageBytes}) {
        for (bool huge_pages : {false, true}) {
            auto buffer = Buffer::allocate(bytes, {.huge_pages = huge_pages});
            ASSERT_TRUE(buffer);
            EXPECT_EQ(buffer->size(), bytes);
            const auto address = reinterpret_cast<uintptr_t>(buffer->data());
            const size_t alignment =
                bytes >= kHugePageBytes ? kHugePageBytes : kBufferAlignmentBytes;
            EXPECT_EQ(address % alignment, 0u) << bytes;
            EXPECT_TRUE(all_zero(*buffer));
            std::fill(buffer->span().begin(), buffer->span().end(), std::byte{0xaa});
        }
    }
}

TEST(Buffer, EmptyAndMoved) {
    auto empty = Buffer::allocate(0);
    ASSERT_TRUE(empty);
    EXPECT_EQ(empty->size(), 0u);
    EXPECT_EQ(empty->data(), nullptr);

    auto first = Buffer::allocate(128);
    auto second = Buffer::allocate(kHugePageBytes);
    ASSERT_TRUE(first && second);
    std::byte* data = second->data();
    *first = std::move(*second);
    EXPECT_EQ(first->data(), data);
    EXPECT_EQ(first->size(), kHugePageBytes);
    EXPECT_EQ(second->data(), nullptr);
    EXPECT_EQ(second->size(), 0u);
    Buffer third(std::move(*first));
    EXPECT_EQ(third.data(), data);
}

TEST(Buffer, DiscardedPagesAreZeroAndTheRestStays) {
    auto buffer = Buffer::allocate(2 * kHugePageBytes);
    ASSERT_TRUE(buffer);
    for (std::byte& byte : buffer->span()) byte = std::byte{7};
    buffer->discard(100, kHugePageBytes);
    EXPECT_EQ(buffer->data()[100], std::byte{7});  // its page begins before
    EXPECT_EQ(buffer->data()[kHugePageBytes - 1], std::byte{0});
    EXPECT_EQ(buffer->data()[kHugePageBytes + 100], std::byte{7});
    auto small = Buffer::allocate(128);
    ASSERT_TRUE(small);
    small->data()[64] = std::byte{7};
    small->discard(0, 128);
    EXPECT_EQ(small->data()[64], std::byte{7});
}

TEST(Buffer, AbsurdSizesAreExhausted) {
    for (size_t bytes : {std::numeric_limits<size_t>::max(),
                         std::numeric_limits<size_t>::max() / 2 + 1, size_t{1} << 62}) {
        auto buffer = Buffer::allocate(bytes);
        ASSERT_FALSE(buffer);
        EXPECT_EQ(buffer.error().code, base::ErrorCode::exhausted);
    }
}

}  // namespace
}  // namespace hone::tensor
