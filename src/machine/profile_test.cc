#include "machine/profile.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/json.h"

namespace hone::machine {
namespace {

MachineProfile sample_profile() {
    MachineProfile profile;
    profile.facts.cpu_model = "Test CPU";
    profile.facts.os = "6.1.0";
    profile.facts.cpus_online = 8;
    profile.facts.cpus_allowed = 4;
    profile.facts.cpu_quota = 2.5;
    profile.facts.memory_bytes = 0xffffffffffffffffull;
    profile.facts.caches = {{1, "data", 32768, 1}, {3, "unified", 33554432, 8}};
    profile.facts.isa = "avx512";
    profile.facts.isa_flags = {"avx2", "avx512f"};
    profile.facts.devices = {{"cpu", "Test CPU", 1024}};
    profile.fingerprint = machine_fingerprint(profile.facts);
    profile.measured_at = "2026-01-02T03:04:05Z";
    profile.bandwidth = {{32768, 1, 200.5, 210},
                         {1u << 20, 1, 100, 101},
                         {256u << 20, 1, 20, 21},
                         {256u << 20, 2, 30, 31}};
    profile.peaks = {{"f32_fma", "avx2", 1, 100},
                     {"f32_fma", "avx512", 1, 150},
                     {"f32_fma", "avx512bf16", 1, 149},
                     {"int8_dot", "avx512vnni", 1, 900}};
    profile.overheads = {{"barrier", 2, 310.5}, {"wake", 2, 0}};
    profile.gemms = {{"u4m", "int8", "avx2", 2048, 1024, 64, 2, 250'000.5, 1310720}};
    profile.latencies = {{32768, 0, 1.25}, {256u << 20, 1, 140}};
    profile.files = {{"read", false, 1u << 25, 8.5}, {"mmap", true, 1u << 25, 0.75}};
    profile.clock = ClockRate{3.7, 3.1, 3.8, 0.01};
    profile.left_out = {{"latency", "budget"}};
    return profile;
}

TEST(Profile, BandwidthTakesTheNearestPlateauNotSmaller) {
    const MachineProfile profile = sample_profile();
    EXPECT_DOUBLE_EQ(profile.bandwidth_gb_per_s(0, 1).value(), 200.5);
    EXPECT_DOUBLE_EQ(profile.bandwidth_gb_per_s(32768, 1).value(), 200.5);
    EXPECT_DOUBLE_EQ(profile.bandwidth_gb_per_s(32769, 1).value(), 100);
    EXPECT_DOUBLE_EQ(profile.bandwidth_gb_per_s(100u << 20, 1).value(), 20);
    EXPECT_DOUBLE_EQ(profile.bandwidth_gb_per_s(1ull << 40, 1).value(), 20);
    EXPECT_DOUBLE_EQ(profile.bandwidth_gb_per_s(1, 2).value(), 30);
    EXPECT_FALSE(profile.bandwidth_gb_per_s(1, 3).has_value());
    EXPECT_FALSE(MachineProfile{}.bandwidth_gb_per_s(1, 1).has_value());
}

TEST(Profile, BandwidthDoesNotDependOnTheOrderOfPoints) {
    MachineProfile profile = sample_profile();
    std::swap(profile.bandwidth.front(), profile.bandwidth.back());
    EXPECT_DOUBLE_EQ(profile.bandwidth_gb_per_s(32768, 1).value(), 200.5);
    EXPECT_DOUBLE_EQ(profile.bandwidth_gb_per_s(1ull << 40, 1).value(), 20);
}

TEST(Profile, PeakIsTheBestVariantUpToALevel) {
    const MachineProfile profile = sample_profile();
    EXPECT_DOUBLE_EQ(profile.peak_g_per_s("f32_fma", 1).value(), 150);
    EXPECT_DOUBLE_EQ(profile.peak_g_per_s("f32_fma", 1, "avx2").value(), 100);
    EXPECT_DOUBLE_EQ(profile.peak_g_per_s("f32_fma", 1, "avx512vnni").value(), 150);
    EXPECT_FALSE(profile.peak_g_per_s("f32_fma", 1, "portable").has_value());
    EXPECT_FALSE(profile.peak_g_per_s("f32_fma", 1, "no such level").has_value());
    EXPECT_FALSE(profile.peak_g_per_s("f32_fma", 2).has_value());
    EXPECT_FALSE(profile.peak_g_per_s("bf16_dot", 1).has_value());
}

TEST(Profile, OverheadIsByNameAndThreads) {
    const MachineProfile profile = sample_profile();
    EXPECT_DOUBLE_EQ(profile.overhead_ns("barrier", 2).value(), 310.5);
    EXPECT_DOUBLE_EQ(profile.overhead_ns("wake", 2).value(), 0);
    EXPECT_FALSE(profile.overhead_ns("barrier", 1).has_value());
    EXPECT_TRUE(profile.has_ceilings());
    EXPECT_FALSE(MachineProfile{}.has_ceilings());
}

TEST(Profile, BandwidthIsByOperation) {
    MachineProfile profile = sample_profile();
    profile.bandwidth.push_back({1u << 20, 1, 70, 71, "write"});
    EXPECT_DOUBLE_EQ(profile.bandwidth_gb_per_s(1u << 20, 1).value(), 100);
    EXPECT_DOUBLE_EQ(profile.bandwidth_gb_per_s(1u << 20, 1, "write").value(), 70);
    EXPECT_FALSE(profile.bandwidth_gb_per_s(1u << 20, 1, "copy").has_value());
}

TEST(Profile, ProductsKnowTheirRateAndIntensity) {
    const GemmPoint point{"u4m", "int8", "avx2", 2048, 1024, 1, 2, 2048.0 * 1024 * 2, 1310720};
    EXPECT_DOUBLE_EQ(point.g_per_s(), 1);
    EXPECT_NEAR(point.intensity(), 4194304.0 / (1310720 + 1408 + 8192), 1e-12);
}

TEST(Profile, PlateausLieWithinHalfOfEachCache) {
    MachineFacts facts;
    facts.caches = {{1, "data", 32 << 10, 1},
                    {1, "instruction", 64 << 10, 1},
                    {3, "unified", 32 << 20, 2},
                    {2, "unified", 1 << 20, 1}};
    const std::vector<uint64_t> sizes = {16 << 10, 128 << 10, 512 << 10, 2 << 20,
                                         8 << 20,  24 << 20,  64 << 20,  256 << 20};
    const auto one = memory_plateaus(facts, 1, sizes);
    ASSERT_EQ(one.size(), 4u);
    EXPECT_EQ(one[0].level, "L1");
    EXPECT_EQ(one[0].bytes, 16u << 10);
    EXPECT_EQ(one[1].bytes, 512u << 10);
    EXPECT_EQ(one[2].level, "L3");
    EXPECT_EQ(one[2].bytes, 8u << 20);
    EXPECT_EQ(one[3].level, "memory");
    EXPECT_EQ(one[3].bytes, 256u << 20);
    // Four threads on two shared caches of 32 MiB.
    const auto four = memory_plateaus(facts, 4, sizes);
    ASSERT_EQ(four.size(), 4u);
    EXPECT_EQ(four[1].bytes, 2u << 20);
    EXPECT_EQ(four[2].bytes, 24u << 20);
    // Nothing large enough to show memory, and no caches known.
    EXPECT_EQ(memory_plateaus(facts, 2, {16 << 10}).size(), 1u);
    EXPECT_EQ(memory_plateaus({}, 2, sizes).back().level, "memory");
    EXPECT_TRUE(memory_plateaus(facts, 1, {}).empty());
}

TEST(Profile, FingerprintFollowsWhatCeilingsDependOn) {
    const MachineFacts facts = sample_profile().facts;
    const std::string fingerprint = machine_fingerprint(facts);
    EXPECT_EQ(fingerprint.size(), 16u);
    EXPECT_EQ(fingerprint.find_first_not_of("0123456789abcdef"), std::string::npos);

    MachineFacts same = facts;
    same.memory_available_bytes = 5;
    same.perf_counters = !same.perf_counters;
    EXPECT_EQ(machine_fingerprint(same), fingerprint);

    const auto differs = [&](auto change) {
        MachineFacts other = facts;
        change(other);
        return machine_fingerprint(other) != fingerprint;
    };
    EXPECT_TRUE(differs([](MachineFacts& f) { f.cpu_model += "x"; }));
    EXPECT_TRUE(differs([](MachineFacts& f) { f.os = "6.1.1"; }));
    EXPECT_TRUE(differs([](MachineFacts& f) { f.cpus_online = 9; }));
    EXPECT_TRUE(differs([](MachineFacts& f) { f.cpus_allowed = 3; }));
    EXPECT_TRUE(differs([](MachineFacts& f) { f.cpu_quota = 0; }));
    EXPECT_TRUE(differs([](MachineFacts& f) { f.isa_flags.pop_back(); }));
    EXPECT_TRUE(differs([](MachineFacts& f) { f.isa_flags = {"avx2avx512f"}; }));
    EXPECT_TRUE(differs([](MachineFacts& f) { f.caches[1].bytes /= 2; }));
}

TEST(Profile, JsonRoundTripKeepsEverything) {
    const MachineProfile profile = sample_profile();
    const base::Json json = to_json(profile);
    const auto parsed = base::parse_json(base::dump_json(json));
    ASSERT_TRUE(parsed.has_value());
    const auto read = profile_from_json(*parsed);
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_EQ(to_json(*read), json);
    EXPECT_EQ(read->facts.memory_bytes, 0xffffffffffffffffull);
    EXPECT_EQ(read->facts.caches.size(), 2u);
    EXPECT_EQ(machine_fingerprint(read->facts), profile.fingerprint);
    EXPECT_EQ(to_json(MachineProfile{}), to_json(*profile_from_json(to_json(MachineProfile{}))));
}

TEST(Profile, OlderAndNewerFilesAreReadable) {
    const auto older = base::parse_json(R"({"fingerprint": "ab"})");
    ASSERT_TRUE(profile_from_json(*older).has_value());
    base::Json newer = to_json(sample_profile());
    newer["future"] = {1, 2};
    newer["facts"]["future"] = "x";
    newer["peaks"][0]["future"] = nullptr;
    newer["bandwidth"][0].erase("gb_per_s_best");
    const auto read = profile_from_json(newer);
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_DOUBLE_EQ(read->bandwidth[0].gb_per_s_best, 200.5);
}

TEST(Profile, WrongFilesNameTheField) {
    const auto message_of = [](auto change) {
        base::Json json = to_json(sample_profile());
        change(json);
        const auto read = profile_from_json(json);
        if (read) return std::string("accepted");
        EXPECT_EQ(read.error().code, base::ErrorCode::corrupt);
        return read.error().message;
    };
    using base::Json;
    EXPECT_EQ(message_of([](Json& j) { j = Json::array(); }), "$: expected an object, got array");
    EXPECT_EQ(message_of([](Json& j) { j.erase("fingerprint"); }), "$.fingerprint: missing");
    EXPECT_EQ(message_of([](Json& j) { j["facts"] = 3; }),
              "$.facts: expected an object, got number");
    EXPECT_EQ(message_of([](Json& j) { j["facts"]["caches"][1]["bytes"] = "big"; }),
              "$.facts.caches[1].bytes: expected a whole number, not negative, got string");
    EXPECT_EQ(message_of([](Json& j) { j["facts"]["cpus_online"] = 1e12; }),
              "$.facts.cpus_online: expected a whole number of 32 bits, got number");
    EXPECT_EQ(message_of([](Json& j) { j["facts"]["isa_flags"][0] = 1; }),
              "$.facts.isa_flags: expected a string, got array");
    EXPECT_EQ(message_of([](Json& j) { j["peaks"] = "none"; }),
              "$.peaks: expected an array, got string");
    EXPECT_EQ(message_of([](Json& j) { j["peaks"][2].erase("threads"); }),
              "$.peaks[2].threads: missing");
    EXPECT_EQ(message_of([](Json& j) { j["peaks"][0]["g_per_s"] = -1; }),
              "$.peaks[0].g_per_s: a ceiling must be positive and finite");
    EXPECT_EQ(message_of([](Json& j) { j["bandwidth"][0]["gb_per_s"] = "+inf"; }),
              "$.bandwidth[0].gb_per_s: a ceiling must be positive and finite");
    EXPECT_EQ(message_of([](Json& j) { j["bandwidth"][0]["gb_per_s"] = nullptr; }),
              "$.bandwidth[0].gb_per_s: a ceiling must be positive and finite");
}

}  // namespace
}  // namespace hone::machine
