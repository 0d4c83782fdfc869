#include "machine/system_text.h"

#include <gtest/gtest.h>

namespace hone::machine {
namespace {

TEST(SystemText, CountsAreDecimalAndWhole) {
    EXPECT_EQ(parse_count(" 42\n"), 42u);
    EXPECT_EQ(parse_count("18446744073709551615"), 18446744073709551615ull);
    for (const char* text : {"", " ", "max", "-1", "4x", "4 2", "18446744073709551616", "0x10"}) {
        EXPECT_FALSE(parse_count(text).has_value()) << text;
    }
}

TEST(SystemText, SizesHaveSuffixes) {
    EXPECT_EQ(parse_size("32K"), 32u << 10);
    EXPECT_EQ(parse_size("96M\n"), 96u << 20);
    EXPECT_EQ(parse_size("1G"), 1u << 30);
    EXPECT_EQ(parse_size("512"), 512u);
    for (const char* text :
         {"", "K", "32KB", "32k", "99999999999999999999K", "18446744073709551615K"}) {
        EXPECT_FALSE(parse_size(text).has_value()) << text;
    }
}

TEST(SystemText, CpuLists) {
    EXPECT_EQ(count_cpu_list("0"), 1);
    EXPECT_EQ(count_cpu_list("0-3\n"), 4);
    EXPECT_EQ(count_cpu_list("0-3,8,10-11"), 7);
    EXPECT_EQ(first_of_cpu_list("4-7,9"), 4);
    EXPECT_EQ(first_of_cpu_list("2,0"), 2);
    for (const char* list : {"", "a", "3-1", "0-", "-3", "0,,1", "0-99999999", "0-65535,0-65535"}) {
        EXPECT_EQ(count_cpu_list(list), 0) << list;
    }
    EXPECT_FALSE(first_of_cpu_list("").has_value());
}

TEST(SystemText, ValuesAreFoundByWholeKey) {
    const char* text =
        "MemTotalExtra:  1 kB\nMemTotal:  2048 kB\nempty:\nflags\t\t: a b\ncpu0 5 6\ncpu  7 8";
    EXPECT_EQ(value_of(text, "MemTotal"), "2048 kB");
    EXPECT_EQ(bytes_of(text, "MemTotal"), 2048u * 1024);
    EXPECT_EQ(value_of(text, "flags"), "a b");
    EXPECT_EQ(value_of(text, "empty"), "");
    EXPECT_EQ(value_of(text, "cpu"), "7 8");
    EXPECT_FALSE(value_of(text, "Mem").has_value());
    EXPECT_FALSE(bytes_of(text, "flags").has_value());
    EXPECT_FALSE(bytes_of("A: 18446744073709551615 kB", "A").has_value());
    EXPECT_EQ(bytes_of("inactive_file 4096", "inactive_file"), 4096u);
}

TEST(SystemText, FilesMayBeMissing) {
    EXPECT_FALSE(read_system_text("/proc/no/such/file").has_value());
    EXPECT_FALSE(read_system_text("/proc").has_value());
    EXPECT_FALSE(read_count("/proc/no/such/file").has_value());
    EXPECT_TRUE(read_system_text("/proc/self/status").has_value());
}

}  // namespace
}  // namespace hone::machine
