#include "machine/profile.h"

#include <gtest/gtest.h>

#include <limits>

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
