#include "runtime/packed_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "base/checksum.h"
#include "base/random.h"
#include "runtime/packed_file_exercise.h"

namespace hone::runtime {
namespace {

using base::ErrorCode;

std::vector<std::byte> random_bytes(size_t size) {
    base::Random random(3);
    std::vector<std::byte> bytes(size);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next_u64());
    return bytes;
}

std::vector<std::byte> file_of(std::span<const std::byte> payload, std::string_view description) {
    std::vector<std::byte> out;
    size_t told = 0;
    const base::Status status = write_packed_file(
        payload, description,
        [&](std::span<const std::byte> bytes) -> base::Status {
            out.insert(out.end(), bytes.begin(), bytes.end());
            return {};
        },
        [&](size_t offset, size_t bytes) {
            EXPECT_EQ(offset, told);
            told += bytes;
            EXPECT_EQ(out.size(), told) << "told before it was written";
        });
    EXPECT_TRUE(status);
    EXPECT_EQ(told, payload.size());
    return out;
}

constexpr size_t kSize = 3008;
constexpr const char* kDescription = "a model\na layout\n";

ErrorCode code_of(std::span<const std::byte> bytes) {
    const auto view = parse_packed_file(bytes);
    return view ? ErrorCode::internal : view.error().code;
}

// `value` at `at` of the footer, with the checksum that the tail then has.
std::vector<std::byte> with_footer(std::vector<std::byte> file, size_t at, uint64_t value,
                                   size_t bytes) {
    std::byte* footer = file.data() + file.size() - kPackedFooterBytes;
    uint64_t payload_bytes = 0;
    std::memcpy(&payload_bytes, footer + 16, 8);
    std::memcpy(footer + at, &value, bytes);
    const uint64_t sum =
        base::checksum(std::span(file).subspan(payload_bytes, file.size() - 8 - payload_bytes));
    std::memcpy(file.data() + file.size() - 8, &sum, 8);
    return file;
}

TEST(PackedFile, ComesBackAsItWasWritten) {
    for (const size_t size : {size_t{64}, kSize, kPackedPieceBytes, 2 * kPackedPieceBytes + 64}) {
        SCOPED_TRACE(size);
        const auto payload = random_bytes(size);
        const auto file = file_of(payload, kDescription);
        EXPECT_EQ(file.size(), packed_file_bytes(size, std::strlen(kDescription)));
        const auto view = parse_packed_file(file);
        ASSERT_TRUE(view) << view.error().message;
        EXPECT_EQ(view->payload.data(), file.data());
        EXPECT_TRUE(
            std::equal(view->payload.begin(), view->payload.end(), payload.begin(), payload.end()));
        EXPECT_EQ(view->description, kDescription);
        EXPECT_EQ(view->pieces(), (size + kPackedPieceBytes - 1) / kPackedPieceBytes);
        for (size_t i = 0; i < view->pieces(); ++i) EXPECT_TRUE(view->check(i));
    }
}

TEST(PackedFile, EveryFlippedBitShows) {
    auto file = file_of(random_bytes(192), kDescription);
    ASSERT_TRUE(exercise_packed_file(file));
    for (size_t bit = 0; bit < 8 * file.size(); ++bit) {
        file[bit / 8] ^= std::byte(1u << (bit % 8));
        EXPECT_FALSE(exercise_packed_file(file)) << "bit " << bit;
        file[bit / 8] ^= std::byte(1u << (bit % 8));
    }
}

TEST(PackedFile, ADamagedPieceIsTheOnlyOne) {
    auto file = file_of(random_bytes(2 * kPackedPieceBytes + 64), kDescription);
    file[kPackedPieceBytes + 9] ^= std::byte{1};
    const auto view = parse_packed_file(file);
    ASSERT_TRUE(view);
    EXPECT_TRUE(view->check(0));
    EXPECT_FALSE(view->check(1));
    EXPECT_TRUE(view->check(2));
}

TEST(PackedFile, EveryLengthButItsOwnIsRefused) {
    auto file = file_of(random_bytes(192), kDescription);
    for (size_t size = 0; size < file.size(); ++size) {
        EXPECT_EQ(code_of(std::span(file).first(size)), ErrorCode::corrupt) << size;
    }
    file.insert(file.begin(), std::byte{0});
    EXPECT_EQ(code_of(file), ErrorCode::corrupt);
}

// With a checksum that is right, as only somebody who means it would write them.
TEST(PackedFile, NumbersThatDoNotFitAreRefused) {
    const auto file = file_of(random_bytes(kSize), kDescription);
    ASSERT_EQ(code_of(with_footer(file, 16, kSize, 8)), ErrorCode::internal) << "as it was";
    EXPECT_EQ(code_of(with_footer(file, 8, kPackedFileVersion + 1, 4)), ErrorCode::unsupported);
    for (const uint64_t bytes : {uint64_t{0}, uint64_t{kSize - 1}, uint64_t{kSize + 1},
                                 uint64_t{file.size()}, ~uint64_t{0}, ~uint64_t{0} - 100}) {
        EXPECT_EQ(code_of(with_footer(file, 16, bytes, 8)), ErrorCode::corrupt) << bytes;
        EXPECT_EQ(code_of(with_footer(file, 24, bytes, 8)), ErrorCode::corrupt) << bytes;
    }
    EXPECT_EQ(code_of(with_footer(file, 24, uint64_t{1} << 63, 8)), ErrorCode::corrupt);
}

TEST(PackedFile, ErrorsOfWritingAreHandedOn) {
    const auto payload = random_bytes(2 * kPackedPieceBytes);
    int writes = 0, told = 0;
    const base::Status status = write_packed_file(
        payload, kDescription,
        [&](std::span<const std::byte>) -> base::Status {
            if (++writes == 2) return base::fail(ErrorCode::exhausted, "full");
            return {};
        },
        [&](size_t, size_t) { ++told; });
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::exhausted);
    EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace hone::runtime
