#include "probe/peak_resident.h"

#include <gtest/gtest.h>

#include <cstring>

#include "machine/facts.h"
#include "tensor/buffer.h"

namespace hone::probe {
namespace {

TEST(PeakResident, ForgetsMemoryThatWasGivenBack) {
    constexpr size_t kBytes = size_t{64} << 20;
    {
        auto buffer = tensor::Buffer::allocate(kBytes);
        ASSERT_TRUE(buffer);
        std::memset(buffer->data(), 1, buffer->size());
    }
    const uint64_t before = machine::read_resident_bytes().peak;
    if (!forget_peak_resident()) GTEST_SKIP() << "the system keeps its mark";
    const uint64_t after = machine::read_resident_bytes().peak;
    EXPECT_LE(after + kBytes / 2, before);
}

}  // namespace
}  // namespace hone::probe
