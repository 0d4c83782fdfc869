#include "machine/cgroup.h"

#include <gtest/gtest.h>

#include "machine/fake_tree.h"

namespace hone::machine {
namespace {

constexpr const char* kMountV2 =
    "25 30 0:23 / /proc rw - proc proc rw\n"
    "36 25 0:31 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

TEST(Cgroup, NothingReadableIsNoLimit) {
    const FakeTree tree;
    const CgroupLimits limits = read_cgroup_limits(tree.root());
    EXPECT_FALSE(limits.cpus.has_value());
    EXPECT_FALSE(limits.memory_bytes.has_value());
    EXPECT_FALSE(limits.memory_unused.has_value());
}

TEST(Cgroup, VersionTwoTakesTheSmallestOnTheWayUp) {
    FakeTree tree;
    tree.put("/proc/self/mountinfo", kMountV2)
        .put("/proc/self/cgroup", "0::/system.slice/app.service/worker\n")
        .put("/sys/fs/cgroup/system.slice/app.service/worker/cpu.max", "400000 100000\n")
        .put("/sys/fs/cgroup/system.slice/app.service/worker/memory.max", "max\n")
        .put("/sys/fs/cgroup/system.slice/app.service/cpu.max", "150000 100000\n")
        .put("/sys/fs/cgroup/system.slice/app.service/memory.max", "1073741824\n")
        .put("/sys/fs/cgroup/system.slice/app.service/memory.current", "805306368\n")
        .put("/sys/fs/cgroup/system.slice/app.service/memory.stat",
             "anon 1\ninactive_file 268435456\nactive_file 5\n")
        .put("/sys/fs/cgroup/system.slice/memory.max", "8589934592\n")
        .put("/sys/fs/cgroup/system.slice/cpu.max", "max 100000\n");
    const CgroupLimits limits = read_cgroup_limits(tree.root());
    EXPECT_DOUBLE_EQ(limits.cpus.value(), 1.5);
    EXPECT_EQ(limits.memory_bytes.value(), 1073741824u);
    EXPECT_EQ(limits.memory_unused.value(), 1073741824u - (805306368u - 268435456u));
}

TEST(Cgroup, VersionTwoInItsOwnNamespaceReadsTheMountPoint) {
    FakeTree tree;
    tree.put("/proc/self/mountinfo", kMountV2)
        .put("/proc/self/cgroup", "0::/\n")
        .put("/sys/fs/cgroup/cpu.max", "50000 100000")
        .put("/sys/fs/cgroup/memory.max", "536870912")
        .put("/sys/fs/cgroup/memory.current", "9999999999");
    const CgroupLimits limits = read_cgroup_limits(tree.root());
    EXPECT_DOUBLE_EQ(limits.cpus.value(), 0.5);
    EXPECT_EQ(limits.memory_bytes.value(), 536870912u);
    EXPECT_EQ(limits.memory_unused.value(), 0u);
}

TEST(Cgroup, VersionOneWhereTheGroupItselfIsMounted) {
    FakeTree tree;
    tree.put("/proc/self/mountinfo",
             "32 31 0:29 /docker/abc /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
             "35 31 0:32 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n")
        .put("/proc/self/cgroup", "4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc/inner\n")
        .put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "300000\n")
        .put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n")
        .put("/sys/fs/cgroup/cpu,cpuacct/inner/cpu.cfs_quota_us", "-1\n")
        .put("/sys/fs/cgroup/cpu,cpuacct/inner/cpu.cfs_period_us", "100000\n")
        .put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "2147483648\n")
        .put("/sys/fs/cgroup/memory/memory.usage_in_bytes", "1048576\n");
    const CgroupLimits limits = read_cgroup_limits(tree.root());
    EXPECT_DOUBLE_EQ(limits.cpus.value(), 3.0);
    EXPECT_EQ(limits.memory_bytes.value(), 2147483648u);
    EXPECT_EQ(limits.memory_unused.value(), 2147483648u - 1048576u);
}

TEST(Cgroup, VersionOneWithoutLimits) {
    FakeTree tree;
    tree.put("/proc/self/mountinfo",
             "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
             "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n")
        .put("/proc/self/cgroup", "4:memory:/a/b\n1:cpu:/\n0::/\n")
        .put("/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "9223372036854771712\n")
        .put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n")
        .put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    const CgroupLimits limits = read_cgroup_limits(tree.root());
    EXPECT_FALSE(limits.cpus.has_value());
    EXPECT_FALSE(limits.memory_bytes.has_value());
}

TEST(Cgroup, PathsThatLeadOutsideReadOnlyTheMountPoint) {
    FakeTree tree;
    tree.put("/proc/self/mountinfo", kMountV2)
        .put("/proc/self/cgroup", "0::/../../elsewhere\n")
        .put("/elsewhere/memory.max", "1")
        .put("/sys/fs/cgroup/memory.max", "4096");
    EXPECT_EQ(read_cgroup_limits(tree.root()).memory_bytes.value(), 4096u);
}

TEST(Cgroup, NonsenseIsNoLimit) {
    FakeTree tree;
    tree.put("/proc/self/mountinfo", std::string(kMountV2) + "garbage\n - \n1 2 3 - cgroup2\n")
        .put("/proc/self/cgroup", "::\n:\nnonsense\n0::\n")
        .put("/sys/fs/cgroup/cpu.max", "100000 0\n")
        .put("/sys/fs/cgroup/memory.max", "-5\n");
    const CgroupLimits limits = read_cgroup_limits(tree.root());
    EXPECT_FALSE(limits.cpus.has_value());
    EXPECT_FALSE(limits.memory_bytes.has_value());
}

TEST(Cgroup, ThrottlingOfBothVersions) {
    FakeTree none;
    EXPECT_FALSE(read_cgroup_throttling(none.root()).has_value());
    FakeTree two;
    two.put("/proc/self/mountinfo", kMountV2)
        .put("/proc/self/cgroup", "0::/app/worker\n")
        .put("/sys/fs/cgroup/app/worker/cpu.stat", "usage_usec 5\nuser_usec 5\n")
        .put("/sys/fs/cgroup/app/cpu.stat",
             "usage_usec 9\nnr_periods 10\nnr_throttled 3\nthrottled_usec 4500\n");
    const auto v2 = read_cgroup_throttling(two.root());
    ASSERT_TRUE(v2.has_value());
    EXPECT_EQ(v2->periods, 3u);
    EXPECT_DOUBLE_EQ(v2->throttled_ns, 4.5e6);
    FakeTree one;
    one.put("/proc/self/mountinfo",
            "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n")
        .put("/proc/self/cgroup", "2:cpu,cpuacct:/inner\n")
        .put("/sys/fs/cgroup/cpu,cpuacct/inner/cpu.stat",
             "nr_periods 7\nnr_throttled 2\nthrottled_time 123456\n");
    const auto v1 = read_cgroup_throttling(one.root());
    ASSERT_TRUE(v1.has_value());
    EXPECT_EQ(v1->periods, 2u);
    EXPECT_DOUBLE_EQ(v1->throttled_ns, 123456);
}

}  // namespace
}  // namespace hone::machine
