#include "machine/facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "machine/fake_tree.h"
#include "machine/isa.h"

namespace hone::machine {
namespace {

using testing::ElementsAre;

// Two packages of one core with two threads each, in a virtual machine.
void put_server(FakeTree& tree) {
    std::string cpuinfo;
    for (int cpu = 0; cpu < 4; ++cpu) {
        cpuinfo +=
            "processor\t: " + std::to_string(cpu) +
            "\nmodel name\t: Test CPU 9000 @ 2.5GHz\nphysical id\t: " + std::to_string(cpu / 2) +
            "\nflags\t\t: fpu sse4_2 avx avx2 fma f16c hypervisor avx512f avx512_vnni\n\n";
    }
    const std::string cpu = "/sys/devices/system/cpu/cpu0";
    tree.put("/proc/cpuinfo", cpuinfo)
        .put("/proc/meminfo", "MemTotal:  8388608 kB\nMemFree: 1 kB\nMemAvailable:  4194304 kB\n")
        .put("/proc/sys/kernel/osrelease", "6.1.0-test\n")
        .put("/proc/self/status", "Name:\tx\nCpus_allowed:\t7\nCpus_allowed_list:\t0-2\n")
        .put("/sys/class/dmi/id/product_name", "Imaginary Machine\n")
        .put("/sys/devices/system/cpu/online", "0-3\n")
        .put("/sys/devices/system/node/online", "0-1\n")
        .put("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n")
        .put(cpu + "/topology/thread_siblings_list", "0,2\n");
    const auto put_cache = [&](int index, const char* level, const char* type, const char* size,
                               const char* shared) {
        const std::string cache = cpu + "/cache/index" + std::to_string(index);
        tree.put(cache + "/level", level)
            .put(cache + "/type", type)
            .put(cache + "/size", size)
            .put(cache + "/shared_cpu_list", shared);
    };
    put_cache(0, "1\n", "Data\n", "48K\n", "0,2\n");
    put_cache(1, "1\n", "Instruction\n", "32K\n", "0,2\n");
    put_cache(2, "3\n", "Unified\n", "32M\n", "0-3\n");
    put_cache(3, "2\n", "Unified\n", "2048K\n", "0,2\n");
}

TEST(Facts, ServerIsReadWhole) {
    FakeTree tree;
    put_server(tree);
    const MachineFacts facts = read_machine_facts(tree.root());
    EXPECT_EQ(facts.cpu_model, "Test CPU 9000 @ 2.5GHz");
    EXPECT_EQ(facts.os, "6.1.0-test");
    EXPECT_EQ(facts.hypervisor, "Imaginary Machine");
    EXPECT_EQ(facts.cpus_online, 4);
    EXPECT_EQ(facts.cpus_allowed, 3);
    EXPECT_EQ(facts.sockets, 2);
    EXPECT_EQ(facts.numa_nodes, 2);
    EXPECT_EQ(facts.threads_per_core, 2);
    EXPECT_EQ(facts.memory_bytes, 8ull << 30);
    EXPECT_EQ(facts.memory_available_bytes, 4ull << 30);
    EXPECT_EQ(facts.memory_limit_bytes, 0u);
    EXPECT_EQ(facts.cpu_quota, 0);
    EXPECT_EQ(facts.huge_pages, "madvise");
    EXPECT_THAT(facts.isa_flags,
                ElementsAre("sse4_2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512_vnni"));
    ASSERT_EQ(facts.caches.size(), 3u);
    EXPECT_EQ(facts.caches[0].type, "data");
    EXPECT_EQ(facts.caches[0].bytes, 48u << 10);
    EXPECT_EQ(facts.caches[0].shared_by_cpus, 2);
    EXPECT_EQ(facts.caches[1].level, 2);
    EXPECT_EQ(facts.caches[2].bytes, 32u << 20);
    EXPECT_EQ(facts.caches[2].type, "unified");
    EXPECT_EQ(facts.caches[2].shared_by_cpus, 4);
    ASSERT_EQ(facts.devices.size(), 1u);
    EXPECT_EQ(facts.devices[0].kind, "cpu");
    EXPECT_EQ(facts.devices[0].memory_bytes, 8ull << 30);
    EXPECT_FALSE(facts.perf_counters);
}

TEST(Facts, ControlGroupNarrowsTheMachine) {
    FakeTree tree;
    put_server(tree);
    tree.put("/proc/self/mountinfo", "36 25 0:31 / /cg rw - cgroup2 cgroup2 rw\n")
        .put("/proc/self/cgroup", "0::/job\n")
        .put("/cg/job/cpu.max", "250000 100000\n")
        .put("/cg/job/memory.max", "2147483648\n")
        .put("/cg/job/memory.current", "1073741824\n");
    const MachineFacts facts = read_machine_facts(tree.root());
    EXPECT_DOUBLE_EQ(facts.cpu_quota, 2.5);
    EXPECT_EQ(facts.memory_limit_bytes, 2ull << 30);
    EXPECT_EQ(facts.memory_available_bytes, 1ull << 30);
    EXPECT_EQ(memory_budget_bytes(facts), 1ull << 30);
}

TEST(Facts, LimitAboveTheMemoryIsNone) {
    FakeTree tree;
    put_server(tree);
    tree.put("/proc/self/mountinfo", "36 25 0:31 / /cg rw - cgroup2 cgroup2 rw\n")
        .put("/proc/self/cgroup", "0::/\n")
        .put("/cg/memory.max", "1099511627776\n");
    const MachineFacts facts = read_machine_facts(tree.root());
    EXPECT_EQ(facts.memory_limit_bytes, 0u);
    EXPECT_EQ(memory_budget_bytes(facts), 4ull << 30);
}

TEST(Facts, EmptyTreeKeepsNeutralValues) {
    const FakeTree tree;
    const MachineFacts facts = read_machine_facts(tree.root());
    EXPECT_EQ(facts.cpu_model, "");
    EXPECT_EQ(facts.hypervisor, "");
    EXPECT_EQ(facts.cpus_online, 0);
    EXPECT_EQ(facts.cpus_allowed, 0);
    EXPECT_EQ(facts.sockets, 1);
    EXPECT_EQ(facts.numa_nodes, 1);
    EXPECT_EQ(facts.threads_per_core, 1);
    EXPECT_TRUE(facts.caches.empty());
    EXPECT_EQ(facts.huge_pages, "");
    EXPECT_EQ(memory_budget_bytes(facts), 0u);
    const DisturbanceCounters counters = read_disturbance(tree.root());
    EXPECT_FALSE(counters.has_steal);
    EXPECT_FALSE(counters.has_run_delay);
    EXPECT_FALSE(counters.storage_bytes);
}

TEST(Facts, NonsenseKeepsNeutralValues) {
    FakeTree tree;
    tree.put("/proc/cpuinfo", "model name\nflags\nprocessor")
        .put("/proc/meminfo", "MemTotal: lots kB\n")
        .put("/proc/self/status", "Cpus_allowed_list:\tnone\n")
        .put("/proc/self/stat", "12 (a) b) R 1")
        .put("/proc/stat", "cpu 1 2 three\n")
        .put("/sys/hypervisor/type", "\n")
        .put("/sys/kernel/mm/transparent_hugepage/enabled", "]always[\n")
        .put("/sys/devices/system/cpu/online", "9999999-0\n")
        .put("/sys/devices/system/cpu/cpu0/cache/index0/level", "77\n");
    const MachineFacts facts = read_machine_facts(tree.root());
    EXPECT_EQ(facts.cpus_online, 1);
    EXPECT_EQ(facts.memory_bytes, 0u);
    EXPECT_EQ(facts.hypervisor, "");
    EXPECT_EQ(facts.huge_pages, "");
    EXPECT_TRUE(facts.caches.empty());
    EXPECT_FALSE(read_disturbance(tree.root()).has_steal);
}

TEST(Facts, XenNamesItself) {
    FakeTree tree;
    put_server(tree);
    tree.put("/sys/hypervisor/type", "xen\n");
    EXPECT_EQ(read_machine_facts(tree.root()).hypervisor, "xen");
}

TEST(Facts, DisturbanceAddsUpThreads) {
    FakeTree tree;
    tree.put("/proc/stat", "cpu  100 10 50 800 20 1 4 15 90 0\ncpu0 1 2 3 4 5 6 7 8 9 0\n")
        .put("/proc/self/task/11/schedstat", "5000 700 3\n")
        .put("/proc/self/task/12/schedstat", "5000 300 3\n")
        .put("/proc/self/io", "rchar: 1\nwchar: 2\nread_bytes: 8192\nwrite_bytes: 0\n")
        .put("/proc/self/stat",
             "11 (a (b) c) S 1 2 3 4 5 6 1234 7 56 8 9 10 11 12 20 0 2 0 100 1 2\n");
    const DisturbanceCounters counters = read_disturbance(tree.root());
    ASSERT_TRUE(counters.has_steal);
    EXPECT_DOUBLE_EQ(counters.steal_ticks, 15);
    EXPECT_DOUBLE_EQ(counters.total_ticks, 1000);
    EXPECT_DOUBLE_EQ(counters.busy_ticks, 165);
    EXPECT_EQ(counters.own_ticks, 19);
    ASSERT_TRUE(counters.has_run_delay);
    EXPECT_DOUBLE_EQ(counters.run_delay_ns, 1000);
    EXPECT_EQ(counters.minor_faults, 1234u);
    EXPECT_EQ(counters.major_faults, 56u);
    EXPECT_EQ(counters.storage_bytes, 8192u);
}

TEST(Facts, BudgetFallsBackStepByStep) {
    MachineFacts facts;
    facts.memory_bytes = 1000;
    EXPECT_EQ(memory_budget_bytes(facts), 1000u);
    facts.memory_limit_bytes = 500;
    EXPECT_EQ(memory_budget_bytes(facts), 500u);
    facts.memory_available_bytes = 300;
    EXPECT_EQ(memory_budget_bytes(facts), 300u);
    facts.memory_bytes = 0;
    facts.memory_available_bytes = 0;
    EXPECT_EQ(memory_budget_bytes(facts), 500u);
}

TEST(Facts, ThisMachineMakesSense) {
    const MachineFacts facts = read_machine_facts();
    EXPECT_GE(facts.cpus_allowed, 1);
    EXPECT_LE(facts.cpus_allowed, facts.cpus_online);
    EXPECT_EQ(facts.isa, isa_name(detect_isa()));
    EXPECT_GT(facts.memory_bytes, 0u);
    EXPECT_LE(memory_budget_bytes(facts), facts.memory_bytes);
    const ResidentBytes resident = read_resident_bytes();
    EXPECT_GT(resident.now, 0u);
    EXPECT_GE(resident.peak, resident.now);
    EXPECT_GT(read_disturbance().minor_faults, 0u);
}

}  // namespace
}  // namespace hone::machine
