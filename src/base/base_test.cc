#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/checked.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mapped_file.h"
#include "base/random.h"
#include "base/result.h"
#include "base/text.h"

namespace hone::base {
namespace {

Result<int> half(int x) {
    if (x % 2 != 0) return fail(ErrorCode::invalid_argument, "{} is odd", x);
    return x / 2;
}

Result<int> quarter(int x) {
    HONE_TRY(const int h, half(x));
    HONE_TRY_STATUS(half(h).map([](int) {}));
    return h / 2;
}

TEST(Result, TryPassesErrorsOn) {
    EXPECT_EQ(quarter(8), 2);
    ASSERT_FALSE(quarter(6));
    EXPECT_EQ(quarter(6).error().message, "3 is odd");
    EXPECT_EQ(quarter(6).error().within("file").message, "file: 3 is odd");
}

TEST(Result, ExitCodesAreDistinct) {
    std::vector<int> codes;
    for (int i = 0; i <= static_cast<int>(ErrorCode::internal); ++i) {
        codes.push_back(exit_code(static_cast<ErrorCode>(i)));
        EXPECT_STRNE(error_code_name(static_cast<ErrorCode>(i)), "");
    }
    std::sort(codes.begin(), codes.end());
    EXPECT_EQ(std::unique(codes.begin(), codes.end()), codes.end());
    EXPECT_GT(codes.front(), 1);
}

TEST(CheckDeathTest, PrintsBothOperands) {
    const int a = 3;
    EXPECT_DEATH(HONE_CHECK_EQ(a, 4), "a == 4: 3 vs 4");
}

TEST(Checked, WrapsAreSeen) {
    EXPECT_FALSE(checked_add<uint64_t>(UINT64_MAX, 1));
    EXPECT_FALSE(checked_mul<uint64_t>(uint64_t{1} << 33, uint64_t{1} << 31));
    EXPECT_EQ(checked_mul<uint64_t>(1u << 31, 1u << 31), uint64_t{1} << 62);
    EXPECT_FALSE(checked_align(UINT64_MAX - 3, 32));
    EXPECT_EQ(checked_align(33, 32), 64u);
    EXPECT_EQ(round_up(5, 4), 8u);
}

TEST(Clock, MovesForward) {
    const SteadyClock steady;
    const int64_t before_ns = steady.now_ns();
    EXPECT_GE(steady.now_ns(), before_ns);
    VirtualClock clock;
    clock.advance_ns(5);
    EXPECT_EQ(clock.now_ns(), 5);
}

TEST(Random, RepeatsAndCovers) {
    Random a(7);
    Random b(7);
    double sum = 0;
    double squares = 0;
    for (int i = 0; i < 20000; ++i) {
        const double x = a.next_normal();
        EXPECT_EQ(x, b.next_normal());
        sum += x;
        squares += x * x;
    }
    EXPECT_NEAR(sum / 20000, 0, 0.03);
    EXPECT_NEAR(squares / 20000, 1, 0.05);
    for (int i = 0; i < 1000; ++i) EXPECT_LT(a.next_below(7), 7u);
}

TEST(Json, LimitsComeBeforeTheParser) {
    EXPECT_EQ(parse_json(std::string(100, '[')).error().code, ErrorCode::exhausted);
    EXPECT_EQ(parse_json("{\"a\": 1").error().code, ErrorCode::corrupt);
    EXPECT_EQ(parse_json("[1]", {2, 8}).error().code, ErrorCode::exhausted);
    EXPECT_EQ(parse_json("{\"a\":{\"b\":1,\"c\":2}}", {.keys_max = 1}).error().code,
              ErrorCode::exhausted);
    EXPECT_TRUE(parse_json("[{\"a:\":1},{\"b\":{\"c\":2}}]", {.keys_max = 1}));
    // Brackets inside strings are no nesting.
    EXPECT_TRUE(parse_json("\"" + std::string(200, '[') + "\\\"[\""));
    EXPECT_EQ(dump_json(Json("a\xff"), -1), "\"a\xef\xbf\xbd\"");
}

TEST(Text, FormatsForPeople) {
    EXPECT_EQ(format_bytes(1536), "1.50 KiB");
    EXPECT_EQ(format_bytes(0), "0 B");
    EXPECT_EQ(format_count(134515008), "135 M");
    EXPECT_EQ(format_count(999.6e6), "1.00 G");
    EXPECT_EQ(format_duration_ns(1.5e6), "1.50 ms");
    EXPECT_EQ(split("a,,b", ',').size(), 3u);
    EXPECT_EQ(trim(" \t x y\n"), "x y");
    EXPECT_EQ(printable("a\n\xff"), "a\\x0a\\xff");
    EXPECT_EQ(printable("aaaa", 2), "aa...");
}

TEST(Files, WriteReadMap) {
    const std::string path = testing::TempDir() + "hone_base_test";
    ASSERT_TRUE(write_file(path, "hello"));
    EXPECT_EQ(read_file(path, 100), "hello");
    EXPECT_EQ(read_file(path, 3).error().code, ErrorCode::exhausted);
    const auto map = MappedFile::open(path);
    ASSERT_TRUE(map);
    EXPECT_EQ(map->bytes().size(), 5u);
    ASSERT_TRUE(write_file(path, ""));
    EXPECT_EQ(MappedFile::open(path).error().code, ErrorCode::corrupt);
    std::filesystem::remove(path);
    EXPECT_EQ(MappedFile::open(path).error().code, ErrorCode::not_found);
    EXPECT_EQ(MappedFile::open("/").error().code, ErrorCode::invalid_argument);
    EXPECT_FALSE(write_file("/nowhere/at/all", "x"));
}

// The resident part of the mapping that begins at this address, as proc(5) counts it.
size_t resident_bytes(const void* address) {
    std::ifstream maps("/proc/self/smaps");
    const std::string begin = fmt::format("{:x}-", reinterpret_cast<uintptr_t>(address));
    bool here = false;
    for (std::string line; std::getline(maps, line);) {
        if (line.rfind(begin, 0) == 0) here = true;
        if (here && line.rfind("Rss:", 0) == 0) return std::stoull(line.substr(4)) * 1024;
    }
    return 0;
}

TEST(MappedFile, ReleasesWhatCameInAroundARange) {
    const std::string path = ::testing::TempDir() + "hone_released";
    const std::vector<char> bytes(size_t{5} << 20, 7);
    std::ofstream(path, std::ios::binary).write(bytes.data(), std::streamsize(bytes.size()));
    const auto map = MappedFile::open(path);
    ASSERT_TRUE(map);
    const std::byte* data = map->bytes().data();
    const auto sum_of = [&] {
        int sum = 0;
        for (size_t i = 0; i < map->bytes().size(); i += 4096) sum += static_cast<int>(data[i]);
        return sum;
    };
    const int sum = sum_of();
    EXPECT_EQ(resident_bytes(data), bytes.size());
    map->release(100, 10);
    EXPECT_EQ(resident_bytes(data), size_t{3} << 20);
    map->release(0, bytes.size());
    EXPECT_EQ(resident_bytes(data), 0u);
    EXPECT_EQ(sum_of(), sum);
    std::remove(path.c_str());
}

}  // namespace
}  // namespace hone::base
